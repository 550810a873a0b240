package filter

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/muster-ha/muster/internal/delivery"
)

var (
	router4 = netip.MustParseAddr("224.0.0.2")
	report4 = netip.MustParseAddr("224.0.0.22")
	router6 = netip.MustParseAddr("ff02::2")
	report6 = netip.MustParseAddr("ff02::16")
	linkIP  = netip.MustParseAddr("fe80::9")
	alert   = extension{hopByHop, []byte{5, 2, 0, 0, 1, 0}}
)

func groupOf(a netip.Addr) netip.Addr { return delivery.Of(delivery.IGMP, a).Group }

// macOfGroup is where frames to a group go (RFC 1112, 6.4; RFC 2464, 7).
func macOfGroup(g netip.Addr) net.HardwareAddr {
	b := g.AsSlice()
	if len(b) == 4 {
		return net.HardwareAddr{1, 0, 0x5e, b[1] & 0x7f, b[2], b[3]}
	}
	return append(net.HardwareAddr{0x33, 0x33}, b[12:]...)
}

// about is a message about one group: IGMP of version 1 and 2, or MLD of version 1.
func about(kind uint8, group netip.Addr) []byte {
	if group.Is4() {
		return append([]byte{kind, 0, 0, 0}, group.AsSlice()...)
	}
	return append([]byte{kind, 0, 0, 0, 0, 0, 0, 0}, group.AsSlice()...)
}

// record is what a report of IGMPv3 or MLDv2 says of a group, with so many sources and words behind them.
func record(group netip.Addr, sources, words int) []byte {
	r := append([]byte{4, uint8(words), 0, uint8(sources)}, group.AsSlice()...)
	return append(r, make([]byte, sources*group.BitLen()/8+words*4)...)
}

func report(kind uint8, records ...[]byte) []byte {
	return append([]byte{kind, 0, 0, 0, 0, 0, 0, uint8(len(records))}, slices.Concat(records...)...)
}

// said is a message of a stranger to a group.
func said(to netip.Addr, message []byte, edits ...func(*packet)) packet {
	p := packet{from: strangeMAC, to: macOfGroup(to), dst: to, ttl: 1, payload: message}
	if to.Is4() {
		p.etherType, p.src, p.protocol, p.options = 0x0800, clientIP, 2, []byte{0x94, 4, 0, 0}
	} else {
		p.etherType, p.src, p.protocol, p.extensions = 0x86dd, linkIP, protocolICMP6, []extension{alert}
		binary.BigEndian.PutUint16(message[2:], p.transportChecksum(message))
	}
	for _, e := range edits {
		e(&p)
	}
	return p
}

// grouped gives the bench VIPs whose delivery is igmp.
func (b *bench) grouped(t *testing.T, vips ...netip.Addr) {
	t.Helper()
	var s Setup
	for _, a := range vips {
		mac := delivery.Of(delivery.IGMP, a).MAC
		s.VIPs = append(s.VIPs, VIP{Address: a, Interface: b.ifindex, MAC: ownMAC, Answer: mac, Taken: []net.HardwareAddr{mac}})
	}
	if err := b.f.Configure(s); err != nil {
		t.Fatal(err)
	}
}

