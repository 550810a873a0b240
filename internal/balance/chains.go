package balance

import "github.com/muster-ha/muster/internal/member"

// Chain is where a first packet of a client goes in a rule that remembers clients (docs/design/0015-rules.md). Either place may be Nobody.
type Chain struct {
	First uint8 // whom it goes to when it comes from a client
	Next  uint8 // whom this host passes it to when it does not know the client
}

// Word packs a chain as the filter's map holds it: first in the low byte, next in the high one.
func (c Chain) Word() uint16 { return uint16(c.First) | uint16(c.Next)<<8 }

// Chains works out a rule's chains for the filter of host self. The chain of a bucket is the hosts that may remember clients in it, by rising
// index, and then its owner. Who may remember is who has announced to hold something there, and may serve the rule: a host that is not
// eligible has forgotten everybody. The arguments are those of Slots.
//
// Every host passes a packet on to a higher index or to the owner, also one that is not in the chain itself. So hosts that agree about the
// owner cannot pass a packet round, however much older than the others' one host's knowledge of holdings is.
func Chains(self member.ID, t *Table, eligible member.Set, mine Holding, others []Holding, out *[Buckets]uint16) {
	var holders holderWords
	holders.add(self, &mine)
	for i := range others {
		if others[i].ID != self {
			holders.add(others[i].ID, &others[i])
		}
	}
	for word := range mine.Buckets {
		holders.load(word)
		for bit := range 64 {
			b := word*64 + bit
			out[b] = chain(self, t[b], holders.at(bit)&eligible).Word()
		}
	}
}

// chain is the chain of one bucket.
func chain(self member.ID, owner uint8, remembering member.Set) Chain {
	c := Chain{First: owner, Next: owner}
	remembering = remembering.Without(member.ID(owner)) // no host has the index Nobody
	if remembering != 0 {
		c.First = uint8(remembering.Lowest())
	}
	if after := remembering &^ member.First(int(self)+1); after != 0 {
		c.Next = uint8(after.Lowest())
	}
	if owner == uint8(self) {
		c.Next = Nobody
	}
	return c
}
