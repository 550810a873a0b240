package filter

import (
	"bytes"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/cilium/ebpf"
)

// What a program returns.
const (
	passed     = 0xffffffff // TC_ACT_UNSPEC: other programs and the stack go on
	dropped    = 2
	redirected = 7
)

var (
	ownMAC     = net.HardwareAddr{2, 0, 0, 0, 0, 1}
	clientMAC  = net.HardwareAddr{2, 0, 0, 0, 0, 0xc}
	peer1MAC   = net.HardwareAddr{2, 0, 0, 0, 1, 1}
	peer2MAC   = net.HardwareAddr{2, 0, 0, 0, 1, 2}
	everyone   = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	strangeMAC = net.HardwareAddr{2, 0, 0, 0, 9, 9}
	multiMAC   = net.HardwareAddr{3, 0xbf, 10, 9, 0, 100}
	clientIP   = netip.MustParseAddr("10.9.0.200")
)

const clientPort = 40000

// skbContext is struct __sk_buff as far as a test may set it.
type skbContext struct {
	_       [40]byte
	Ifindex uint32
	_       [148]byte
}

// xdpContext is struct xdp_md.
type xdpContext struct {
	_       uint32
	End     uint32
	_       uint32
	Ifindex uint32
	_       [8]byte
}

// xdpHeadroom is enough for what the kernel may give back besides a frame.
const xdpHeadroom = 256

// context is what a program is told of a frame beside its bytes.
func (b *bench) context(d direction, frame []byte) any {
	if d == early {
		return &xdpContext{End: uint32(len(frame)), Ifindex: uint32(b.ifindex)}
	}
	return &skbContext{Ifindex: uint32(b.ifindex)}
}

// bench is a filter on an interface that goes nowhere, of host 0 of three, for packets by BPF_PROG_TEST_RUN.
type bench struct {
	*node
	f       *Filter
	ifindex int
}

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{node: newNode(t, "bench")}
	b.ifindex = b.stub("d0", ownMAC)
	f, err := Open(Options{})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	t.Cleanup(func() { f.Close() })
	b.f = f
	b.setup()
	for id, mac := range map[uint8]net.HardwareAddr{1: peer1MAC, 2: peer2MAC} {
		if err := f.SetPeer(b.ifindex, id, mac); err != nil {
			t.Fatal(err)
		}
	}
	f.SetLease(BootTime() + time.Hour)
	return b
}

