package agent_test

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/delivery"
	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/internal/lab/load"
)

// ofMode is the example farm with another delivery.
func ofMode(m delivery.Mode) string {
	return strings.Replace(lab.DefaultConfig, "delivery: directed", "delivery: "+m.String(), 1)
}

// bystander is a machine that has no part in anything: it counts what the switch floods to it.
type bystander struct {
	frames map[string]*atomic.Int64 // by destination
	tcp    map[string]*atomic.Int64 // of these those with TCP in them
}

// watch counts frames to some MACs at a node's card until the test ends. It joins no group and asks for nothing.
func watch(t *testing.T, n *lab.Node, macs ...net.HardwareAddr) *bystander {
	t.Helper()
	b := &bystander{frames: map[string]*atomic.Int64{}, tcp: map[string]*atomic.Int64{}}
	for _, m := range macs {
		b.frames[m.String()], b.tcp[m.String()] = new(atomic.Int64), new(atomic.Int64)
	}
	go eachFrame(capture(t, n, unix.ETH_P_ALL), func(frame []byte) {
		if len(frame) < 34 {
			return
		}
		to := net.HardwareAddr(frame[:6]).String()
		if c := b.frames[to]; c != nil {
			c.Add(1)
			if frame[12] == 8 && frame[13] == 0 && frame[23] == unix.IPPROTO_TCP {
				b.tcp[to].Add(1)
			}
		}
	})
	return b
}

// seen is how many frames with TCP in them have come for a MAC.
func (b *bystander) seen(m net.HardwareAddr) int64 { return b.tcp[m.String()].Load() }

// farmWithBystander is three hosts that serve, a client, and a second one that nobody has to do with.
func farmWithBystander(t *testing.T, m delivery.Mode) *lab.Lab {
	t.Helper()
	l := machines(t, lab.Options{Hosts: 3, Clients: 2, Config: ofMode(m)})
	if err := l.StartWeb(); err != nil {
		t.Fatal(err)
	}
	if err := l.StartAll(); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
	return l
}

// served makes connections and wants each host to get some.
func served(t *testing.T, l *lab.Lab) {
	t.Helper()
	seen := map[string]int{}
	for range 30 {
		name, err := greeting(l, 0, target(7))
		if err != nil {
			t.Fatal(err)
		}
		seen[name]++
	}
	if len(seen) != 3 {
		t.Errorf("served by %v, want three hosts", seen)
	}
}