func TestStrangersInIPv4Groups(t *testing.T) {
	b := newBench(t)
	b.grouped(t, netip.MustParseAddr("10.9.0.77"), testVIP)
	group, other := groupOf(testVIP), netip.MustParseAddr("239.255.0.9")
	counted := []Reason{IGMPStranger}
	withoutAlert := func(p *packet) { p.options = nil }
	several := report(0x22, record(other, 3, 2), record(report4, 0, 0), record(group, 0, 0), record(other, 0, 0))
	for _, c := range []struct {
		name string
		p    packet
		why  []Reason
	}{
		{"leave", said(router4, about(0x17, group)), counted},
		{"leave to the group", said(group, about(0x17, group)), counted},
		{"report, version 1, without the alert for routers", said(group, about(0x12, group), withoutAlert), counted},
		{"report, version 2", said(group, about(0x16, group)), counted},
		{"report, version 3", said(report4, report(0x22, record(group, 0, 0))), counted},
		{"report, version 3, among several", said(report4, several), counted},
		{"report, version 3, with sources", said(report4, report(0x22, record(group, 9, 0))), counted},
		{"report of a group with the same last bytes", said(group, about(0x16, netip.MustParseAddr("239.254.0.100"))), nil},

		{"leave of another group", said(router4, about(0x17, other)), nil},
		{"report of another group", said(other, about(0x16, other)), nil},
		{"report of another group with the same MAC", said(group, about(0x16, netip.MustParseAddr("239.127.0.100"))), nil},
		{"report of other groups, version 3", said(report4, report(0x22, record(other, 2, 0), record(report4, 0, 1))), nil},
		{"query of the group", said(group, about(0x11, group)), nil},
		{"query of all", said(netip.MustParseAddr("224.0.0.1"), about(0x11, netip.IPv4Unspecified())), nil},
		{"message of another kind", said(group, about(0x13, group)), nil},

		{"from a host of the cluster", said(group, about(0x16, group), from(peer1MAC)), nil},
		{"from a host of the cluster, version 3", said(report4, report(0x22, record(group, 0, 0)), from(peer2MAC)), nil},
		{"from this host", said(group, about(0x17, group), from(ownMAC)), nil},
		{"to another machine", said(group, about(0x16, group), to(peer1MAC)), nil},
		{"tagged", said(group, about(0x16, group), edit(tag)), nil},
		{"fragment", said(group, about(0x16, group), func(p *packet) { p.fragment = 0x2000 }), nil},

		{"ends in the group", said(group, about(0x16, group)[:6]), nil},
		{"empty", said(group, nil, withoutAlert, func(p *packet) { p.payload = []byte{0x16} }), nil},
		{"version 3, ends in its record", said(report4, report(0x22, record(group, 0, 0))[:12]), nil},
		{"version 3, without the records that it promises", said(report4, append(report(0x22)[:7], 200)), nil},
		{"version 3, a record that reaches beyond", said(report4, report(0x22, record(other, 2, 0)[:8], record(group, 0, 0))), nil},
		{"version 3, ours behind the length of the packet", said(report4, report(0x22, record(group, 0, 0)), edit(shorten(offIP+2, 8))), nil},
		{"header that is none", said(group, about(0x16, group), set(offIP, 0x40)), nil},
	} {
		t.Run(c.name, func(t *testing.T) { b.expect(t, ingress, c.p.frame(), passed, c.why, nil) })
	}
}

func TestStrangersInIPv6Groups(t *testing.T) {
	b := newBench(t)
	b.grouped(t, testVIP, vip6)
	group, other := groupOf(vip6), netip.MustParseAddr("ff15::bf:0:9")
	counted := []Reason{MLDStranger}
	several := report(143, record(other, 3, 2), record(report6, 0, 0), record(group, 0, 0), record(other, 0, 0))
	for _, c := range []struct {
		name string
		p    packet
		why  []Reason
	}{
		{"done", said(router6, about(132, group)), counted},
		{"report, version 1", said(group, about(131, group)), counted},
		{"report, version 1, without the alert for routers", said(group, about(131, group), with()), counted},
		{"report, version 2", said(report6, report(143, record(group, 0, 0))), counted},
		{"report, version 2, among several", said(report6, several), counted},
		{"report, version 2, with sources", said(report6, report(143, record(group, 5, 1))), counted},

		{"done with another group", said(router6, about(132, other)), nil},
		{"report of another group", said(other, about(131, other)), nil},
		{"report of another group with the same MAC", said(group, about(131, netip.MustParseAddr("ff05::bf:0:100"))), nil},
		{"report of the IPv4 VIP's group", said(group, about(131, netip.AddrFrom16(groupOf(testVIP).As16()))), nil},
		{"report of other groups, version 2", said(report6, report(143, record(other, 2, 0), record(report6, 0, 1))), nil},
		{"query of the group", said(group, about(130, group)), nil},
		{"echo to the group", said(group, about(128, group)), nil},

		{"from a host of the cluster", said(group, about(131, group), from(peer1MAC)), nil},
		{"from a host of the cluster, version 2", said(report6, report(143, record(group, 0, 0)), from(peer2MAC)), nil},
		{"from this host", said(router6, about(132, group), from(ownMAC)), nil},
		{"to another machine", said(group, about(131, group), to(peer1MAC)), nil},
		{"behind another header", said(group, about(131, group), with(pad(routing, 24))), nil},
		{"fragment", said(group, about(131, group), func(p *packet) { p.fragment = 0x2000 }), nil},

		{"ends in the group", said(group, about(131, group)[:20]), nil},
		{"version 2, ends in its record", said(report6, report(143, record(group, 0, 0))[:24]), nil},
		{"version 2, without the records that it promises", said(report6, append(report(143)[:7], 200)), nil},
		{"version 2, a record that reaches beyond", said(report6, report(143, record(other, 2, 0)[:20], record(group, 0, 0))), nil},
		{"version 2, ours behind the length of the packet", said(report6, report(143, record(group, 0, 0)), edit(shorten(offIP6+4, 8))), nil},
	} {
		t.Run(c.name, func(t *testing.T) { b.expect(t, ingress, c.p.frame(), passed, c.why, nil) })
	}
}

