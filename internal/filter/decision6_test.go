package filter

import (
	"net"
	"net/netip"
	"testing"
	"time"
)

// setup6 is setup for the IPv6 address alone. Neighbours are told the first of the cluster MACs.
func (b *bench) setup6(taken ...net.HardwareAddr) {
	b.t.Helper()
	v := VIP{Address: vip6, Interface: b.ifindex, MAC: ownMAC, Taken: taken}
	if len(taken) > 0 {
		v.Answer = taken[0]
	}
	err := b.f.Configure(Setup{Self: 0, VIPs: []VIP{v},
		Rules: []Rule{
			{VIP: 0, Ports: []PortRange{{testPort, testPort}}, Protocol: ProtocolTCP, Hash: Hash{ByPort: true}},
			{VIP: 0, Ports: []PortRange{{53, 53}}, Protocol: ProtocolUDP},
		}})
	if err != nil {
		b.t.Fatal(err)
	}
}

// newBench6 is a bench whose VIP is the IPv6 one.
func newBench6(t testing.TB) *bench {
	b := newBench(t)
	b.setup6()
	return b
}

func TestIPv6PacketToDecision(t *testing.T) {
	const me, one, two = 0, 1, 2
	own := word(me, no, no, slotOwn)
	other := word(one, no, no, 0)
	later := func(p *packet) { p.fragment = 185 }
	b := newBench6(t)
	for _, c := range []struct {
		name string
		slot uint32
		p    packet
		want uint32
		why  []Reason // nothing: untouched
		to   net.HardwareAddr
	}{
		// Not ours.
		{"another address", own, fromClient6(func(p *packet) { p.dst = host6 }), passed, nil, nil},
		{"another address in the last word alone", own, fromClient6(func(p *packet) { p.dst = netip.MustParseAddr("fd00:9::101") }), passed, nil, nil},
		{"another address in the first word alone", own, fromClient6(func(p *packet) { p.dst = netip.MustParseAddr("fd00:a::100") }), passed, nil, nil},
		{"tagged", own, fromClient6(edit(tag)), passed, nil, nil},
		{"other protocol", own, fromClient6(func(p *packet) { p.protocol = 47 }), passed, nil, nil},
		{"no next header", own, fromClient6(func(p *packet) { p.protocol = noNext }), passed, nil, nil},
		{"authenticated", own, fromClient6(with(pad(authenticate, 16))), passed, nil, nil},
		{"flooded, for another host", own, fromClient6(to(strangeMAC), flags(syn)), passed, nil, nil},

		// New.
		{"SYN, own", own, fromClient6(flags(syn)), passed, []Reason{AcceptNew}, nil},
		{"SYN, own, forwarded", own, fromClient6(flags(syn), from(peer1MAC)), passed, []Reason{AcceptNew}, nil},
		{"SYN, another's", other, fromClient6(flags(syn)), redirected, []Reason{ForwardNew}, peer1MAC},
		{"SYN, another's, forwarded", other, fromClient6(flags(syn), from(peer2MAC)), dropped, []Reason{DropNotOwned}, nil},
		{"SYN, nobody's", word(no, no, no, 0), fromClient6(flags(syn)), dropped, []Reason{DropNobody}, nil},
		{"UDP, own", own, fromClient6(udp), passed, []Reason{AcceptNew}, nil},
		{"UDP, another's", other, fromClient6(udp), redirected, []Reason{ForwardNew}, peer1MAC},

		// Established.
		{"ACK, own", own, fromClient6(), passed, []Reason{AcceptOwner}, nil},
		{"ACK, another's", other, fromClient6(), redirected, []Reason{ForwardOwner}, peer1MAC},
		{"ACK, another's, forwarded", other, fromClient6(from(peer2MAC)), dropped, []Reason{DropNoSocket}, nil},
		{"owner, second", word(me, two, no, slotOwn|slotAsk), fromClient6(), redirected, []Reason{ForwardNext}, peer2MAC},
		{"owner, from second, third", word(me, one, two, slotOwn|slotAsk), fromClient6(from(peer1MAC)), redirected, []Reason{ForwardNext}, peer2MAC},
		{"owner, nobody left", word(me, one, no, slotOwn|slotAsk), fromClient6(from(peer1MAC)), passed, []Reason{AcceptEnd}, nil},
		{"holder, from client", word(one, two, no, slotAsk), fromClient6(), redirected, []Reason{ForwardOwner}, peer1MAC},

		// Extension headers.
		{"hop-by-hop options", own, fromClient6(with(pad(hopByHop, 8))), passed, []Reason{AcceptOwner}, nil},
		{"routing header", own, fromClient6(with(pad(routing, 24))), passed, []Reason{AcceptOwner}, nil},
		{"destination options", own, fromClient6(with(pad(destination, 16))), passed, []Reason{AcceptOwner}, nil},
		{"all of them", other, fromClient6(with(pad(hopByHop, 8), pad(destination, 8), pad(routing, 24), pad(destination, 64))), redirected, []Reason{ForwardOwner}, peer1MAC},
		{"all of them before UDP", own, fromClient6(udp, with(pad(hopByHop, 8), pad(destination, 8), pad(routing, 24), pad(destination, 64))), passed, []Reason{AcceptNew}, nil},
		{"a fragment that is the whole", own, fromClient6(with(pad(fragmented, 8))), passed, []Reason{AcceptOwner}, nil},
		{"options behind that", own, fromClient6(with(pad(fragmented, 8), pad(destination, 8))), passed, []Reason{AcceptOwner}, nil},
		{"as many as are stepped over", own, fromClient6(with(pad(destination, 8), pad(destination, 8), pad(destination, 8), pad(destination, 8), pad(destination, 8), pad(destination, 8))), passed, []Reason{AcceptOwner}, nil},
		{"one more", own, fromClient6(with(pad(destination, 8), pad(destination, 8), pad(destination, 8), pad(destination, 8), pad(destination, 8), pad(destination, 8), pad(destination, 8))), dropped, []Reason{DropMalformed}, nil},
		{"long ones", own, fromClient6(with(pad(hopByHop, 200), pad(destination, 200))), passed, []Reason{AcceptOwner}, nil},
		{"too long ones", own, fromClient6(with(pad(hopByHop, 256), pad(destination, 200))), dropped, []Reason{DropMalformed}, nil},
		{"longest possible", own, fromClient6(with(pad(hopByHop, 2048))), dropped, []Reason{DropMalformed}, nil},
		{"options beyond the packet", own, fromClient6(with(pad(destination, 8)), set(offTCP6+1, 200)), dropped, []Reason{DropMalformed}, nil},
		{"truncated options", own, fromClient6(with(pad(destination, 8)), cut(offTCP6+4)), dropped, []Reason{DropMalformed}, nil},

		// Headers.
		{"padded frame", own, fromClient6(edit(func(b []byte) []byte { return append(b, 0, 0, 0, 0, 0, 0) })), passed, []Reason{AcceptOwner}, nil},
		{"version 4", own, fromClient6(set(offIP6, 0x40)), dropped, []Reason{DropMalformed}, nil},
		{"no TCP header", own, fromClient6(cut(offTCP6)), dropped, []Reason{DropMalformed}, nil},
		{"short TCP header", own, fromClient6(cut(offTCP6 + 19)), dropped, []Reason{DropMalformed}, nil},
		{"payload length without TCP header", own, fromClient6(set(offIP6+5, 19)), dropped, []Reason{DropMalformed}, nil},
		{"payload length zero", own, fromClient6(set(offIP6+5, 0)), dropped, []Reason{DropMalformed}, nil},
		{"TCP header length 4", own, fromClient6(set(offTCP6+12, 4<<4)), dropped, []Reason{DropMalformed}, nil},
		{"truncated TCP options", own, fromClient6(set(offTCP6+12, 6<<4)), dropped, []Reason{DropMalformed}, nil},
		{"short UDP header", own, fromClient6(udp, cut(offTCP6+7)), dropped, []Reason{DropMalformed}, nil},

		// Everything else to a VIP.
		{"no rule", own, fromClient6(dport(81), flags(syn)), dropped, []Reason{DropNoRule}, nil},
		{"echo", own, fromClient6(echo6), passed, []Reason{AcceptICMP}, nil},
		{"echo, forwarded", own, fromClient6(echo6, from(peer1MAC)), dropped, []Reason{DropICMP}, nil},
		{"too big, own", own, fromClient6(icmpError6(quoted6())), passed, []Reason{AcceptOwner}, nil},
		{"too big, own, forwarded", own, fromClient6(icmpError6(quoted6()), from(peer1MAC)), passed, []Reason{AcceptOwner}, nil},
		{"too big, another's", other, fromClient6(icmpError6(quoted6())), redirected, []Reason{ForwardOwner}, peer1MAC},
		{"too big, ask", word(me, two, no, slotOwn|slotAsk), fromClient6(icmpError6(quoted6())), redirected, []Reason{ForwardNext}, peer2MAC},
		{"too big, behind options", other, fromClient6(icmpError6(quoted6()), with(pad(destination, 8))), redirected, []Reason{ForwardOwner}, peer1MAC},
		{"too big, of a packet with options", other, fromClient6(icmpError6(quoted6(with(pad(destination, 16))))), redirected, []Reason{ForwardOwner}, peer1MAC},
		{"too big, of a first fragment", other, fromClient6(icmpError6(quoted6(with(extension{fragmented, []byte{0, 1, 0, 0, 0, 7}})))), redirected, []Reason{ForwardOwner}, peer1MAC},
		{"too big, of a later fragment", other, fromClient6(icmpError6(quoted6(later))), passed, []Reason{AcceptICMP}, nil},
		{"unreachable, another's", other, fromClient6(icmpError6(quoted6()), set(offTCP6, 1)), redirected, []Reason{ForwardOwner}, peer1MAC},
		{"parameter problem, another's", other, fromClient6(icmpError6(quoted6()), set(offTCP6, 4)), redirected, []Reason{ForwardOwner}, peer1MAC},
		{"information, not an error", other, fromClient6(icmpError6(quoted6()), set(offTCP6, 130)), passed, []Reason{AcceptICMP}, nil},
		{"error about UDP, own", own, fromClient6(icmpError6(quoted6(udp))), passed, []Reason{AcceptICMP}, nil},
		{"error about UDP, another's", other, fromClient6(icmpError6(quoted6(udp))), redirected, []Reason{ForwardOwner}, peer1MAC},
		{"error about UDP, forwarded", other, fromClient6(icmpError6(quoted6(udp)), from(peer2MAC)), dropped, []Reason{DropICMP}, nil},
		{"error about another's packet", other, fromClient6(icmpError6(quoted6()), set(offTCP6+8+8+15, 1)), passed, []Reason{AcceptICMP}, nil},
		{"error without a rule", own, fromClient6(icmpError6(quoted6(dport(9)))), passed, []Reason{AcceptICMP}, nil},
		{"error, short", own, fromClient6(icmpError6(quoted6()), cut(offTCP6+8+42)), passed, []Reason{AcceptICMP}, nil},
		{"ICMPv6 without a type", own, fromClient6(echo6, cut(offTCP6)), dropped, []Reason{DropMalformed}, nil},
		{"to a multicast address at layer 2", own, fromClient6(to(allMAC), flags(syn)), dropped, []Reason{DropFrame}, nil},
		{"later fragment alone", own, fromClient6(later), passed, []Reason{AcceptShared}, nil},
		{"later fragment alone, forwarded", own, fromClient6(later, from(peer1MAC)), passed, []Reason{AcceptFragment}, nil},
		{"later fragment alone, of options", own, fromClient6(later, func(p *packet) { p.protocol = destination }, from(peer1MAC)), passed, []Reason{AcceptFragment}, nil},
		{"later fragment of another protocol", own, fromClient6(later, func(p *packet) { p.protocol = 47 }), passed, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.slot(c.slot)
			b.expect(t, ingress, c.p.frame(), c.want, c.why, c.to)
		})
	}
}

