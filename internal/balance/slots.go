package balance

import (
	"math/bits"

	"github.com/muster-ha/muster/internal/member"
)

// Slots works out a rule's slots for the filter of host self: t is the table of the view, own the buckets in which self accepts
// now, mine where self still has connections that are not in its buckets, others the same of the other members.
//
// The chain of a bucket is its owner, then those that may still hold connections in it, by rising index, ghosts last
// (docs/design/0002-filter.md). Where nobody owns a bucket, the first that may hold connections takes the owner's place in the chain.
func Slots(self member.ID, t *Table, own Bitmap, mine Holding, others []Holding, out *[Buckets]uint32) {
	var holders holderWords
	holders.add(self, &mine)
	for i := range others {
		if others[i].ID != self {
			holders.add(others[i].ID, &others[i])
		}
	}
	for word := range own {
		holders.load(word)
		for bit := range 64 {
			b := word*64 + bit
			holding := holders.at(bit)
			s := slot(self, t[b], holding, holders.ghosts)
			if own[word]>>bit&1 != 0 {
				s.Flags |= Own
			}
			out[b] = s.Word()
		}
	}
}

// NoLast takes the end off every chain: until all members have the view, a host that has not sends packets the way of the view before, and
// the last of the new chain cannot tell whether those before it have been asked.
func NoLast(out *[Buckets]uint32) {
	const ask, last = uint32(Ask) << 24, uint32(Last) << 24
	for b, word := range out {
		if word&ask != 0 {
			out[b] = word &^ last
		}
	}
}

// slot is everything of a slot but the own flag.
func slot(self member.ID, owner uint8, holding, ghosts member.Set) Slot {
	if owner == Nobody && holding != 0 {
		s := slot(self, uint8(nextOf(holding, ghosts)), holding, ghosts)
		s.Flags |= Ask | NoOwner
		return s
	}
	s := Slot{Owner: owner, Second: Nobody, Third: Nobody}
	holding = holding.Without(member.ID(owner)) // no host has the index Nobody
	if holding != 0 {
		s.Flags |= Ask
	}
	after := holding
	switch {
	case owner == uint8(self):
	case holding.Has(self):
		after = holding &^ member.First(int(self)+1)
		if !ghosts.Has(self) {
			after = after&^ghosts | holding&ghosts
		} else {
			after &= ghosts
		}
	default:
		return s // not in the chain
	}
	if after == 0 {
		s.Flags |= Last
		if owner != uint8(self) {
			s.Third = before(self, owner, holding)
		}
		return s
	}
	second := nextOf(after, ghosts)
	s.Second = uint8(second)
	if after = after.Without(second); after != 0 {
		s.Third = uint8(nextOf(after, ghosts))
	}
	return s
}

// before is the host that asks the last one of a chain. No host is a ghost to itself, so ghosts are none in a chain that ends here.
func before(last member.ID, owner uint8, holding member.Set) uint8 {
	rest := holding.Without(last)
	if rest == 0 {
		return owner
	}
	return uint8(bits.Len32(uint32(rest)) - 1)
}

// nextOf is the first of a part of the chain that is not empty.
func nextOf(after, ghosts member.Set) member.ID {
	if living := after &^ ghosts; living != 0 {
		return living.Lowest()
	}
	return after.Lowest()
}

// holderWords goes through the holdings of all hosts 64 buckets at a time.
type holderWords struct {
	maps    [member.MaxHosts]*Bitmap
	unknown member.Set
	known   member.Set
	ghosts  member.Set
	words   [member.MaxHosts]uint64
	any     uint64
}

func (h *holderWords) add(id member.ID, holding *Holding) {
	if id >= member.MaxHosts {
		return
	}
	if holding.Ghost {
		h.ghosts = h.ghosts.With(id)
	}
	if holding.Unknown {
		h.unknown = h.unknown.With(id)
		return
	}
	h.known = h.known.With(id)
	h.maps[id] = &holding.Buckets
}

func (h *holderWords) load(word int) {
	h.any = 0
	for known := h.known; known != 0; known &= known - 1 {
		id := bits.TrailingZeros32(uint32(known))
		h.words[id] = h.maps[id][word]
		h.any |= h.words[id]
	}
}

// at is the hosts that may hold connections of the loaded word's bucket bit.
func (h *holderWords) at(bit int) member.Set {
	s := h.unknown
	if h.any>>bit&1 == 0 {
		return s
	}
	for known := h.known; known != 0; known &= known - 1 {
		id := bits.TrailingZeros32(uint32(known))
		s |= member.Set(h.words[id]>>bit&1) << id
	}
	return s
}