// again is the bench as newBench makes it, for the next line of a table: to load the programs takes the kernel's verifier half a second.
func (b *bench) again(t *testing.T) *bench {
	t.Helper()
	b.t = t
	for name, m := range b.f.maps {
		if m.Type() != ebpf.Hash && m.Type() != ebpf.LRUHash || name == filterMapPeers || name == filterMapMacs {
			continue
		}
		var keys [][]byte
		var value []byte
		key := make([]byte, m.KeySize())
		for all := m.Iterate(); all.Next(&key, &value); {
			keys = append(keys, bytes.Clone(key))
		}
		for _, key := range keys {
			if err := m.Delete(key); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.setup()
	b.slot(nobody)
	if err := b.f.SetDirector(0, false); err != nil {
		t.Fatal(err)
	}
	b.f.SetLease(BootTime() + time.Hour)
	return b
}

// setup configures the filter of host 0, with cluster MACs of which the first is the one that neighbours are told.
func (b *bench) setup(taken ...net.HardwareAddr) {
	b.t.Helper()
	vip := VIP{Address: testVIP, Interface: b.ifindex, MAC: ownMAC, Taken: taken}
	if len(taken) > 0 {
		vip.Answer = taken[0]
	}
	err := b.f.Configure(Setup{Self: 0,
		VIPs: []VIP{vip},
		Rules: []Rule{
			{VIP: 0, Ports: []PortRange{{testPort, testPort}}, Protocol: ProtocolTCP, Hash: Hash{ByPort: true}},
			{VIP: 0, Ports: []PortRange{{53, 53}}, Protocol: ProtocolUDP},
		}})
	if err != nil {
		b.t.Fatal(err)
	}
}

// slot gives all buckets of both rules one slot.
func (b *bench) slot(w uint32) {
	var words [buckets]uint32
	for i := range words {
		words[i] = w
	}
	b.f.SetSlots(0, &words)
	b.f.SetSlots(1, &words)
}

// run gives a frame to a program and returns what it said, what it counted and the frame afterwards.
func (b *bench) run(d direction, frame []byte) (verdict uint32, counted []Reason, out []byte) {
	b.t.Helper()
	before, err := b.f.Counters()
	if err != nil {
		b.t.Fatal(err)
	}
	o := &ebpf.RunOptions{Data: frame, DataOut: make([]byte, len(frame)+xdpHeadroom), Context: b.context(d, frame)}
	b.do(func() (err error) {
		verdict, err = b.f.programs[d].Run(o)
		return err
	})
	after, err := b.f.Counters()
	if err != nil {
		b.t.Fatal(err)
	}
	for r, n := range after.Since(before) {
		for range n {
			counted = append(counted, Reason(r))
		}
	}
	return verdict, counted, o.DataOut
}

// fromClient is a packet to the VIP, changed by edits.
func fromClient(edits ...func(*packet)) packet {
	p := packet{
		from: clientMAC, to: ownMAC, etherType: 0x0800, src: clientIP, dst: testVIP, protocol: ProtocolTCP,
		sport: clientPort, dport: testPort, flags: ack, ttl: 64,
	}
	for _, e := range edits {
		e(&p)
	}
	return p
}

func flags(f uint8) func(*packet)           { return func(p *packet) { p.flags = f } }
func from(m net.HardwareAddr) func(*packet) { return func(p *packet) { p.from = m } }
func to(m net.HardwareAddr) func(*packet)   { return func(p *packet) { p.to = m } }
func dport(n uint16) func(*packet)          { return func(p *packet) { p.dport = n } }
func udp(p *packet)                         { p.protocol, p.dport, p.payload = ProtocolUDP, 53, []byte("hello") }
func icmp(p *packet)                        { p.protocol, p.payload = 1, []byte{8, 0, 0xf7, 0xff, 0, 0, 0, 0} }

// icmpError is what a router says of a packet that the VIP sent to the client.
func icmpError(quote packet) func(*packet) {
	quote.src, quote.dst = testVIP, clientIP
	return func(p *packet) {
		p.src, p.protocol = netip.MustParseAddr("192.0.2.1"), 1
		p.payload = append([]byte{3, 4, 0, 0, 0, 0, 5, 0}, quote.datagram()[:28]...)
	}
}

func quoted(edits ...func(*packet)) packet {
	p := fromClient(edits...)
	p.sport, p.dport = p.dport, p.sport
	return p
}

func options(n int) func(*packet)                { return func(p *packet) { p.options = make([]byte, n) } }
func edit(f func(b []byte) []byte) func(*packet) { return func(p *packet) { p.edit = f } }
func cut(n int) func(*packet)                    { return edit(func(b []byte) []byte { return b[:n] }) }
func set(at int, v byte) func(*packet) {
	return edit(func(b []byte) []byte { b[at] = v; return b })
}

const (
	offIP  = 14
	offTCP = 34
)

func TestPacketToDecision(t *testing.T) {
	const me, one, two = 0, 1, 2
	own := word(me, no, no, slotOwn)
	other := word(one, no, no, 0)
	all := newBench(t)
	for _, c := range []struct {
		name string
		slot uint32
		p    packet
		want uint32
		why  []Reason // nothing: untouched
		to   net.HardwareAddr
	}{
		// Not ours.
		{"another address", own, fromClient(func(p *packet) { p.dst = netip.MustParseAddr("10.9.0.1") }), passed, nil, nil},
		{"IPv6", own, fromClient(func(p *packet) { p.etherType = 0x86dd }), passed, nil, nil},
		{"tagged", own, fromClient(edit(tag)), passed, nil, nil},
		{"other protocol", own, fromClient(func(p *packet) { p.protocol = 47 }), passed, nil, nil},
		{"flooded, for another host", own, fromClient(to(strangeMAC), flags(syn)), passed, nil, nil},

		// New.
		{"SYN, own", own, fromClient(flags(syn)), passed, []Reason{AcceptNew}, nil},
		{"SYN, own, ask", word(me, one, no, slotOwn|slotAsk), fromClient(flags(syn)), passed, []Reason{AcceptNew}, nil},
		{"SYN, own, forwarded", own, fromClient(flags(syn), from(peer1MAC)), passed, []Reason{AcceptNew}, nil},
		{"SYN with ECN flags", own, fromClient(flags(syn | 0xc0)), passed, []Reason{AcceptNew}, nil},
		{"SYN, another's", other, fromClient(flags(syn)), redirected, []Reason{ForwardNew}, peer1MAC},
		{"SYN, another's, forwarded", other, fromClient(flags(syn), from(peer2MAC)), dropped, []Reason{DropNotOwned}, nil},
		{"SYN, owner but not yet", word(me, no, no, 0), fromClient(flags(syn)), dropped, []Reason{DropNotOwned}, nil},
		{"SYN, nobody's", word(no, no, no, 0), fromClient(flags(syn)), dropped, []Reason{DropNobody}, nil},
		{"SYN, owner without MAC", word(9, no, no, 0), fromClient(flags(syn)), dropped, []Reason{DropNoPeer}, nil},
		{"UDP, own", own, fromClient(udp), passed, []Reason{AcceptNew}, nil},
		{"UDP, another's", other, fromClient(udp), redirected, []Reason{ForwardNew}, peer1MAC},
		{"UDP, another's, forwarded", other, fromClient(udp, from(peer2MAC)), dropped, []Reason{DropNotOwned}, nil},

		// Established, nothing moved.
		{"ACK, own", own, fromClient(), passed, []Reason{AcceptOwner}, nil},
		{"ACK, own, forwarded", own, fromClient(from(peer1MAC)), passed, []Reason{AcceptOwner}, nil},
		{"SYN+ACK counts as established", own, fromClient(flags(syn | ack)), passed, []Reason{AcceptOwner}, nil},
		{"ACK, another's", other, fromClient(), redirected, []Reason{ForwardOwner}, peer1MAC},
		{"ACK, another's, forwarded", other, fromClient(from(peer2MAC)), dropped, []Reason{DropNoSocket}, nil},
		{"ACK, nobody's", word(no, no, no, 0), fromClient(), dropped, []Reason{DropNoSocket}, nil},

		// Established, ask, no socket here.
		{"owner, second", word(me, two, no, slotOwn|slotAsk), fromClient(), redirected, []Reason{ForwardNext}, peer2MAC},
		{"owner, no second", word(me, no, no, slotOwn|slotAsk), fromClient(), passed, []Reason{AcceptEnd}, nil},
		{"owner, from second, third", word(me, one, two, slotOwn|slotAsk), fromClient(from(peer1MAC)), redirected, []Reason{ForwardNext}, peer2MAC},
		{"owner, from second, no third", word(me, one, no, slotOwn|slotAsk), fromClient(from(peer1MAC)), passed, []Reason{AcceptEnd}, nil},
		{"owner, from third", word(me, one, two, slotOwn|slotAsk), fromClient(from(peer2MAC)), redirected, []Reason{ForwardNext}, peer1MAC},
		{"holder, from client", word(one, two, no, slotAsk), fromClient(), redirected, []Reason{ForwardOwner}, peer1MAC},
		{"last, from client", word(one, no, no, slotAsk|slotLast), fromClient(), redirected, []Reason{ForwardOwner}, peer1MAC},
		{"holder, forwarded, second", word(one, two, no, slotAsk), fromClient(from(peer1MAC)), redirected, []Reason{ForwardNext}, peer2MAC},
		{"holder, forwarded by second", word(no, two, no, slotAsk), fromClient(from(peer2MAC)), dropped, []Reason{DropNoSocket}, nil},
		{"last, forwarded", word(one, no, no, slotAsk|slotLast), fromClient(from(peer1MAC)), passed, []Reason{AcceptEnd}, nil},
		{"last, forwarded by the one before", word(one, no, two, slotAsk|slotLast), fromClient(from(peer2MAC)), passed, []Reason{AcceptEnd}, nil},
		{"last, forwarded by who knows another chain", word(one, no, one, slotAsk|slotLast), fromClient(from(peer2MAC)), dropped, []Reason{DropNoSocket}, nil},
		{"not last, forwarded, no second", word(one, no, no, slotAsk), fromClient(from(peer1MAC)), dropped, []Reason{DropNoSocket}, nil},
		{"no owner, last", word(no, no, no, slotAsk|slotLast), fromClient(), passed, []Reason{AcceptEnd}, nil},
		{"no owner, second", word(no, two, no, slotAsk), fromClient(), redirected, []Reason{ForwardNext}, peer2MAC},

		// Headers.
		{"IP options", own, fromClient(options(40)), passed, []Reason{AcceptOwner}, nil},
		{"IP options, forwarded on", other, fromClient(options(12)), redirected, []Reason{ForwardOwner}, peer1MAC},
		{"padded frame", own, fromClient(edit(func(b []byte) []byte { return append(b, 0, 0, 0, 0, 0, 0) })), passed, []Reason{AcceptOwner}, nil},
		{"version 5", own, fromClient(set(offIP, 0x55)), dropped, []Reason{DropMalformed}, nil},
		{"IP header length 4", own, fromClient(set(offIP, 0x44)), dropped, []Reason{DropMalformed}, nil},
		{"IP header beyond the packet", own, fromClient(set(offIP, 0x4f)), dropped, []Reason{DropMalformed}, nil},
		{"truncated IP options", own, fromClient(options(40), cut(offIP+50)), dropped, []Reason{DropMalformed}, nil},
		{"no TCP header", own, fromClient(cut(offTCP)), dropped, []Reason{DropMalformed}, nil},
		{"short TCP header", own, fromClient(cut(offTCP + 19)), dropped, []Reason{DropMalformed}, nil},
		{"total length without TCP header", own, fromClient(set(offIP+3, 39)), dropped, []Reason{DropMalformed}, nil},
		{"total length zero", own, fromClient(set(offIP+3, 0)), dropped, []Reason{DropMalformed}, nil},
		{"TCP header length 4", own, fromClient(set(offTCP+12, 4<<4)), dropped, []Reason{DropMalformed}, nil},
		{"truncated TCP options", own, fromClient(set(offTCP+12, 6<<4)), dropped, []Reason{DropMalformed}, nil},
		{"short UDP header", own, fromClient(udp, cut(offTCP+7)), dropped, []Reason{DropMalformed}, nil},

		// Everything else to a VIP.
		{"no rule", own, fromClient(dport(81), flags(syn)), dropped, []Reason{DropNoRule}, nil},
		{"no rule for the protocol", own, fromClient(udp, dport(testPort)), dropped, []Reason{DropNoRule}, nil},
		{"ICMP to this host alone", own, fromClient(icmp), passed, []Reason{AcceptICMP}, nil},
		{"ICMP, forwarded", own, fromClient(icmp, from(peer1MAC)), dropped, []Reason{DropICMP}, nil},
		{"ICMP error, own", own, fromClient(icmpError(quoted())), passed, []Reason{AcceptOwner}, nil},
		{"ICMP error, own, forwarded", own, fromClient(icmpError(quoted()), from(peer1MAC)), passed, []Reason{AcceptOwner}, nil},
		{"ICMP error, another's", other, fromClient(icmpError(quoted())), redirected, []Reason{ForwardOwner}, peer1MAC},
		{"ICMP error, ask", word(me, two, no, slotOwn|slotAsk), fromClient(icmpError(quoted())), redirected, []Reason{ForwardNext}, peer2MAC},
		{"ICMP error about UDP, own", own, fromClient(icmpError(quoted(udp))), passed, []Reason{AcceptICMP}, nil},
		{"ICMP error about UDP, another's", other, fromClient(icmpError(quoted(udp))), redirected, []Reason{ForwardOwner}, peer1MAC},
		{"ICMP error about UDP, forwarded", other, fromClient(icmpError(quoted(udp)), from(peer2MAC)), dropped, []Reason{DropICMP}, nil},
		{"source quench, another's", other, fromClient(icmpError(quoted()), set(offTCP, 4)), redirected, []Reason{ForwardOwner}, peer1MAC},
		{"redirect, another's", other, fromClient(icmpError(quoted()), set(offTCP, 5)), redirected, []Reason{ForwardOwner}, peer1MAC},
		{"parameter problem, another's", other, fromClient(icmpError(quoted()), set(offTCP, 12)), redirected, []Reason{ForwardOwner}, peer1MAC},
		{"router advertisement with the look of a quote", other, fromClient(icmpError(quoted()), set(offTCP, 9)), passed, []Reason{AcceptICMP}, nil},
		{"ICMP error without a rule", own, fromClient(icmpError(quoted(dport(9)))), passed, []Reason{AcceptICMP}, nil},
		{"ICMP error, short", own, fromClient(icmpError(quoted()), cut(offTCP+8+22)), passed, []Reason{AcceptICMP}, nil},
		{"ICMP without a type", own, fromClient(icmp, cut(offTCP)), dropped, []Reason{DropMalformed}, nil},
		{"to everybody at layer 2", own, fromClient(to(everyone), flags(syn)), dropped, []Reason{DropFrame}, nil},
		{"to a multicast address", own, fromClient(to(multiMAC), flags(syn)), dropped, []Reason{DropFrame}, nil},
		{"later fragment alone", own, fromClient(func(p *packet) { p.fragment = 185 }), passed, []Reason{AcceptShared}, nil},
		{"later fragment alone, forwarded", own, fromClient(func(p *packet) { p.fragment = 185 }, from(peer1MAC)), passed, []Reason{AcceptFragment}, nil},
		{"later fragment alone of another protocol", own, fromClient(func(p *packet) { p.fragment, p.protocol = 185, 47 }), passed, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := all.again(t)
			b.slot(c.slot)
			b.expect(t, ingress, c.p.frame(), c.want, c.why, c.to)
		})
	}
}

// expect runs a frame and compares. A forwarded frame must carry the other host's and this host's MAC.
func (b *bench) expect(t *testing.T, d direction, frame []byte, want uint32, why []Reason, to net.HardwareAddr) {
	t.Helper()
	verdict, counted, out := b.run(d, frame)
	if verdict != want {
		t.Errorf("verdict %d, want %d (counted %v)", int32(verdict), int32(want), counted)
	}
	if len(counted) != len(why) || len(why) > 0 && counted[0] != why[0] {
		t.Errorf("counted %v, want %v", counted, why)
	}
	if to == nil {
		to = frame[:6]
	} else if got := net.HardwareAddr(out[6:12]); got.String() != ownMAC.String() {
		t.Errorf("forwarded from %s, want %s", got, ownMAC)
	}
	if got := net.HardwareAddr(out[:6]); got.String() != to.String() {
		t.Errorf("frame goes to %s, want %s", got, to)
	}
}

// tag puts a VLAN tag in.
func tag(b []byte) []byte {
	return append(append(append([]byte{}, b[:12]...), 0x81, 0, 0, 5), b[12:]...)
}

func TestLapsedLeaseTakesNothingNew(t *testing.T) {
	b := newBench(t)
	b.f.SetLease(BootTime() - time.Millisecond)
	own, other := word(0, no, no, slotOwn), word(1, no, no, 0)
	for _, c := range []struct {
		name string
		slot uint32
		p    packet
		want uint32
		why  Reason
		to   net.HardwareAddr
	}{
		{"SYN", own, fromClient(flags(syn)), dropped, DropLease, nil},
		{"UDP", own, fromClient(udp), dropped, DropLease, nil},
		{"SYN of another", other, fromClient(flags(syn)), dropped, DropLease, nil},
		{"established", own, fromClient(), passed, AcceptOwner, nil},
		{"established of another", other, fromClient(), redirected, ForwardOwner, peer1MAC},
		{"later fragment alone", own, fromClient(func(p *packet) { p.fragment = 185 }), dropped, DropFragment, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.slot(c.slot)
			b.expect(t, ingress, c.p.frame(), c.want, []Reason{c.why}, c.to)
		})
	}
}

