package agent_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/internal/vip"
)

// behindBridge puts a host's card into a bridge that has its addresses from then on, as on a host with virtual machines.
func behindBridge(t *testing.T, h *lab.Host) {
	t.Helper()
	for _, args := range [][]string{
		{"link", "add", "br0", "address", macOf(t, h), "type", "bridge", "mcast_snooping", "0"},
		{"addr", "flush", "dev", "eth0"},
		{"link", "set", "eth0", "master", "br0"},
		{"link", "set", "br0", "up"},
		{"addr", "add", h.Address().String() + "/24", "dev", "br0"},
		{"addr", "add", h.Address6().String() + "/64", "dev", "br0", "nodad"},
	} {
		ip(t, h.Node, args...)
	}
}

// TestAStrangerThatClaimsAnIPv6VIPIsNamedAndContradicted: he says it by an unsolicited advertisement that overrides what the neighbours know.
// A host whose interface is a bridge says at which of its ports he is.
func TestAStrangerThatClaimsAnIPv6VIPIsNamedAndContradicted(t *testing.T) {
	l := machines(t, lab.Options{Hosts: 3, Clients: 2, Config: sixFarm})
	b, thief, address := l.Host("b"), l.Client(2), lab.VIP6().Addr()
	said := saidBy(t, l.Client(1), address, l.Hosts()...)
	behindBridge(t, b)
	if err := errors.Join(l.StartWeb(), l.StartAll()); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
	serves := func() error { _, err := greeting(l, 0, target6(7)); return err }
	eventually(t, patience, "service by IPv6", serves)
	fellSilent(t, said)
	mac, quiet := nodeMAC(t, thief), said.Load()
	frames, err := vip.Announcements(address, mac, mac)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, patience, "the client believes the stranger", func() error {
		say(t, thief, frames...)
		got, err := neighbour6(l)
		if err == nil && got != mac.String() {
			err = fmt.Errorf("it knows %s", got)
		}
		return err
	})
	for _, h := range l.Hosts() {
		where := "on eth0"
		if h.Name() == b.Name() {
			where = "on br0, at its port eth0"
		}
		if d := stranger(t, h, address.String()); d.MAC != mac.String() || !strings.HasPrefix(d.Where, where) || !strings.Contains(d.Policy, "announced again") {
			t.Errorf("host %s tells %+v, want %s %s, announced again", h.Name(), d, mac, where)
		}
	}
	director := status(t, l.Host("a")).VIPs[1].Director
	want := macOf(t, l.Host(director))
	eventually(t, atOnce, "contradicted", func() error {
		if said.Load() == quiet {
			return errors.New("nobody has said anything")
		}
		return nil
	})
	eventually(t, atOnce, "the client knows the director again", func() error {
		got, err := neighbour6(l)
		if err == nil && got != want {
			err = fmt.Errorf("it knows %s, host %s has %s", got, director, want)
		}
		return err
	})
	eventually(t, patience, "service by IPv6", serves)
	for _, h := range l.Hosts() {
		if list := events(t, h, "duplicate"); len(list) != 1 {
			t.Errorf("host %s told %d times: %+v", h.Name(), len(list), list)
		}
		if s := status(t, h); s.VIPs[1].Director != director || s.Filter.Counters["nd_conflict"] == 0 {
			t.Errorf("host %s says that %s directs, was %s; %d claims counted", h.Name(), s.VIPs[1].Director, director, s.Filter.Counters["nd_conflict"])
		}
	}
}
