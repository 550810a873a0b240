package heartbeat

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/multicast"
)

// drawAddresses gives what a host may say of a network: nothing, or addresses of either family.
func drawAddresses(t *rapid.T) (Kinds, netip.Addr, netip.Addr) {
	host, group := [16]byte{0xfe, 0x80}, [16]byte{0xff, 0x15, 12: 0x80}
	host[15], group[15] = rapid.Byte().Draw(t, "address"), rapid.Byte().Draw(t, "group")
	has := Kinds(rapid.Uint8Max(uint8(allKinds)).Draw(t, "kinds"))
	switch rapid.IntRange(0, 2).Draw(t, "family") {
	case 1:
		return has, netip.AddrFrom4([4]byte{10, 0, 0, host[15]}), netip.AddrFrom4([4]byte{239, 0, 0, group[15]})
	case 2:
		return has, netip.AddrFrom16(host), netip.AddrFrom16(group)
	}
	return has, netip.Addr{}, netip.Addr{}
}

func TestWordsOfBothFamilies(t *testing.T) {
	addr := netip.MustParseAddr
	for _, w := range []Word{
		{Network: 1},
		{Network: 1, Kinds: FourBytes | LinkLocal, Addr: addr("10.0.0.1"), Group: multicast.Group{Address: addr("239.255.0.1"), Version: 3, How: multicast.Random}},
		{Network: 1, Kinds: LinkLocal, Addr: addr("fe80::1"), Group: multicast.Group{Address: addr("ff15::8000:1"), Version: 3, How: multicast.Random}, Stranger: true},
		{Network: 1, Kinds: Routed, Addr: addr("2001:db8::1"), Hears: 5, Direct: 2},
	} {
		m := usualMessage(3)
		m.Words = []Word{w}
		b, err := m.Append(nil)
		if err != nil {
			t.Errorf("%+v: %v", w, err)
			continue
		}
		if got, err := Parse(b); err != nil || !reflect.DeepEqual(got.Words, m.Words) {
			t.Errorf("%+v is read as %+v, %v", w, got.Words, err)
		}
	}
}

// What cannot be written is not read either: every address has one spelling.
func TestWordsThatAreRefused(t *testing.T) {
	good := appendWords(nil, []Word{{Network: 1, Kinds: LinkLocal, Addr: netip.MustParseAddr("fe80::1")}})
	if r := (&reader{rest: good}); len(r.words()) != 1 || r.err != nil {
		t.Fatal(r.err)
	}
	const kindsAt, lengthAt, addressAt, groupAt = 2, 3, 4, 20
	for name, change := range map[string]func([]byte) []byte{
		"kind that is not known": func(b []byte) []byte { b[kindsAt] = 8; return b },
		"length of no family":    func(b []byte) []byte { b[lengthAt] = 15; return b },
		"longer than there is":   func(b []byte) []byte { b[lengthAt] = 255; return b },
		"address of zeros":       func(b []byte) []byte { clear(b[addressAt:groupAt]); return b },
		"IPv4 in sixteen bytes": func(b []byte) []byte {
			copy(b[addressAt:], "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff")
			return b
		},
		"group that is a host":     func(b []byte) []byte { return append(b[:groupAt], append([]byte{4, 10, 0, 0, 1}, b[groupAt+1:]...)...) },
		"zeros of IPv4 as a group": func(b []byte) []byte { return append(b[:groupAt], append([]byte{4, 0, 0, 0, 0}, b[groupAt+1:]...)...) },
	} {
		r := &reader{rest: change(append([]byte{}, good...))}
		if r.words(); !errors.Is(r.err, ErrMalformed) {
			t.Errorf("%s: %v", name, r.err)
		}
	}
}

func TestNetworkUsesTheKindThatAllHave(t *testing.T) {
	for _, tc := range []struct {
		name   string
		own    Kinds
		others []Kinds
		want   Kinds
	}{
		{"nothing", 0, nil, 0},
		{"alone", allKinds, nil, FourBytes},
		{"the others have not said", LinkLocal | Routed, []Kinds{0, 0}, Routed},
		{"all have IPv4", allKinds, []Kinds{FourBytes | LinkLocal, FourBytes}, FourBytes},
		{"one has no IPv4", allKinds, []Kinds{allKinds, Routed | LinkLocal}, Routed},
		{"one has what the kernel made alone", allKinds, []Kinds{allKinds, LinkLocal}, LinkLocal},
		{"this one has no IPv4", LinkLocal, []Kinds{allKinds, allKinds}, LinkLocal},
		{"nothing in common", FourBytes, []Kinds{LinkLocal}, FourBytes},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.own.best(tc.others); got != tc.want {
				t.Errorf("kind %b, want %b", got, tc.want)
			}
		})
	}
	// Hosts that have something in common and know each other choose the same.
	rapid.Check(t, func(t *rapid.T) {
		hosts := rapid.SliceOfN(rapid.Map(rapid.Uint8Range(1, uint8(allKinds)), func(n uint8) Kinds { return Kinds(n) }), 2, 8).Draw(t, "hosts")
		common := allKinds
		for _, has := range hosts {
			common &= has
		}
		for _, has := range hosts {
			if got := has.best(hosts); common != 0 && got != hosts[0].best(hosts) || got&has == 0 {
				t.Fatalf("host with %b of %b chooses %b", has, hosts, got)
			}
		}
	})
}