func TestFragmentsFollowTheFirst(t *testing.T) {
	later := func(p *packet) { p.fragment = 185 }
	first := func(p *packet) { p.fragment, p.payload = 0x2000, make([]byte, 1460) }
	all := newBench(t)
	for _, c := range []struct {
		name string
		slot uint32
		edit func(*packet)
		want uint32
		why  Reason
		to   net.HardwareAddr
	}{
		{"accepted", word(0, no, no, slotOwn), flags(syn), passed, AcceptNew, nil},
		{"forwarded", word(1, no, no, 0), flags(syn), redirected, ForwardNew, peer1MAC},
		{"dropped", word(no, no, no, 0), flags(syn), dropped, DropNobody, nil},
		{"UDP", word(2, no, no, 0), udp, redirected, ForwardNew, peer2MAC},
		{"unfinished header", word(0, no, no, slotOwn), cut(offTCP + 8), dropped, DropMalformed, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := all.again(t)
			b.slot(c.slot)
			b.expect(t, ingress, fromClient(c.edit, first).frame(), c.want, []Reason{c.why}, c.to)
			rest := fromClient(c.edit, later)
			rest.edit = nil
			b.expect(t, ingress, rest.frame(), c.want, []Reason{c.why}, c.to)
			other := fromClient(c.edit, later, func(p *packet) { p.id = 7 })
			other.edit = nil
			b.expect(t, ingress, other.frame(), passed, []Reason{AcceptShared}, nil)
		})
	}
}