// snoopByMAC makes the switch pass frames to a group's MAC to those ports only at which it has heard a membership, as switches do that look groups up
// by MAC address. What it knows of memberships is the bridge's own snooping.
func snoopByMAC(t *testing.T, l *lab.Lab, group delivery.Target) (end func()) {
	t.Helper()
	nodes := []string{"a", "b", "c", "c1", "c2"}
	withheld := map[string]bool{}
	look := func() error {
		members, err := l.Members(group.Group)
		if err != nil {
			return err
		}
		for _, n := range nodes {
			if on := !slices.Contains(members, n); on != withheld[n] {
				withheld[n] = on
				if err := l.Withhold(n, group.MAC, on); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if err := look(); err != nil {
		t.Fatal(err)
	}
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for ticker := time.NewTicker(100 * time.Millisecond); ; {
			select {
			case <-quit:
				return
			case <-ticker.C:
			}
			if err := look(); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-ended
		for _, n := range nodes {
			if err := l.Withhold(n, group.MAC, false); err != nil {
				t.Error(err)
			}
		}
	}
}

// joined waits until the switch has heard exactly these hosts join.
func joined(t *testing.T, l *lab.Lab, group netip.Addr, want ...string) {
	t.Helper()
	eventually(t, patience, fmt.Sprintf("members of %v are %v", group, want), func() error {
		got, err := l.Members(group)
		if err == nil && !slices.Equal(got, want) {
			return fmt.Errorf("they are %v", got)
		}
		return err
	})
}

// The switch floods what it cannot know by unicast and multicast; by IGMP, where it snoops by MAC address, a port that is no member gets nothing.
// That holds for longer than memberships last that nobody renews, and for a host whose agent was killed.
func TestWhatTheSwitchFloods(t *testing.T) {
	const every = time.Second
	l := farmWithBystander(t, delivery.Unicast)
	mode := delivery.Unicast
	change := func(t *testing.T, to delivery.Mode) delivery.Target {
		t.Helper()
		if mode != to {
			deliver(t, l, mode, to)
			mode = to
		}
		told(t, l, targetOf(to).MAC.String())
		return targetOf(to)
	}
	floods := func(t *testing.T, to delivery.Target) {
		t.Helper()
		by := watch(t, l.Client(2), to.MAC)
		served(t, l)
		eventually(t, patience, "the bystander has seen every connection", func() error {
			if n := by.seen(to.MAC); n < 30 {
				return fmt.Errorf("%d frames of 30 connections", n)
			}
			return nil
		})
		notLearnt(t, l)
	}
	spares := func(t *testing.T, to delivery.Target) {
		t.Helper()
		by := watch(t, l.Client(2), to.MAC)
		served(t, l)
		pass(t, settle)
		if n := by.seen(to.MAC); n > 0 {
			t.Errorf("the bystander has seen %d frames, want none", n)
		}
		notLearnt(t, l)
	}
	t.Run("unicast floods", func(t *testing.T) { floods(t, change(t, delivery.Unicast)) })
	t.Run("multicast floods", func(t *testing.T) { floods(t, change(t, delivery.Multicast)) })
	t.Run("igmp floods without snooping", func(t *testing.T) { floods(t, change(t, delivery.IGMP)) })
	igmp := change(t, delivery.IGMP)
	t.Run("igmp spares ports that a Linux bridge floods no multicast to", func(t *testing.T) {
		if err := l.FloodMulticast("c2", false); err != nil {
			t.Fatal(err)
		}
		spares(t, igmp)
		if err := l.FloodMulticast("c2", true); err != nil {
			t.Fatal(err)
		}
	})
	if err := l.Snoop(lab.Snooping{On: true, Querier: true, Every: every}); err != nil {
		t.Fatal(err)
	}
	joined(t, l, igmp.Group, "a", "b", "c")
	t.Run("igmp spares ports on a Linux bridge that snoops and was told where the hosts are", func(t *testing.T) {
		routers(t, l, "a", "b", "c")
		by := watch(t, l.Client(2), igmp.MAC)
		eventually(t, patience, "the new querier counts", func() error { // until then a bridge floods
			before := by.seen(igmp.MAC)
			if _, err := greeting(l, 0, target(7)); err != nil {
				return err
			}
			pass(t, settle)
			if n := by.seen(igmp.MAC) - before; n > 0 {
				return fmt.Errorf("the bystander has seen %d frames", n)
			}
			return nil
		})
		spares(t, igmp)
	})
	routers(t, l, "a", "b", "c", "c1", "c2") // every frame goes to every port again, so that what follows decides
	end := snoopByMAC(t, l, igmp)
	defer end()
	t.Run("igmp spares other ports with snooping and a querier", func(t *testing.T) { spares(t, igmp) })
	t.Run("memberships are renewed", func(t *testing.T) {
		conns := echoes(t, l, 60)
		pass(t, 4*every) // without an answer to the querier a membership lasts three of its intervals
		joined(t, l, igmp.Group, "a", "b", "c")
		if bad := broken(conns.stop(t)); len(bad) > 0 {
			t.Errorf("%d connections broke, the first: %+v", len(bad), bad[0])
		}
		spares(t, igmp)
	})
	t.Run("a killed agent's host stays a member", func(t *testing.T) {
		conns := echoes(t, l, 60)
		kill(t, l.Host("b"))
		members(t, l.Host("a"), "a", "c")
		pass(t, 4*every)
		joined(t, l, igmp.Group, "a", "b", "c")
		if bad := broken(conns.stop(t)); len(bad) > 0 {
			t.Errorf("%d connections broke, the first: %+v", len(bad), bad[0])
		}
		start(t, l, "b")
	})
	t.Run("a host that stops leaves the group", func(t *testing.T) {
		muster(t, l.Host("c"), "stop", "--deadline", "1s")
		joined(t, l, igmp.Group, "a", "b")
		start(t, l, "c")
		joined(t, l, igmp.Group, "a", "b", "c")
	})
}

// routers makes the switch hand all multicast to nodes: a Linux bridge that snoops looks groups up by the packet's IP address, and what it does not
// find there goes to such ports only.
func routers(t *testing.T, l *lab.Lab, nodes ...string) {
	t.Helper()
	for _, n := range nodes {
		if err := l.RouterPort(n, true); err != nil {
			t.Fatal(err)
		}
	}
}

// settle is how long a bystander may take to count what has come.
const settle = 300 * time.Millisecond

// pass lets time pass that the network, not the test, needs.
func pass(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// A dead host's clients are reset at once and the others' go on, whatever the delivery.
func TestPowerCutInEveryDelivery(t *testing.T) {
	l := farm(t, ofMode(delivery.Unicast))
	before := delivery.Unicast
	for _, m := range []delivery.Mode{delivery.Unicast, delivery.Multicast, delivery.IGMP} {
		t.Run(m.String(), func(t *testing.T) {
			if m != before {
				deliver(t, l, before, m)
				before = m
			}
			told(t, l, targetOf(m).MAC.String())
			conns := echoes(t, l, 150)
			dead := l.Host(status(t, l.Host("a")).VIPs[0].Director)
			had := perHost(conns.all(), load.Open)[dead.Name()]
			if had == 0 {
				t.Fatal("no connection is at the host that will die")
			}
			at, err := dead.PowerCut()
			if err != nil {
				t.Fatal(err)
			}
			eventually(t, patience, "its clients know", func() error {
				if n := len(broken(conns.all())); n < had {
					return fmt.Errorf("%d of %d", n, had)
				}
				return nil
			})
			if _, err := greeting(l, 0, target(7)); err != nil {
				t.Errorf("a new connection after the power cut: %v", err)
			}
			all := conns.stop(t)
			if other := broken(all, dead.Name()); len(other) > 0 {
				t.Errorf("%d connections to other hosts broke: %+v", len(other), other[0])
			}
			for _, r := range broken(all) {
				if late := conns.at(r).Sub(at); r.Class != load.Reset || late > 3*time.Second {
					t.Errorf("connection %d ended by %s after %v, want a reset at once", r.Conn, r.Class, late)
				}
			}
			if err := dead.PowerOn(); err != nil {
				t.Fatal(err)
			}
			ready(t, l)
		})
	}
}