func TestAddressesOfAnInterface(t *testing.T) {
	for _, tc := range []struct {
		name string
		have string // address/flags
		want string // by kind, the least wanted first
	}{
		{"nothing", "", "- - -"},
		{"a cable without configuration", "fe80::2", "fe80::2 - -"},
		{"all kinds", "10.0.0.1 2001:db8::1 fe80::2", "fe80::2 2001:db8::1 10.0.0.1"},
		{"the first of IPv4, the lowest of IPv6", "10.0.0.9 10.0.0.1 fd00::9 fd00::1", "- fd00::1 10.0.0.9"},
		{"detection goes on", "fe80::2/tentative", "- - -"},
		{"detection found another", "fd00::1/failed fe80::2", "fe80::2 - -"},
		{"about to go, or for a while", "fd00::1/deprecated fd00::2/temporary fd00::3", "- fd00::3 -"},
		{"loopback", "127.0.0.1 ::1", "- - -"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			flags := map[string]int{"tentative": unix.IFA_F_TENTATIVE, "failed": unix.IFA_F_DADFAILED, "deprecated": unix.IFA_F_DEPRECATED, "temporary": unix.IFA_F_TEMPORARY}
			var found addresses
			for _, field := range strings.Fields(tc.have) {
				text, flag, _ := strings.Cut(field, "/")
				found.add(netlink.Addr{IPNet: &net.IPNet{IP: net.ParseIP(text)}, Flags: flags[flag]})
			}
			var got []string
			for i, a := range found.list {
				text := "-"
				if a.IsValid() {
					text = a.String()
					if kindOf(a) != 1<<i {
						t.Errorf("%v is of kind %b", a, kindOf(a))
					}
				}
				got = append(got, text)
			}
			if s := strings.Join(got, " "); s != tc.want {
				t.Errorf("got %s, want %s", s, tc.want)
			}
		})
	}
}

// TestNetworkGoesOverWhenAHostHasLess: two hosts with IPv4 on an interface go over to link-local addresses when a third one has no others
// there, and back when it has.
func TestNetworkGoesOverWhenAHostHasLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		four, six := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fe80::1")
		c := &nic{others: make([]Kinds, 3), look: func() (addresses, error) {
			return addresses{index: 7, list: [kinds]netip.Addr{six, {}, four}}, nil
		}}
		f := follow(3, c.place, func(place, []netip.AddrPort) (livePath, error) {
			return &moving{fakePath: makePaths(1)[0], peers: map[member.ID]netip.AddrPort{}}, nil
		}, slog.New(slog.DiscardHandler))
		defer f.Close()
		uses := func(what string, want netip.Addr) {
			t.Helper()
			later(2 * followEvery)
			if got, err := f.where(); err != nil || got != want {
				t.Errorf("%s: %v, %v, want %v", what, got, err, want)
			}
		}
		uses("alone", four)
		c.hear(1, FourBytes|LinkLocal)
		c.hear(2, LinkLocal)
		uses("host 2 has no IPv4", six)
		c.hear(2, 0)
		uses("the cable of host 2 is out", six)
		c.hear(2, FourBytes|LinkLocal)
		uses("host 2 has IPv4 too", four)
		if got := c.has(); got != FourBytes|LinkLocal {
			t.Errorf("says to have %b", got)
		}
	})
}