func TestARP(t *testing.T) {
	peerIP := netip.MustParseAddr("10.9.0.2")
	all := newBench(t)
	for _, c := range []struct {
		name     string
		director bool
		lapsed   bool
		frame    []byte
		want     uint32
		why      []Reason
		to       net.HardwareAddr
	}{
		{"request at the director", true, false, arpFrame(everyone, clientMAC, 1, clientIP, testVIP), redirected, []Reason{ARPAnswered}, clientMAC},
		{"unicast request", true, false, arpFrame(ownMAC, clientMAC, 1, clientIP, testVIP), redirected, []Reason{ARPAnswered}, clientMAC},
		{"probe", true, false, arpFrame(everyone, clientMAC, 1, netip.IPv4Unspecified(), testVIP), redirected, []Reason{ARPAnswered}, clientMAC},
		{"request elsewhere", false, false, arpFrame(everyone, clientMAC, 1, clientIP, testVIP), dropped, []Reason{ARPIgnored}, nil},
		{"request, lapsed", true, true, arpFrame(everyone, clientMAC, 1, clientIP, testVIP), dropped, []Reason{ARPIgnored}, nil},
		{"request for another", true, false, arpFrame(everyone, clientMAC, 1, clientIP, peerIP), passed, nil, nil},
		{"reply to us", true, false, arpFrame(ownMAC, clientMAC, 2, clientIP, testVIP), passed, nil, nil},
		{"announcement by a host", true, false, arpFrame(everyone, peer1MAC, 1, testVIP, testVIP), passed, nil, nil},
		{"announcement by a stranger", true, false, arpFrame(everyone, strangeMAC, 1, testVIP, testVIP), passed, []Reason{ARPConflict}, nil},
		{"reply by a stranger", false, false, arpFrame(ownMAC, strangeMAC, 2, testVIP, peerIP), passed, []Reason{ARPConflict}, nil},
		{"flooded", true, false, arpFrame(strangeMAC, clientMAC, 1, clientIP, testVIP), passed, nil, nil},
		{"truncated", true, false, arpFrame(everyone, clientMAC, 1, clientIP, testVIP)[:41], passed, nil, nil},
		{"IPv6 in it", true, false, edited(arpFrame(everyone, clientMAC, 1, clientIP, testVIP), 19, 16), passed, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := all.again(t)
			if err := b.f.SetDirector(0, c.director); err != nil {
				t.Fatal(err)
			}
			if c.lapsed {
				b.f.SetLease(0)
			}
			b.expect(t, ingress, c.frame, c.want, c.why, c.to)
		})
	}
}

