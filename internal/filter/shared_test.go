package filter

import (
	"errors"
	"net"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// uniMAC is the cluster's MAC of unicast delivery; multiMAC is that of multicast.
var uniMAC = net.HardwareAddr{2, 0xbf, 10, 9, 0, 100}

// Every host has the frame: it is accepted or dropped, and nobody passes on what the owner has himself.
func TestFramesToTheClusterMAC(t *testing.T) {
	const me, one, two = 0, 1, 2
	own, other := word(me, no, no, slotOwn), word(one, no, no, 0)
	all := newBench(t)
	for _, c := range []struct {
		name   string
		slot   uint32
		lapsed bool
		p      packet
		want   uint32
		why    []Reason
		to     net.HardwareAddr
	}{
		{"SYN, own", own, false, fromClient(flags(syn)), passed, []Reason{AcceptNew}, nil},
		{"SYN, own, lapsed", own, true, fromClient(flags(syn)), dropped, []Reason{DropLease}, nil},
		{"SYN, another's", other, false, fromClient(flags(syn)), dropped, []Reason{DropSeenByOthers}, nil},
		{"SYN, nobody's", word(no, no, no, 0), false, fromClient(flags(syn)), dropped, []Reason{DropNobody}, nil},
		{"SYN through a host that is the client's router", own, false, fromClient(flags(syn), from(peer1MAC)), passed, []Reason{AcceptNew}, nil},
		{"UDP, own", own, false, fromClient(udp), passed, []Reason{AcceptNew}, nil},
		{"UDP, another's", other, false, fromClient(udp), dropped, []Reason{DropSeenByOthers}, nil},

		{"ACK, own", own, false, fromClient(), passed, []Reason{AcceptOwner}, nil},
		{"ACK, own, lapsed, no socket", own, true, fromClient(), dropped, []Reason{DropNoSocket}, nil},
		{"ACK, another's", other, false, fromClient(), dropped, []Reason{DropSeenByOthers}, nil},
		{"ACK, nobody's, no socket", word(no, no, no, 0), false, fromClient(), dropped, []Reason{DropNoSocket}, nil},

		{"owner, nobody else may hold it", word(me, no, no, slotOwn|slotAsk), false, fromClient(), passed, []Reason{AcceptEnd}, nil},
		{"owner, nobody else may hold it, lapsed", word(me, no, no, slotOwn|slotAsk), true, fromClient(), dropped, []Reason{DropSeenByOthers}, nil},
		{"owner, another may hold it", word(me, two, no, slotOwn|slotAsk), false, fromClient(), redirected, []Reason{ForwardNext}, peer2MAC},
		{"holder", word(one, two, no, slotAsk), false, fromClient(), dropped, []Reason{DropSeenByOthers}, nil},
		{"last", word(one, no, no, slotAsk|slotLast), false, fromClient(), dropped, []Reason{DropSeenByOthers}, nil},
		{"in no view", word(no, no, no, slotAsk), false, fromClient(), dropped, []Reason{DropSeenByOthers}, nil},

		{"no rule", own, false, fromClient(dport(81), flags(syn)), dropped, []Reason{DropNoRule}, nil},
		{"malformed", own, false, fromClient(cut(offTCP + 19)), dropped, []Reason{DropMalformed}, nil},
		{"ICMP error, own", own, false, fromClient(icmpError(quoted())), passed, []Reason{AcceptOwner}, nil},
		{"ICMP error, another's", other, false, fromClient(icmpError(quoted())), dropped, []Reason{DropSeenByOthers}, nil},
		{"ICMP error about UDP, another's", other, false, fromClient(icmpError(quoted(udp))), dropped, []Reason{DropSeenByOthers}, nil},
	} {
		for _, mac := range []net.HardwareAddr{multiMAC, uniMAC} {
			t.Run(c.name+" to "+mac.String(), func(t *testing.T) {
				b := all.again(t)
				b.setup(uniMAC, multiMAC)
				b.slot(c.slot)
				if c.lapsed {
					b.f.SetLease(0)
				}
				p := c.p
				p.to = mac
				b.expect(t, ingress, p.frame(), c.want, c.why, c.to)
			})
		}
	}
}

// A neighbour that still has the address of another mode is served as well as one that has learnt the new one.
func TestOwnMACServesBesideTheClusterMAC(t *testing.T) {
	b := newBench(t)
	b.setup(uniMAC)
	b.slot(word(1, no, no, 0))
	b.expect(t, ingress, fromClient(flags(syn)).frame(), redirected, []Reason{ForwardNew}, peer1MAC)
	b.expect(t, ingress, fromClient(flags(syn), to(uniMAC)).frame(), dropped, []Reason{DropSeenByOthers}, nil)
	b.expect(t, ingress, fromClient(flags(syn), to(multiMAC)).frame(), dropped, []Reason{DropFrame}, nil)
	b.setup(multiMAC, uniMAC)
	for _, mac := range []net.HardwareAddr{uniMAC, multiMAC} {
		b.expect(t, ingress, fromClient(flags(syn), to(mac)).frame(), dropped, []Reason{DropSeenByOthers}, nil)
	}
	b.setup()
	b.expect(t, ingress, fromClient(flags(syn), to(uniMAC)).frame(), passed, nil, nil) // another machine's, for all we know
	b.expect(t, ingress, fromClient(flags(syn), to(multiMAC)).frame(), dropped, []Reason{DropFrame}, nil)
}

// The owner of a bucket asks the chain about a connection that it does not know, but not about each of its frames.
func TestChainIsAskedOnceASecond(t *testing.T) {
	b := newBench(t)
	b.setup(multiMAC)
	b.slot(word(0, 2, no, slotOwn|slotAsk))
	port := func(n uint16) func(*packet) { return func(p *packet) { p.to, p.sport = multiMAC, n } }
	b.expect(t, ingress, fromClient(port(1000)).frame(), redirected, []Reason{ForwardNext}, peer2MAC)
	for range 3 {
		b.expect(t, ingress, fromClient(port(1000)).frame(), dropped, []Reason{DropSeenByOthers}, nil)
	}
	b.expect(t, ingress, fromClient(port(1001)).frame(), redirected, []Reason{ForwardNext}, peer2MAC)
	deadline := time.Now().Add(5 * time.Second)
	for {
		verdict, _, _ := b.run(ingress, fromClient(port(1000)).frame())
		if verdict == redirected {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("not asked again within 5 s")
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// What is not for a VIP is left as it came, whatever MAC it is sent to, and counts nowhere.
func TestStrangersFramesToTheClusterMACChangeNothing(t *testing.T) {
	b := newBench(t)
	b.setup(uniMAC, multiMAC)
	b.slot(word(0, no, no, slotOwn))
	elsewhere := func(p *packet) { p.dst = clientIP }
	for _, mac := range []net.HardwareAddr{uniMAC, multiMAC} {
		for name, frame := range map[string][]byte{
			"TCP to a host":    fromClient(elsewhere, to(mac), flags(syn)).frame(),
			"UDP to a host":    fromClient(elsewhere, udp, to(mac)).frame(),
			"IPv6":             fromClient(to(mac), func(p *packet) { p.etherType = 0x86dd }).frame(),
			"ARP for another":  arpFrame(mac, clientMAC, 1, clientIP, clientIP),
			"unknown protocol": fromClient(to(mac), func(p *packet) { p.etherType = 0x88b5 }).frame(),
		} {
			t.Run(name+" to "+mac.String(), func(t *testing.T) {
				b.expect(t, ingress, frame, passed, nil, nil)
			})
		}
	}
}

func TestARPNamesTheClusterMAC(t *testing.T) {
	b := newBench(t)
	b.setup(uniMAC, multiMAC)
	if err := b.f.SetDirector(0, true); err != nil {
		t.Fatal(err)
	}
	for _, asked := range []net.HardwareAddr{everyone, uniMAC, multiMAC, ownMAC} {
		_, counted, out := b.run(ingress, arpFrame(asked, clientMAC, 1, clientIP, testVIP))
		want := arpFrame(clientMAC, ownMAC, 2, testVIP, clientIP) // from the card's own: no switch shall learn the other
		copy(want[22:], uniMAC)
		copy(want[32:], clientMAC)
		if string(out[:len(want)]) != string(want) || len(counted) != 1 || counted[0] != ARPAnswered {
			t.Errorf("asked at %s: counted %v, answer\n% x, want\n% x", asked, counted, out, want)
		}
	}
	if err := b.f.SetDirector(0, false); err != nil {
		t.Fatal(err)
	}
	b.expect(t, ingress, arpFrame(uniMAC, clientMAC, 1, clientIP, testVIP), dropped, []Reason{ARPIgnored}, nil)
	b.expect(t, ingress, arpFrame(strangeMAC, clientMAC, 1, clientIP, testVIP), passed, nil, nil)
}

// Exactly one host answers a ping, also while a director whose agent has died still thinks it is one.
func TestEchoToTheClusterMAC(t *testing.T) {
	b := newBench(t)
	b.setup(multiMAC)
	if err := b.f.SetDirector(0, true); err != nil {
		t.Fatal(err)
	}
	b.expect(t, ingress, fromClient(icmp, to(multiMAC)).frame(), passed, []Reason{AcceptICMP}, nil)
	b.f.SetLease(0)
	b.expect(t, ingress, fromClient(icmp, to(multiMAC)).frame(), dropped, []Reason{DropICMP}, nil)
	b.expect(t, ingress, fromClient(icmp).frame(), passed, []Reason{AcceptICMP}, nil)
}

// Configure keeps a cluster MAC that stays where it is, so that it is taken at every moment.
func TestTakenMACsStayInPlace(t *testing.T) {
	a, b, c := macWord(uniMAC), macWord(multiMAC), macWord(strangeMAC)
	for _, tt := range []struct {
		name   string
		before [maxTaken]uint64
		macs   []net.HardwareAddr
		want   [maxTaken]uint64
	}{
		{"first", [maxTaken]uint64{}, []net.HardwareAddr{uniMAC}, [maxTaken]uint64{a}},
		{"another beside it", [maxTaken]uint64{a}, []net.HardwareAddr{multiMAC, uniMAC}, [maxTaken]uint64{a, b}},
		{"the older goes", [maxTaken]uint64{a, b}, []net.HardwareAddr{multiMAC}, [maxTaken]uint64{0, b}},
		{"one in its place", [maxTaken]uint64{a, b}, []net.HardwareAddr{strangeMAC, multiMAC}, [maxTaken]uint64{c, b}},
		{"none", [maxTaken]uint64{a, b}, nil, [maxTaken]uint64{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := vipRecord{taken: tt.before}
			if r.take(tt.macs); r.taken != tt.want {
				t.Errorf("got %x, want %x", r.taken, tt.want)
			}
		})
	}
}

func TestClusterMACsThatAreNone(t *testing.T) {
	b := newBench(t)
	for name, taken := range map[string][]net.HardwareAddr{
		"too many":  {uniMAC, multiMAC, strangeMAC},
		"too short": {{2, 0xbf, 1}},
		"zeros":     {make(net.HardwareAddr, 6)},
	} {
		err := b.f.Configure(Setup{VIPs: []VIP{{Address: testVIP, Interface: b.ifindex, MAC: ownMAC, Taken: taken}}})
		if err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// Where all hosts have the frame, a holder of other connections in a bucket must not keep a dead host's client waiting, and keeps its own.
func TestDeadHostsClientsAreResetBesideAHolder(t *testing.T) {
	f := newFarm(t, farmOptions{hosts: 3, shared: true})
	f.fixVIP(multiMAC)
	f.own(allOf(2))
	dead, _ := f.open(5)
	f.own(allOf(1))
	held, _ := f.open(5)
	f.bridge.do(func() error { // h2 has no power any more
		l, err := netlink.LinkByName("p-h2")
		if err != nil {
			return err
		}
		return netlink.LinkSetDown(l)
	})
	f.own(func(host, _ int) uint32 {
		if host == 0 {
			return word(0, 1, no, slotOwn|slotAsk)
		}
		return word(0, no, no, slotAsk|slotLast)
	})
	for i, c := range dead {
		if err := c.exchange("still-there"); !errors.Is(err, unix.ECONNRESET) {
			t.Errorf("connection %d of the dead host: %v, want a reset", i, err)
		}
	}
	for range 30 {
		if n, err := broken(held, "more"); n > 0 {
			t.Fatalf("%d connections of the holder broke: %v", n, err)
		}
	}
	if asked := f.counters(0).Of(ForwardNext); asked == 0 || asked > 60 {
		t.Errorf("the chain was asked %d times about %d connections, want a few times each", asked, len(dead)+len(held))
	}
}

// allOf gives every bucket to one host.
func allOf(owner int) func(host, bucket int) uint32 {
	return func(host, _ int) uint32 {
		if host == owner {
			return word(uint32(owner), no, no, slotOwn)
		}
		return word(uint32(owner), no, no, 0)
	}
}
