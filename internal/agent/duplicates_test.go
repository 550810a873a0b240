package agent_test

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	pkt "github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/lab"
)

// steal gives a client an address of the cluster, as somebody does who mistypes his own.
func steal(t *testing.T, from *lab.Node, prefix string) (giveBack func()) {
	t.Helper()
	change := func(f func(netlink.Link, *netlink.Addr) error) error {
		return from.Do(func() error {
			eth, err := netlink.LinkByName("eth0")
			if err != nil {
				return err
			}
			addr, err := netlink.ParseAddr(prefix)
			if err != nil {
				return err
			}
			if addr.IP.To4() == nil {
				addr.Flags = unix.IFA_F_NODAD // he does not look whether somebody has it
			}
			return f(eth, addr)
		})
	}
	if err := change(netlink.AddrAdd); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := change(netlink.AddrDel); err != nil {
			t.Error(err)
		}
	}
}

// say sends frames from a client.
func say(t *testing.T, from *lab.Node, frames ...[]byte) {
	t.Helper()
	err := from.Do(func() error {
		eth, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		conn, err := pkt.Listen(eth, pkt.Raw, 0, nil)
		if err != nil {
			return err
		}
		defer conn.Close()
		for _, f := range frames {
			if _, err := conn.WriteTo(f, &pkt.Addr{HardwareAddr: f[:6]}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func nodeMAC(t *testing.T, n *lab.Node) (mac net.HardwareAddr) {
	t.Helper()
	err := n.Do(func() error {
		eth, err := net.InterfaceByName("eth0")
		if err == nil {
			mac = eth.HardwareAddr
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return mac
}

// stranger waits until a host tells of somebody who claims an address, and gives what it says.
func stranger(t *testing.T, h *lab.Host, address string) (d api.DuplicateStatus) {
	t.Helper()
	eventually(t, patience, "host "+h.Name()+" tells who claims "+address, func() error {
		s, err := ask(h)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(s.Duplicates, func(d api.DuplicateStatus) bool { return d.Address == address && d.Where != "" })
		if i < 0 {
			return fmt.Errorf("it tells of %+v", s.Duplicates)
		}
		d = s.Duplicates[i]
		if !slices.ContainsFunc(s.Problems, func(p api.Problem) bool { return strings.Contains(p.What, address) && p.Remedy != "" }) {
			return fmt.Errorf("no problem names it: %+v", s.Problems)
		}
		return nil
	})
	return d
}

func TestAStrangerThatClaimsAVIPIsNamedAndContradicted(t *testing.T) {
	l := machines(t, lab.Options{Hosts: 3, Clients: 2})
	vip := lab.VIP().Addr()
	said := saidBy(t, l.Client(1), vip, l.Hosts()...)
	if err := l.StartWeb(); err != nil {
		t.Fatal(err)
	}
	if err := l.StartAll(); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
	mustServe(t, l, "a", "b", "c")
	fellSilent(t, said)
	thief, quiet := l.Client(2), said.Load()
	mac := nodeMAC(t, thief)
	say(t, thief, arpFrame(mac, 1, mac, vip, vip))
	for _, h := range l.Hosts() {
		d := stranger(t, h, vip.String())
		if d.MAC != mac.String() || !strings.Contains(d.Where, "eth0") || !strings.Contains(d.Policy, "announced again") {
			t.Errorf("host %s tells %+v, want %s on eth0, announced again", h.Name(), d, mac)
		}
	}
	eventually(t, atOnce, "contradicted", func() error {
		if said.Load() == quiet {
			return fmt.Errorf("nobody has said anything")
		}
		return nil
	})
	// The client believed the stranger, and is taught better.
	eventually(t, patience, "the client knows the director again", func() error {
		got, err := neighbour(l, vip.String())
		if err == nil && got == mac.String() {
			err = fmt.Errorf("it knows the stranger")
		}
		return err
	})
	mustServe(t, l, "a", "b", "c")
	for _, h := range l.Hosts() {
		if list := events(t, h, "duplicate"); len(list) != 1 {
			t.Errorf("host %s told %d times: %+v", h.Name(), len(list), list)
		}
	}
}

func TestAHostsOwnAddressIsDefended(t *testing.T) {
	l := machines(t, lab.Options{Hosts: 2, Clients: 1})
	if err := l.StartWeb(); err != nil {
		t.Fatal(err)
	}
	if err := l.StartAll(); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
	thief, b := l.Client(1), l.Host("b")
	mac := nodeMAC(t, thief)
	say(t, thief, arpFrame(mac, 2, mac, b.Address(), b.Address()))
	d := stranger(t, b, b.Address().String())
	if d.MAC != mac.String() || !strings.Contains(d.What, "own address") {
		t.Errorf("told %+v, want %s and that it is the host's own", d, mac)
	}
	eventually(t, patience, "host a knows b again", func() error {
		var known string
		err := l.Host("a").Do(func() error {
			list, err := netlink.NeighList(0, netlink.FAMILY_V4)
			for _, n := range list {
				if n.IP.String() == b.Address().String() {
					known = n.HardwareAddr.String()
				}
			}
			return err
		})
		if err == nil && known == mac.String() {
			err = fmt.Errorf("it knows %s", known)
		}
		return err
	})
	if n := len(status(t, l.Host("a")).Duplicates); n > 0 {
		t.Errorf("host a tells of %d strangers", n)
	}
}

const yielding = `cluster: shop
secret_file: secret.key
hosts:
{{- range .Hosts}}
  {{.Name}}: {address: {{.Address}}}
{{- end}}
vips:
  web:
    address: {{.VIP}}
    duplicates: yield
    rules:
      - {ports: [7]}
`

func TestAVIPIsYieldedWhereTheConfigurationSaysSo(t *testing.T) {
	l := machines(t, lab.Options{Hosts: 2, Clients: 2, Config: yielding})
	if err := l.StartAll(); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
	eventually(t, patience, "the VIP is answered for", func() error { return answeredBy(t, l, 1) })
	thief := l.Client(2)
	mac := nodeMAC(t, thief)
	vip := lab.VIP().Addr()
	say(t, thief, arpFrame(mac, 1, mac, vip, vip))
	for _, h := range l.Hosts() {
		if d := stranger(t, h, vip.String()); !strings.Contains(d.Policy, "left to him") {
			t.Errorf("host %s tells %+v", h.Name(), d)
		}
	}
	eventually(t, patience, "nobody answers", func() error { return answeredBy(t, l, 0) })
}

// answeredBy wants that many machines to answer for the VIP.
func answeredBy(t *testing.T, l *lab.Lab, want int) error {
	if who := claimants(t, l.Client(1), lab.VIP().Addr()); len(who) != want {
		return fmt.Errorf("answered by %v, want %d", who, want)
	}
	return nil
}

func TestAnAddressThatAStrangerHasAlreadyIsNotClaimed(t *testing.T) {
	l := machines(t, lab.Options{Hosts: 2, Clients: 2})
	vip := lab.VIP().Addr()
	giveBack := steal(t, l.Client(2), vip.String()+"/32")
	theirs := nodeMAC(t, l.Client(2)).String()
	if err := l.StartAll(); err != nil {
		t.Fatal(err)
	}
	for _, h := range l.Hosts() {
		if d := stranger(t, h, vip.String()); d.MAC != theirs || !strings.Contains(d.Policy, "who had it first") {
			t.Errorf("host %s tells %+v", h.Name(), d)
		}
	}
	members(t, l.Host("a"), "a", "b")
	if who := claimants(t, l.Client(1), vip); len(who) != 1 || who[theirs] == 0 {
		t.Errorf("%v have the address, want the stranger alone", who)
	}
	giveBack()
}

func TestOwnHostsAreNeverTakenForStrangers(t *testing.T) {
	l := farm(t, "")
	b := l.Host("b")
	// A partition in which both sides announce, a new card, a killed agent that comes back.
	if err := l.Partition([]string{"a", "c1"}, []string{"b", "c"}); err != nil {
		t.Fatal(err)
	}
	members(t, b, "b", "c")
	if err := l.Heal(); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
	if err := b.RemoveCard(); err != nil {
		t.Fatal(err)
	}
	if err := b.AddCard(net.HardwareAddr{2, 0x4d, 9, 9, 9, 3}); err != nil {
		t.Fatal(err)
	}
	eventually(t, patience, "host b serves", func() error { return servesOn(l, b) })
	kill(t, l.Host("a"))
	members(t, b, "b", "c")
	start(t, l, "a")
	time.Sleep(2 * time.Second) // longer than a suspicion lasts
	for _, h := range l.Hosts() {
		if list := events(t, h, "duplicate"); len(list) > 0 {
			t.Errorf("host %s took its own for strangers: %+v", h.Name(), list)
		}
	}
}