func edited(b []byte, at int, v byte) []byte {
	b[at] = v
	return b
}

func TestARPAnswerIsComplete(t *testing.T) {
	b := newBench(t)
	if err := b.f.SetDirector(0, true); err != nil {
		t.Fatal(err)
	}
	_, _, out := b.run(ingress, arpFrame(everyone, clientMAC, 1, clientIP, testVIP))
	want := arpFrame(clientMAC, ownMAC, 2, testVIP, clientIP)
	copy(want[32:], clientMAC)
	if string(out[:len(want)]) != string(want) {
		t.Errorf("answer\n% x, want\n% x", out, want)
	}
}

// What belongs to no connection is answered by one host: where all see it by the director, as long as it has its lease.
func TestDirectorTakesICMP(t *testing.T) {
	all := newBench(t)
	for _, c := range []struct {
		name             string
		director, lapsed bool
		want             uint32
		why              Reason
	}{
		{"director", true, false, passed, AcceptICMP},
		{"another", false, false, dropped, DropICMP},
		{"director whose lease has lapsed", true, true, dropped, DropICMP},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := all.again(t)
			b.setup(multiMAC)
			if err := b.f.SetDirector(0, c.director); err != nil {
				t.Fatal(err)
			}
			if c.lapsed {
				b.f.SetLease(0)
			}
			b.expect(t, ingress, fromClient(icmp, to(multiMAC)).frame(), c.want, []Reason{c.why}, nil)
		})
	}
}

