package multicast

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"net/netip"
)

// ErrFull says that a range has no address left.
var ErrFull = errors.New("no address of the range is free")

// How says how a group's address was found.
type How uint8

// The ways, in the order in which they are tried.
const (
	Manual How = iota + 1 // it stands in the file, or was set by hand
	Leased                // a MADCAP server granted it
	Random                // the hosts chose it themselves
)

// String is the way as people call it.
func (h How) String() string {
	switch h {
	case Manual:
		return "manual"
	case Leased:
		return "MADCAP lease"
	case Random:
		return "self-selected"
	}
	return "none"
}

// Group is the address that the hosts agree on for a network.
type Group struct {
	Address netip.Addr // invalid: none
	Version uint32     // grows with each choice
	How     How        // says what ends it: another file, the lease's end, strangers
}

// Newer says whether a host that has g takes over other. It orders all groups, so that hosts that chose apart from each
// other agree when they meet.
func (g Group) Newer(other Group) bool {
	return cmp.Or(cmp.Compare(other.Version, g.Version), other.Address.Compare(g.Address)) > 0
}

// Source finds an address for a group.
type Source interface {
	// Choose gives an address for which avoid says false. An error means that this source has none now; the next one is asked.
	Choose(avoid func(netip.Addr) bool) (netip.Addr, How, error)
}

// Range is a range of group addresses of one family, both ends included. The zero value is no range: Usable and For make the default of it.
type Range struct{ First, Last netip.Addr }

// DefaultRange is the IPv4 local scope less its last 256 addresses, which RFC 2365 keeps for relative assignments.
func DefaultRange() Range {
	return Range{netip.AddrFrom4([4]byte{239, 255, 0, 0}), netip.AddrFrom4([4]byte{239, 255, 254, 255})}
}

// Administrative is the range that RFC 2365 keeps for groups whose reach an administrator bounds: where a lease may be from unless the file
// says otherwise. Administrative6 is that for IPv6.
func Administrative() Range {
	return Range{netip.AddrFrom4([4]byte{239, 0, 0, 0}), netip.AddrFrom4([4]byte{239, 255, 255, 255})}
}

// Holds says whether an address is in the range.
func (r Range) Holds(a netip.Addr) bool {
	return a.BitLen() == r.First.BitLen() && !a.Less(r.First) && !r.Last.Less(a)
}

// Usable gives the range if both of its ends are groups of one family and in order, and otherwise the default with the reason.
func (r Range) Usable() (Range, string) {
	switch {
	case !r.First.IsValid() && !r.Last.IsValid():
		return DefaultRange(), ""
	case !IsGroup(r.First) || !IsGroup(r.Last) || r.First.Is4() != r.Last.Is4():
		return DefaultRange(), "an end of the range is no group address: the default range is used"
	case r.Last.Less(r.First):
		return DefaultRange(), "the range ends before it starts: the default range is used"
	case r.First.Is4():
		return r, ""
	}
	if why := r.unfit6(); why != "" {
		return DefaultRange(), why + ": the default range is used"
	}
	return r, ""
}

// MAC is the Ethernet address of a group as a number: groups with the same one reach the same cards. Of an IPv4 group 23 bits stand in it
// (RFC 1112, section 6.4), of an IPv6 group 32 (RFC 2464, section 7).
func MAC(a netip.Addr) uint64 {
	if a.Is4() {
		return 0x01005e<<24 | uint64(number(a)&(1<<23-1))
	}
	return 0x3333<<32 | uint64(identifier(a))
}

func number(a netip.Addr) uint32 {
	b := a.As4()
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

func address(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

// SelfSelected chooses at random in a range.
type SelfSelected struct{ Range Range }

// Choose begins at a random place, so that clusters that know nothing of each other seldom meet. It returns ErrFull if every address of the range
// is reserved or to be avoided.
func (s SelfSelected) Choose(avoid func(netip.Addr) bool) (netip.Addr, How, error) {
	if s.Range.First.Is6() {
		if a, ok := s.Range.choose6(avoid); ok {
			return a, Random, nil
		}
		return netip.Addr{}, 0, ErrFull
	}
	first, count := number(s.Range.First), uint64(number(s.Range.Last)-number(s.Range.First))+1
	start := rand.Uint64N(count)
	for i := range count {
		a := address(first + uint32((start+i)%count))
		if !Reserved(a) && !avoid(a) {
			return a, Random, nil
		}
	}
	return netip.Addr{}, 0, ErrFull
}

// Reserved says whether an address is of the groups that no cluster takes by chance: 224.0.0/24 reaches everybody whatever switches learn,
// 232/8 is source-specific, 233/8 belongs to holders of AS numbers; of IPv6 those whose identifier is assigned for good.
func Reserved(a netip.Addr) bool {
	if !a.Is4() {
		return identifier(a) < dynamic
	}
	b := a.As4()
	return b[0] == 224 && b[1] == 0 && b[2] == 0 || b[0] == 232 || b[0] == 233
}

// Avoid gives what a network's group must not be: a group that strangers use, or one with the MAC of another network's group.
func Avoid(strangers []netip.Addr, others []netip.Addr) func(netip.Addr) bool {
	return func(a netip.Addr) bool {
		for _, s := range strangers {
			if s == a {
				return true
			}
		}
		for _, o := range others {
			if o.IsValid() && MAC(o) == MAC(a) {
				return true
			}
		}
		return false
	}
}
