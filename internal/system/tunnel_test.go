package system

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"

	"github.com/vishvananda/netlink"
)

// TestTunnelIsGuardedBeforeItIsUp: in whatever order an agent dies and somebody takes things away, a tunnel is up only after the armer had it.
func TestTunnelIsGuardedBeforeItIsUp(t *testing.T) {
	host, dir := newHost(), memoryDir(t)
	var arms []string
	open := func(j *Journal) {
		j.SetTunnelArmer(func(link string) error {
			arms = append(arms, link+" "+host.states["tunnel "+link])
			return nil
		})
		if err := j.AddTunnel(4789); err != nil {
			t.Error(err)
		}
	}
	host.process(t, dir, open)
	host.process(t, dir, func(j *Journal) {
		open(j) // another agent finds it as it should be
		delete(host.states, "tunnel muster-4789")
		if told := j.Restore(); len(told) != 1 || told[0].Err != nil {
			t.Errorf("told %+v", told)
		}
		host.states["tunnel muster-4789"] = Down
		if told := j.Restore(); len(told) != 1 || told[0].Err != nil {
			t.Errorf("told %+v", told)
		}
		if host.states["tunnel muster-4789"] != Present {
			t.Errorf("it is %v", host.states)
		}
	})
	if want := slices.Repeat([]string{"muster-4789 down"}, 3); !slices.Equal(arms, want) {
		t.Errorf("armed %q, want %q", arms, want)
	}
	host.process(t, dir, undo(t))
	if len(host.states) != 0 {
		t.Errorf("left behind: %v", host.states)
	}
}

func TestTunnelWithoutAGuardStaysDown(t *testing.T) {
	host, dir := newHost(), memoryDir(t)
	host.process(t, dir, func(j *Journal) {
		j.SetTunnelArmer(func(string) error { return errBusy })
		if err := j.AddTunnel(4789); !errors.Is(err, errBusy) {
			t.Errorf("got %v", err)
		}
		if host.states["tunnel muster-4789"] == Present {
			t.Error("it is up")
		}
	})
	host.process(t, dir, undo(t))
	if len(host.states) != 0 {
		t.Errorf("left behind: %v", host.states)
	}
}

func TestTunnelUndoAfterDeathAtEveryStep(t *testing.T) {
	for _, after := range []bool{false, true} {
		for step := 1; step <= 2; step++ {
			t.Run(fmt.Sprintf("step %d after=%v", step, after), func(t *testing.T) {
				host, dir := newHost(), memoryDir(t)
				host.dieAt, host.after = step, after
				if host.process(t, dir, func(j *Journal) { _ = j.AddTunnel(4789) }) {
					t.Fatal("did not die: the test does not test what it says")
				}
				host.revive()
				host.process(t, dir, undo(t))
				if len(host.states) != 0 || Exists(dir) {
					t.Errorf("left behind: %v, journal %v", host.states, Exists(dir))
				}
			})
		}
	}
}

// TestAStrangersTunnelIsLeftAlone: a device that is there before us belongs to another agent, and is neither used nor removed.
func TestAStrangersTunnelIsLeftAlone(t *testing.T) {
	host, dir := newHost(), memoryDir(t)
	host.states["tunnel muster-4789"] = Present
	host.process(t, dir, func(j *Journal) {
		if err := j.AddTunnel(4789); !errors.Is(err, ErrInTheWay) {
			t.Errorf("got %v", err)
		}
	})
	host.process(t, dir, undo(t))
	if host.states["tunnel muster-4789"] != Present {
		t.Error("it has been removed")
	}
}

func TestTunnelsThatAJournalMayNotName(t *testing.T) {
	for _, link := range []string{"", "eth0", "muster-", "muster-0", "muster-80", "muster-65536", "muster-04789", "muster-4789x", "muster-47890000", "docker0"} {
		c := Change{Kind: KindTunnel, Link: link, Want: Present, Found: Absent}
		if err := c.validate(); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: got %v", link, err)
		}
	}
	good := Change{Kind: KindTunnel, Link: TunnelName(4789), Want: Present, Found: Absent}
	if err := good.validate(); err != nil {
		t.Error(err)
	}
}

func TestTunnelOnARealHost(t *testing.T) {
	inNamespace(t)
	dir := t.TempDir()
	j, err := Open(dir, discard())
	mustDo(t, err)
	defer j.Close()
	up := -1
	j.SetTunnelArmer(func(name string) error {
		link, err := net.InterfaceByName(name)
		if err == nil {
			up = int(link.Flags & net.FlagUp)
		}
		return err
	})
	mustDo(t, j.AddTunnel(4789))
	if up != 0 {
		t.Error("the armer found it up")
	}
	link, err := netlink.LinkByName("muster-4789")
	mustDo(t, err)
	device, ok := link.(*netlink.Vxlan)
	if !ok || !device.FlowBased || device.Port != 4789 || link.Attrs().Flags&net.FlagUp == 0 {
		t.Errorf("made %+v", link)
	}
	mustDo(t, netlink.LinkDel(link))
	if told := j.Restore(); len(told) != 1 || told[0].Err != nil {
		t.Errorf("told %+v", told)
	}
	again, err := netlink.LinkByName("muster-4789")
	mustDo(t, err)
	if again.Attrs().Index == link.Attrs().Index {
		t.Error("it is still the one that was removed")
	}
	mustDo(t, netlink.LinkSetDown(again)) // somebody else's doing; it is ours all the same
	mustDo(t, j.Undo())
	if _, err := netlink.LinkByName("muster-4789"); err == nil {
		t.Error("it is left behind")
	}
}

// TestTunnelPortInUse: the kernel opens the port when the device is set up; whose it is already keeps it.
func TestTunnelPortInUse(t *testing.T) {
	inNamespace(t)
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{Port: 4789})
	mustDo(t, err)
	defer conn.Close()
	j, err := Open(t.TempDir(), discard())
	mustDo(t, err)
	defer j.Close()
	if err := j.AddTunnel(4789); err == nil {
		t.Error("no error")
	}
	mustDo(t, j.Undo())
	if _, err := netlink.LinkByName("muster-4789"); err == nil {
		t.Error("it is left behind")
	}
}
