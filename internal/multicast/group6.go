package multicast

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
)

// dynamic is the first of the group identifiers (the last 32 bits of an IPv6 group) that RFC 3307, section 4.3, leaves to servers and
// hosts to choose from; those below are assigned for good.
const dynamic = 1 << 31

// DefaultRange6 is what IPv6 groups are chosen from: site-local scope, like IPv4's 239.255.0.0/16 not to leave the site, with the T flag
// ("not assigned for good") that RFC 3307 asks of every address chosen, ff15:: and not ff05::, and a dynamic group identifier.
func DefaultRange6() Range {
	return Range{netip.MustParseAddr("ff15::8000:0"), netip.MustParseAddr("ff15::ffff:ffff")}
}

// Administrative6 is where an IPv6 lease may be from unless the file says otherwise: scopes 3 to 8, wider than the link and narrower than the
// world, with the T flag.
func Administrative6() Range {
	return Range{netip.MustParseAddr("ff13::"), netip.MustParseAddr("ff18:ffff:ffff:ffff:ffff:ffff:ffff:ffff")}
}

// IsGroup says whether an address can be the group of a network: an IPv4 group, or an IPv6 one of link-local scope or wider. Whatever the
// scope, heartbeats have a hop limit of 1 and stay on the link; what differs is which switches and routers keep a state of it.
func IsGroup(a netip.Addr) bool {
	if a.Is4() {
		return a.IsMulticast()
	}
	const linkLocal, global = 2, 14 // 0 and 15 are reserved, 1 does not leave the host (RFC 7346, section 2)
	scope := scopeOf(a)
	return a.IsMulticast() && a.Zone() == "" && !a.Is4In6() && scope >= linkLocal && scope <= global
}

func scopeOf(a netip.Addr) byte {
	b := a.As16()
	return b[1] & 0x0f
}

// For gives what to choose from on a network of a family: the range if it is of that family, and otherwise its default.
func (r Range) For(six bool) Range {
	switch {
	case r.First.IsValid() && r.First.Is6() == six:
		return r
	case six:
		return DefaultRange6()
	}
	return DefaultRange()
}

// unfit6 says why an IPv6 range is of no use; empty: it is of use.
func (r Range) unfit6() string {
	a, b := r.First.As16(), r.Last.As16()
	switch {
	case [12]byte(a[:12]) != [12]byte(b[:12]):
		return "an IPv6 range has ends that differ in their last 32 bits only"
	case identifier(r.Last) < dynamic:
		return "the range has no group identifier from 8000:0 on, which RFC 3307 leaves to choose from"
	}
	return ""
}

// choose6 is Choose for an IPv6 range: any of its dynamic identifiers.
func (r Range) choose6(avoid func(netip.Addr) bool) (netip.Addr, bool) {
	first := max(identifier(r.First), dynamic)
	count := uint64(identifier(r.Last)-first) + 1
	start := rand.Uint64N(count)
	for i := range count {
		if a := withIdentifier(r.First, first+uint32((start+i)%count)); !avoid(a) {
			return a, true
		}
	}
	return netip.Addr{}, false
}

// identifier is the group identifier of an IPv6 group: its last 32 bits, which are also those of its Ethernet address.
func identifier(a netip.Addr) uint32 {
	b := a.As16()
	return binary.BigEndian.Uint32(b[12:])
}

func withIdentifier(a netip.Addr, n uint32) netip.Addr {
	b := a.As16()
	binary.BigEndian.PutUint32(b[12:], n)
	return netip.AddrFrom16(b)
}
