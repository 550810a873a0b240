package madcap

import (
	"cmp"
	"net/netip"
	"slices"
)

// maxRanges bounds the ranges of one lease, so that its ACK fits a datagram that no network cuts into pieces.
const maxRanges = 48

// pick returns want addresses of the pools, or as many as there are, that no busy span holds. It looks round from start on; one run of
// addresses is better than several. Pools and busy spans are all of one family.
func pick(pools, busy []Span, want int, start netip.Addr) []Range {
	free := rotate(subtract(pools, busy), start)
	for _, s := range free {
		if s.Size() >= uint64(want) {
			return []Range{{s.First, uint16(want)}}
		}
	}
	slices.SortStableFunc(free, func(a, b Span) int { return cmp.Compare(b.Size(), a.Size()) })
	var list []Range
	for _, s := range free {
		if want == 0 || len(list) == maxRanges {
			break
		}
		n := min(uint64(want), s.Size())
		list = append(list, Range{s.First, uint16(n)})
		want -= int(n)
	}
	return list
}

// subtract returns what is left of the pools, in order.
func subtract(pools, busy []Span) []Span {
	busy = slices.SortedFunc(slices.Values(busy), func(a, b Span) int { return a.First.Compare(b.First) })
	var free []Span
	for _, p := range pools {
		next := p.First
		for _, b := range busy {
			if !b.Overlaps(Span{next, p.Last}) {
				continue
			}
			if next.Less(b.First) {
				free = append(free, Span{next, b.First.Prev()})
			}
			if next = b.Last.Next(); !next.IsValid() || p.Last.Less(next) {
				next = netip.Addr{}
				break
			}
		}
		if next.IsValid() {
			free = append(free, Span{next, p.Last})
		}
	}
	return free
}

// rotate lets the list begin with the address, cutting the span that holds it.
func rotate(spans []Span, start netip.Addr) []Span {
	var before, after []Span
	for _, s := range spans {
		switch {
		case s.Last.Less(start):
			before = append(before, s)
		case s.First.Less(start):
			before = append(before, Span{s.First, start.Prev()})
			after = append(after, Span{start, s.Last})
		default:
			after = append(after, s)
		}
	}
	return append(after, before...)
}
