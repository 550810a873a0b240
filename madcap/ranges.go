package madcap

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"net/netip"
	"slices"
)

// Range is Count successive multicast addresses from First on (RFC 2730, section 3.11).
type Range struct {
	First netip.Addr `json:"first"`
	Count uint16     `json:"count"` // at least 1
}

// Last returns the last address of the range. It is not valid when the range goes beyond the end of the address space.
func (r Range) Last() netip.Addr { return plus(r.First, uint64(r.Count)-1) }

func (r Range) span() Span { return Span{r.First, r.Last()} }

func (r Range) String() string {
	if r.Count == 1 {
		return r.First.String()
	}
	return r.span().String()
}

// check says why the range cannot be one of multicast addresses of the family.
func (r Range) check(f Family) error {
	if r.Count == 0 {
		return fmt.Errorf("range at %v is empty", r.First)
	}
	return r.span().check(f)
}

// Span is all addresses from First to Last, both included.
type Span struct {
	First netip.Addr `json:"first"`
	Last  netip.Addr `json:"last"`
}

func (s Span) String() string { return fmt.Sprintf("%v-%v", s.First, s.Last) }

// Contains tells whether the span holds all of other.
func (s Span) Contains(other Span) bool {
	return sameFamily(s.First, other.First) && !other.First.Less(s.First) && !s.Last.Less(other.Last)
}

// Overlaps tells whether an address is in both.
func (s Span) Overlaps(other Span) bool {
	return sameFamily(s.First, other.First) && !s.Last.Less(other.First) && !other.Last.Less(s.First)
}

// Size returns the number of addresses, at most 2^64-1.
func (s Span) Size() uint64 {
	if d := minus(s.Last, s.First); d != math.MaxUint64 {
		return d + 1
	}
	return math.MaxUint64
}

func (s Span) check(f Family) error {
	switch {
	case !s.First.IsValid() || !s.Last.IsValid() || FamilyOf(s.First) != f || FamilyOf(s.Last) != f:
		return fmt.Errorf("%v is no span of %v addresses", s, f)
	case !s.First.IsMulticast() || !s.Last.IsMulticast() || s.First.Is4In6() || s.Last.Is4In6():
		return fmt.Errorf("%v is not multicast", s)
	case s.Last.Less(s.First):
		return fmt.Errorf("%v ends before it begins", s)
	}
	return nil
}

func sameFamily(a, b netip.Addr) bool { return a.Is4() == b.Is4() }

// words returns an address as a number of 128 bits.
func words(a netip.Addr) (high, low uint64) {
	b := a.As16()
	return binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
}

// plus returns a + n, or the zero Addr beyond the end of the address space.
func plus(a netip.Addr, n uint64) netip.Addr {
	if !a.IsValid() {
		return netip.Addr{}
	}
	high, low := words(a)
	low, carry := bits.Add64(low, n, 0)
	high, carry = bits.Add64(high, 0, carry)
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], high)
	binary.BigEndian.PutUint64(b[8:], low)
	sum := netip.AddrFrom16(b)
	if !a.Is4() && carry == 0 {
		return sum
	}
	if a.Is4() && sum.Is4In6() {
		return sum.Unmap()
	}
	return netip.Addr{}
}

// minus returns a - b for a not less than b, at most 2^64-1.
func minus(a, b netip.Addr) uint64 {
	ah, al := words(a)
	bh, bl := words(b)
	low, borrow := bits.Sub64(al, bl, 0)
	if high, _ := bits.Sub64(ah, bh, borrow); high != 0 {
		return math.MaxUint64
	}
	return low
}

func later(a, b netip.Addr) netip.Addr {
	if a.Less(b) {
		return b
	}
	return a
}

func earlier(a, b netip.Addr) netip.Addr {
	if b.Less(a) {
		return b
	}
	return a
}

// merge returns the same addresses in order, none twice.
func merge(spans []Span) []Span {
	slices.SortFunc(spans, func(a, b Span) int { return a.First.Compare(b.First) })
	var out []Span
	for _, s := range spans {
		if n := len(out); n > 0 && out[n-1].Overlaps(s) {
			out[n-1].Last = later(out[n-1].Last, s.Last)
			continue
		}
		out = append(out, s)
	}
	return out
}