// shorten takes bytes off a length in a header, and none off the frame.
func shorten(at int, by uint16) func([]byte) []byte {
	return func(frame []byte) []byte {
		binary.BigEndian.PutUint16(frame[at:], binary.BigEndian.Uint16(frame[at:])-by)
		return frame
	}
}

// TestGroupIsTheSameInC: the programs recognise the group that hosts join for an address, and no other.
func TestGroupIsTheSameInC(t *testing.T) {
	b := newBench(t)
	rapid.Check(t, func(r *rapid.T) {
		addresses := []netip.Addr{netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(r, "IPv4"))),
			netip.AddrFrom16([16]byte(append([]byte{0xfd}, rapid.SliceOfN(rapid.Byte(), 15, 15).Draw(r, "IPv6")...)))}
		for i, a := range addresses {
			if !groupOf(a).IsValid() {
				continue // no address of a host
			}
			b.grouped(t, a)
			kind := []uint8{0x16, 131}[i]
			near := groupOf(a).AsSlice()
			near[rapid.IntRange(0, len(near)-1).Draw(r, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(r, "bit")
			_, ours, _ := b.run(ingress, said(groupOf(a), about(kind, groupOf(a))).frame())
			beside, _ := netip.AddrFromSlice(near)
			_, others, _ := b.run(ingress, said(groupOf(a), about(kind, beside)).frame())
			if len(ours) != 1 || ours[0] != []Reason{IGMPStranger, MLDStranger}[i] || len(others) != 0 {
				r.Fatalf("%s: counted %v for its group %s and %v for one beside it", a, ours, groupOf(a), others)
			}
		}
	})
}

// A VIP has a group only while its delivery says so, and only at its interface.
func TestGroupsThatNobodyIsIn(t *testing.T) {
	b := newBench(t)
	b.grouped(t, testVIP)
	leave := said(router4, about(0x17, groupOf(testVIP))).frame()
	b.expect(t, ingress, leave, passed, []Reason{IGMPStranger}, nil)
	b.setup(multiMAC)
	b.expect(t, ingress, leave, passed, nil, nil)
	b.grouped(t, testVIP)
	b.grouped(t, vip6)
	b.expect(t, ingress, leave, passed, nil, nil)
	b.grouped(t, testVIP, vip6)
	b.expect(t, ingress, leave, passed, []Reason{IGMPStranger}, nil)
	b.ifindex = b.stub("d1", ownMAC)
	b.expect(t, ingress, leave, passed, nil, nil)
}

func TestAnyBytesAboutGroupsYieldAVerdict(t *testing.T) {
	b := newBench(t)
	b.grouped(t, testVIP, vip6)
	four, six := groupOf(testVIP), groupOf(vip6)
	b.anyBytes(t, offTCP, [][]byte{
		said(router4, about(0x17, four)).frame(), said(four, about(0x16, four)).frame(),
		said(report4, report(0x22, record(router4, 2, 1), record(four, 0, 0))).frame(),
	})
	b.anyBytes(t, offTCP6, [][]byte{
		said(router6, about(132, six)).frame(), said(six, about(131, six), with()).frame(),
		said(report6, report(143, record(router6, 2, 1), record(six, 0, 0))).frame(),
	})
}