func TestLapsedLeaseTakesNothingNewByIPv6(t *testing.T) {
	b := newBench6(t)
	b.f.SetLease(BootTime() - time.Millisecond)
	b.slot(word(0, no, no, slotOwn))
	b.expect(t, ingress, fromClient6(flags(syn)).frame(), dropped, []Reason{DropLease}, nil)
	b.expect(t, ingress, fromClient6(udp).frame(), dropped, []Reason{DropLease}, nil)
	b.expect(t, ingress, fromClient6().frame(), passed, []Reason{AcceptOwner}, nil)
}

func TestIPv6FragmentsFollowTheFirst(t *testing.T) {
	later := func(p *packet) { p.fragment = 185 }
	first := func(p *packet) { p.fragment, p.payload = 0x2000, make([]byte, 1460) }
	options := with(pad(hopByHop, 8))
	b := newBench6(t)
	for i, c := range []struct {
		name string
		slot uint32
		edit func(*packet)
		want uint32
		why  Reason
		to   net.HardwareAddr
	}{
		{"accepted", word(0, no, no, slotOwn), flags(syn), passed, AcceptNew, nil},
		{"forwarded", word(1, no, no, 0), flags(syn), redirected, ForwardNew, peer1MAC},
		{"forwarded, behind options", word(1, no, no, 0), options, redirected, ForwardOwner, peer1MAC},
		{"dropped", word(no, no, no, 0), flags(syn), dropped, DropNobody, nil},
		{"UDP", word(2, no, no, 0), udp, redirected, ForwardNew, peer2MAC},
		{"unfinished header", word(0, no, no, slotOwn), cut(offTCP6 + 8 + 8), dropped, DropMalformed, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.slot(c.slot)
			number := func(p *packet) { p.id = uint16(i) }
			b.expect(t, ingress, fromClient6(c.edit, first, number).frame(), c.want, []Reason{c.why}, c.to)
			rest := fromClient6(c.edit, later, number)
			rest.edit = nil
			b.expect(t, ingress, rest.frame(), c.want, []Reason{c.why}, c.to)
			rest.id += 700
			b.expect(t, ingress, rest.frame(), passed, []Reason{AcceptShared}, nil)
		})
	}
}