func TestPacketsThatGoRoundEnd(t *testing.T) {
	b := newBench(t)
	b.slot(word(0, 2, no, slotOwn|slotAsk))
	ttl := func(n uint8) func(*packet) { return func(p *packet) { p.ttl = n } }
	// Handed on for the first time: as it came.
	_, _, out := b.run(ingress, fromClient(ttl(1)).frame())
	if out[offIP+8] != 1 {
		t.Errorf("TTL %d after the first hop, want 1", out[offIP+8])
	}
	_, _, out = b.run(ingress, fromClient(ttl(9), from(peer1MAC)).frame())
	if out[offIP+8] != 8 || checksum(out[offIP:offIP+20]) != 0 {
		t.Errorf("TTL %d, checksum off by %#x after the second hop", out[offIP+8], checksum(out[offIP:offIP+20]))
	}
	b.expect(t, ingress, fromClient(ttl(1), from(peer1MAC)).frame(), dropped, []Reason{DropLoop}, nil)
}

func TestGuard(t *testing.T) {
	reset := func(f uint8) []byte {
		return packet{from: ownMAC, to: clientMAC, etherType: 0x0800, src: testVIP, dst: clientIP, protocol: ProtocolTCP,
			sport: testPort, dport: clientPort, flags: f, ttl: 64}.frame()
	}
	elsewhere := word(0, 1, no, slotOwn|slotAsk)
	own := edited(reset(rst), offIP+15, 1) // from 10.9.0.1, not the VIP
	all := newBench(t)
	for _, c := range []struct {
		name  string
		slot  uint32
		frame []byte
		want  uint32
		why   []Reason
	}{
		{"may live elsewhere", elsewhere, reset(rst), dropped, []Reason{GuardReset}},
		{"not last", word(1, no, no, slotAsk), reset(rst), dropped, []Reason{GuardReset}},
		{"last", word(1, no, no, slotAsk|slotLast), reset(rst), passed, nil},
		{"owner, nobody else", word(0, no, no, slotOwn|slotAsk), reset(rst), passed, nil},
		{"nothing moved", word(0, no, no, slotOwn), reset(rst), passed, nil},
		{"with ACK", elsewhere, reset(rst | ack), passed, nil},
		{"data", elsewhere, reset(ack | psh), passed, nil},
		{"from another address", elsewhere, own, passed, nil},
		{"short", elsewhere, reset(rst)[:offTCP+19], passed, nil},
		{"ARP request as the VIP", elsewhere, arpFrame(everyone, ownMAC, 1, testVIP, clientIP), dropped, []Reason{GuardARP}},
		{"announcement", elsewhere, arpFrame(everyone, ownMAC, 1, testVIP, testVIP), passed, nil},
		{"ARP reply", elsewhere, arpFrame(clientMAC, ownMAC, 2, testVIP, clientIP), passed, nil},
		{"own ARP request", elsewhere, arpFrame(everyone, ownMAC, 1, netip.MustParseAddr("10.9.0.1"), clientIP), passed, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := all.again(t)
			b.slot(c.slot)
			b.expect(t, egress, c.frame, c.want, c.why, nil)
		})
	}
}

