package member

import (
	"iter"
	"math/bits"
)

// Of is the set of the given hosts.
func Of(ids ...ID) Set {
	var s Set
	for _, id := range ids {
		s = s.With(id)
	}
	return s
}

// First is the set of the n lowest hosts.
func First(n int) Set {
	if n >= MaxHosts {
		return ^Set(0)
	}
	return Set(1)<<max(n, 0) - 1
}

// Has reports whether id is in the set.
func (s Set) Has(id ID) bool { return id < MaxHosts && s>>id&1 != 0 }

// With is the set and id. An id that no configuration can have changes nothing.
func (s Set) With(id ID) Set { return s | Set(1)<<id }

// Without is the set except id.
func (s Set) Without(id ID) Set { return s &^ (Set(1) << id) }

// Len is the number of hosts in the set.
func (s Set) Len() int { return bits.OnesCount32(uint32(s)) }

// Lowest is the lowest host; the set must not be empty.
func (s Set) Lowest() ID { return ID(bits.TrailingZeros32(uint32(s))) }

// All yields the hosts by rising id.
func (s Set) All() iter.Seq[ID] {
	return func(yield func(ID) bool) {
		for ; s != 0; s &= s - 1 {
			if !yield(s.Lowest()) {
				return
			}
		}
	}
}

// before orders sets of equal size: the one that has the lowest host in which they differ comes first.
func (s Set) before(o Set) bool {
	differ := s ^ o
	return differ != 0 && s.Has(differ.Lowest())
}