func TestIPv6PacketsThatGoRoundEnd(t *testing.T) {
	b := newBench6(t)
	b.slot(word(0, 2, no, slotOwn|slotAsk))
	hops := func(n uint8) func(*packet) { return func(p *packet) { p.ttl = n } }
	_, _, out := b.run(ingress, fromClient6(hops(1)).frame())
	if out[offIP6+7] != 1 {
		t.Errorf("hop limit %d after the first hop, want 1", out[offIP6+7])
	}
	_, _, out = b.run(ingress, fromClient6(hops(9), from(peer1MAC)).frame())
	if out[offIP6+7] != 8 {
		t.Errorf("hop limit %d after the second hop, want 8", out[offIP6+7])
	}
	b.expect(t, ingress, fromClient6(hops(1), from(peer1MAC)).frame(), dropped, []Reason{DropLoop}, nil)
}

// TestIPv6FramesThatAllHave: what goes to a cluster MAC is accepted or dropped, and answered by the director alone.
func TestIPv6FramesThatAllHave(t *testing.T) {
	b := newBench(t)
	b.setup6(multiMAC)
	all := to(multiMAC)
	b.slot(word(0, no, no, slotOwn))
	b.expect(t, ingress, fromClient6(flags(syn), all).frame(), passed, []Reason{AcceptNew}, nil)
	b.expect(t, ingress, fromClient6(echo6, all).frame(), dropped, []Reason{DropICMP}, nil)
	b.slot(word(1, no, no, 0))
	b.expect(t, ingress, fromClient6(flags(syn), all).frame(), dropped, []Reason{DropSeenByOthers}, nil)
	still := func(m *nd) { m.to, m.dst = multiMAC, vip6 }
	b.expect(t, ingress, solicitation(still), dropped, []Reason{NDIgnored}, nil)
	if err := b.f.SetDirector(0, true); err != nil {
		t.Fatal(err)
	}
	b.expect(t, ingress, fromClient6(echo6, all).frame(), passed, []Reason{AcceptICMP}, nil)
	verdict, _, out := b.run(ingress, solicitation(still))
	if verdict != redirected || len(out) != 86 || net.HardwareAddr(out[6:12]).String() != ownMAC.String() || net.HardwareAddr(out[80:86]).String() != multiMAC.String() {
		t.Errorf("verdict %d, answer % x, want one from %v that names %v", verdict, out, ownMAC, multiMAC)
	}
}

