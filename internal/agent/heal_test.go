package agent_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/lab"
)

func TestWhatSomebodyTakesAwayIsPutBackAndTold(t *testing.T) {
	l := farm(t, "")
	b := l.Host("b")
	conns := echoes(t, l, 60)
	good := footprint(t, l, b)
	for _, fault := range []struct {
		name string
		make func(t *testing.T)
		told string
	}{
		{"VIP removed from lo", func(t *testing.T) { removeAddress(t, b, "lo", "10.77.0.100/32") }, "10.77.0.100/32"},
		{"arp_ignore changed", func(t *testing.T) { setSysctl(t, b, "eth0/arp_ignore", "0") }, "arp_ignore"},
		{"arp_announce changed", func(t *testing.T) { setSysctl(t, b, "eth0/arp_announce", "0") }, "arp_announce"},
		{"ingress program detached", func(t *testing.T) { detach(t, b, "ingress") }, "ingress"},
		{"egress program detached", func(t *testing.T) { detach(t, b, "egress") }, "egress"},
		{"route to the VIP deleted", func(t *testing.T) { deleteRoute(t, b, "10.77.0.100/32") }, "not routed"},
		{"lo switched off and the route deleted", func(t *testing.T) { deleteRoute(t, b, "10.77.0.100/32"); switchOff(t, b, "lo") }, "not routed"},
		{"the host's own address removed", func(t *testing.T) { removeAddress(t, b, "eth0", "10.77.0.2/24") }, "10.77.0.2/24"},
		{"pin of the lease removed", func(t *testing.T) { removePin(t, b, "lease") }, "lease"},
		{"pin of a program's link removed", func(t *testing.T) { removePin(t, b, "ingress-*") }, "ingress"},
		{"file system of the pins unmounted", func(t *testing.T) { unmount(t, b, "bpf") }, "mount bpf"},
	} {
		t.Run(fault.name, func(t *testing.T) {
			before := len(events(t, b, "drift"))
			fault.make(t)
			if now := footprint(t, l, b); now == good {
				t.Fatal("nothing has changed: the test sees nothing")
			}
			eventually(t, 5*time.Second, "put back", func() error {
				if now := footprint(t, l, b); now != good {
					return fmt.Errorf("not as before: %s", differences(good, now))
				}
				return nil
			})
			eventually(t, 5*time.Second, "told", func() error {
				list := events(t, b, "drift")[before:]
				if !slices.ContainsFunc(list, func(e api.Event) bool { return strings.Contains(e.Text, fault.told) }) {
					return fmt.Errorf("events %+v do not name %s", list, fault.told)
				}
				return nil
			})
			if s := status(t, b); !slices.ContainsFunc(s.Problems, func(p api.Problem) bool { return strings.Contains(p.What, fault.told) }) {
				t.Errorf("problems %+v do not name %s", s.Problems, fault.told)
			}
		})
	}
	mustServe(t, l, "a", "b", "c")
	if bad := broken(conns.stop(t)); len(bad) > 0 {
		t.Errorf("%d connections broke, the first: %+v", len(bad), bad[0])
	}
}

// differences are the lines that only one of two footprints has.
func differences(before, after string) string {
	var list []string
	a, b := strings.Split(before, "\n"), strings.Split(after, "\n")
	for _, line := range a {
		if !slices.Contains(b, line) {
			list = append(list, "missing: "+line)
		}
	}
	for _, line := range b {
		if !slices.Contains(a, line) {
			list = append(list, "new: "+line)
		}
	}
	return strings.Join(list, "; ")
}

func deleteRoute(t *testing.T, h *lab.Host, prefix string) {
	t.Helper()
	to, err := netlink.ParseIPNet(prefix)
	if err != nil {
		t.Fatal(err)
	}
	err = h.Do(func() error {
		return netlink.RouteDel(&netlink.Route{Dst: to, Table: unix.RT_TABLE_LOCAL, Type: unix.RTN_LOCAL, Scope: netlink.SCOPE_HOST})
	})
	if err != nil {
		t.Fatal(err)
	}
}

func switchOff(t *testing.T, h *lab.Host, name string) {
	t.Helper()
	err := h.Do(func() error {
		link, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		return netlink.LinkSetDown(link)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// removePin deletes a pin of the filter, as somebody does who tidies up.
func removePin(t *testing.T, h *lab.Host, name string) {
	t.Helper()
	pins, err := filepath.Glob(filepath.Join(h.RunDir(), "bpf", "filter", name))
	if err != nil || len(pins) != 1 {
		t.Fatalf("pins %s: %v, %v; want one", name, pins, err)
	}
	if err := os.Remove(pins[0]); err != nil {
		t.Fatal(err)
	}
}

func unmount(t *testing.T, h *lab.Host, below string) {
	t.Helper()
	if err := unix.Unmount(filepath.Join(h.RunDir(), below), unix.MNT_DETACH); err != nil {
		t.Fatal(err)
	}
}

func setSysctl(t *testing.T, h *lab.Host, name, value string) {
	t.Helper()
	err := h.Do(func() error { return os.WriteFile("/proc/sys/net/ipv4/conf/"+name, []byte(value), 0o644) })
	if err != nil {
		t.Fatal(err)
	}
}

// detach takes a program off a host's interface, as `bpftool link detach` does.
func detach(t *testing.T, h *lab.Host, direction string) {
	t.Helper()
	pins, err := filepath.Glob(filepath.Join(h.RunDir(), "bpf", "filter", "*"+direction+"*"))
	if err != nil || len(pins) != 1 {
		t.Fatalf("pins of %s: %v, %v; want one", direction, pins, err)
	}
	l, err := link.LoadPinnedLink(pins[0], &ebpf.LoadPinOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.Detach(); err != nil {
		t.Fatal(err)
	}
}

func TestKilledGuardIsStartedAgain(t *testing.T) {
	l := farm(t, "")
	b := l.Host("b")
	agent, err := b.Agent()
	if err != nil {
		t.Fatal(err)
	}
	guard := func() int {
		for _, pid := range agents(t, b) {
			if pid != agent.PID() {
				return pid
			}
		}
		return 0
	}
	first := guard()
	if err := unix.Kill(first, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	logged(t, b, "guard process runs again")
	if pid := guard(); pid == 0 || pid == first {
		t.Errorf("guard is %d", pid)
	}
	// It does what the first would have done.
	at := kill(t, b)
	members(t, l.Host("a"), "a", "c")
	if took := lastEvent(t, l.Host("a"), "host_left").At.Sub(at); took > patience {
		t.Errorf("b was gone %v after the kill", took)
	}
	if silent := events(t, l.Host("a"), "host_silent"); len(silent) > 0 {
		t.Errorf("the others noticed by silence: %+v", silent)
	}
}