// twoHosts makes a namespace with a cable inside: c0 and c1 with the addresses that the kernel gives them, which it gives back.
func twoHosts(t *testing.T) [2]place {
	t.Helper()
	runtime.LockOSThread() // never given back: the namespace ends with the thread
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("make network namespace (this test needs root): %v", err)
	}
	cable := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "c0"}, PeerName: "c1"}
	if err := netlink.LinkAdd(cable); err != nil {
		t.Fatal(err)
	}
	var at [2]place
	for _, name := range []string{"c0", "c1"} {
		link, err := netlink.LinkByName(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := netlink.LinkSetUp(link); err != nil {
			t.Fatal(err)
		}
	}
	for i, name := range []string{"c0", "c1"} {
		c := newNIC(name, 2)
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) { // duplicate address detection takes a second or two
			var err error
			if at[i], err = c.place(); err == nil {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal(err)
			}
		}
		if kindOf(at[i].address) != LinkLocal || at[i].index == 0 {
			t.Fatalf("%s: %+v", name, at[i])
		}
	}
	return at
}

// TestSocketsOverLinkLocalIPv6: datagrams by unicast and by multicast between two interfaces that nobody has configured.
func TestSocketsOverLinkLocalIPv6(t *testing.T) {
	at := twoHosts(t)
	const port = 3343
	group := netip.MustParseAddr("ff05::7:9")
	peers := []netip.AddrPort{netip.AddrPortFrom(at[0].address, port), netip.AddrPortFrom(at[1].address, port)}
	var unicasts [2]*unicast
	var groups [2]*groupPath
	for i, device := range []string{"c0", "c1"} {
		var err error
		if unicasts[i], err = newUnicast(member.ID(i), netip.AddrPortFrom(at[i].zoned(), port), device, peers); err != nil {
			t.Fatal(err)
		}
		defer unicasts[i].Close()
		at[i].group = group
		if groups[i], err = newGroupPath(member.ID(i), at[i], port+1, device, make([]netip.AddrPort, 2)); err != nil {
			t.Fatal(err)
		}
		defer groups[i].Close()
		groups[i].setPeer(member.ID(1-i), netip.AddrPortFrom(at[1-i].address, port+1))
	}
	fail := func(id member.ID, err error) { t.Errorf("to host %d: %v", id, err) }
	unicasts[0].Broadcast([]byte("unicast"), 0, fail)
	arrives(t, unicasts[1], "unicast", peers[0])
	groups[0].Broadcast([]byte("multicast"), 0, fail)
	arrives(t, groups[1], "multicast", netip.AddrPortFrom(at[0].address, port+1))
	if err := groups[1].Send(0, []byte("answer")); err != nil {
		t.Fatal(err)
	}
	arrives(t, groups[0], "answer", netip.AddrPortFrom(at[1].address, port+1)) // first: the multicast does not come back
	unicasts[0].setPeer(1, netip.MustParseAddrPort("10.0.0.2:3343"))
	if unicasts[0].knows(1) {
		t.Error("an address of the other family is used")
	}
	for name, option := range map[string][3]int{
		"hop limit": {unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, 1}, "loop": {unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP, 0},
		"groups of other sockets": {unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_ALL, 0}, "class": {unix.IPPROTO_IPV6, unix.IPV6_TCLASS, classCS6},
		"only IPv6": {unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1},
	} {
		err := groups[0].raw.Control(func(fd uintptr) {
			if got, err := unix.GetsockoptInt(int(fd), option[0], option[1]); err != nil || got != option[2] {
				t.Errorf("%s: %d, want %d; %v", name, got, option[2], err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// arrives takes the next datagram off a path.
func arrives(t *testing.T, p Path, text string, from netip.AddrPort) {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- p.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("%q does not arrive", text)
	}
	buf := make([]byte, 64)
	if n, sender, err := p.Receive(buf); err != nil || string(buf[:n]) != text || sender != from {
		t.Errorf("%q from %v, %v; want %q from %v", buf[:n], sender, err, text, from)
	}
}

// TestFarewellsNameTheInterface: the guard, which has none of our sockets, could not send to a link-local address without.
func TestFarewellsNameTheInterface(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := makeFarm(t, 2, 1)
		c := &card{}
		c.set("fe80::1", 7, nil)
		g := f.hosts[0]
		g.list = append(g.list, g.followOne(f.options(0, 1), NetworkOptions{Name: "cross", Interface: "eth1", Index: 1}, c.follow(2)))
		g.list[1].learn(1, netip.MustParseAddrPort("[fe80::2]:3343"))
		var got *Packet
		for _, p := range g.Farewells() {
			if p.Device == "eth1" {
				got = &p
			}
		}
		if got == nil || got.Local != netip.MustParseAddr("fe80::1%eth1") || got.To != netip.MustParseAddrPort("[fe80::2%eth1]:3343") {
			t.Errorf("farewell %+v", got)
		}
	})
}