func TestGuardByIPv6(t *testing.T) {
	reset := func(f uint8) []byte {
		return packet{from: ownMAC, to: clientMAC, etherType: 0x86dd, src: vip6, dst: client6, protocol: ProtocolTCP,
			sport: testPort, dport: clientPort, flags: f, ttl: 64}.frame()
	}
	asks := func(src netip.Addr) []byte {
		return solicitation(func(m *nd) { m.from, m.src, m.target, m.options = ownMAC, src, client6, macOption(1, ownMAC) })
	}
	elsewhere := word(0, 1, no, slotOwn|slotAsk)
	b := newBench6(t)
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
		{"nothing moved", word(0, no, no, slotOwn), reset(rst), passed, nil},
		{"with ACK", elsewhere, reset(rst | ack), passed, nil},
		{"data", elsewhere, reset(ack | psh), passed, nil},
		{"from another address", elsewhere, edited(reset(rst), offIP6+23, 1), passed, nil},
		{"short", elsewhere, reset(rst)[:offTCP6+19], passed, nil},
		{"solicitation as the VIP", elsewhere, asks(vip6), dropped, []Reason{GuardND}},
		{"solicitation of our own", elsewhere, asks(host6), passed, nil},
		{"search for duplicates", elsewhere, solicitation(func(m *nd) { m.from, m.src, m.options = ownMAC, netip.IPv6Unspecified(), nil }), passed, nil},
		{"announcement", elsewhere, advertisement(func(m *nd) { m.from, m.options = ownMAC, macOption(2, ownMAC) }), passed, nil},
		{"echo reply", elsewhere, packet{from: ownMAC, to: clientMAC, etherType: 0x86dd, src: vip6, dst: client6, protocol: protocolICMP6, ttl: 64,
			payload: []byte{129, 0, 0, 0, 0, 1, 0, 1}}.frame(), passed, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.slot(c.slot)
			b.expect(t, egress, c.frame, c.want, c.why, nil)
		})
	}
}

func TestGuardLetsTheEndOfTheChainResetByIPv6(t *testing.T) {
	b := newBench6(t)
	b.slot(word(0, 1, no, slotOwn|slotAsk))
	answer := packet{from: ownMAC, to: clientMAC, etherType: 0x86dd, src: vip6, dst: client6, protocol: ProtocolTCP,
		sport: testPort, dport: clientPort, flags: rst, ttl: 64}
	b.expect(t, egress, answer.frame(), dropped, []Reason{GuardReset}, nil)
	b.expect(t, ingress, fromClient6(from(peer1MAC)).frame(), passed, []Reason{AcceptEnd}, nil)
	b.expect(t, egress, answer.frame(), passed, nil, nil)
	answer.dport++
	b.expect(t, egress, answer.frame(), dropped, []Reason{GuardReset}, nil)
}