func TestGuardLetsTheEndOfTheChainReset(t *testing.T) {
	b := newBench(t)
	b.slot(word(0, 1, no, slotOwn|slotAsk))
	answer := packet{from: ownMAC, to: clientMAC, etherType: 0x0800, src: testVIP, dst: clientIP, protocol: ProtocolTCP,
		sport: testPort, dport: clientPort, flags: rst, ttl: 64}
	b.expect(t, egress, answer.frame(), dropped, []Reason{GuardReset}, nil)
	// The only other host that may have it has been asked: it is where the segment comes from.
	b.expect(t, ingress, fromClient(from(peer1MAC)).frame(), passed, []Reason{AcceptEnd}, nil)
	b.expect(t, egress, answer.frame(), passed, nil, nil)
	answer.dport++
	b.expect(t, egress, answer.frame(), dropped, []Reason{GuardReset}, nil)
}

// A rule with quorum is accepted for while both deadlines run; forwarding and what is established need no quorum here.
func TestLapsedQuorumTakesNothingNew(t *testing.T) {
	const majority, witness = 1 << 3, 2 << 3
	b := newBench(t)
	b.f.SetQuorum(2, BootTime()+time.Hour)
	for _, c := range []struct {
		name   string
		slot   uint32
		p      packet
		lapsed bool // the lease too
		want   uint32
		why    Reason
		to     net.HardwareAddr
	}{
		{"SYN with the quorum", word(0, no, no, slotOwn|witness), fromClient(flags(syn)), false, passed, AcceptNew, nil},
		{"SYN without", word(0, no, no, slotOwn|majority), fromClient(flags(syn)), false, dropped, DropLease, nil},
		{"UDP without", word(0, no, no, slotOwn|majority), fromClient(udp), false, dropped, DropLease, nil},
		{"SYN of a rule that needs none", word(0, no, no, slotOwn), fromClient(flags(syn)), false, passed, AcceptNew, nil},
		{"SYN of another host", word(1, no, no, majority), fromClient(flags(syn)), false, redirected, ForwardNew, peer1MAC},
		{"established", word(0, no, no, slotOwn|majority), fromClient(), false, passed, AcceptOwner, nil},
		{"SYN with the quorum and no lease", word(0, no, no, slotOwn|witness), fromClient(flags(syn)), true, dropped, DropLease, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.slot(c.slot)
			b.f.SetLease(BootTime() + time.Hour)
			if c.lapsed {
				b.f.SetLease(0)
			}
			b.expect(t, ingress, c.p.frame(), c.want, []Reason{c.why}, c.to)
		})
	}
}
