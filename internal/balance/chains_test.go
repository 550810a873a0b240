package balance

import (
	"testing"

	"github.com/muster-ha/muster/internal/member"
	"pgregory.net/rapid"
)

func TestChain(t *testing.T) {
	const n = Nobody
	tests := []struct {
		name        string
		self        member.ID
		owner       uint8
		remembering member.Set
		want        Chain
	}{
		{"owner, nobody remembers", 1, 1, 0, Chain{1, n}},
		{"another, nobody remembers", 0, 1, 0, Chain{1, 1}},
		{"owner is asked last", 1, 1, member.Of(0, 1, 4), Chain{0, n}},
		{"first of the chain", 0, 1, member.Of(0, 4), Chain{0, 4}},
		{"last before the owner", 4, 1, member.Of(0, 4), Chain{0, 1}},
		{"not in the chain, between", 2, 1, member.Of(0, 4), Chain{0, 4}},
		{"not in the chain, behind", 5, 1, member.Of(0, 4), Chain{0, 1}},
		{"nobody owns, some remember", 4, n, member.Of(0, 4), Chain{0, n}},
		{"nobody owns, nobody remembers", 4, n, 0, Chain{n, n}},
		{"the highest host", 31, 0, member.Of(3, 31), Chain{3, 0}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := chain(test.self, test.owner, test.remembering); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

// farmOf is hosts with tables of one bucket, and what decide_client in bpf/remember.h makes of them.
type farmOf struct {
	chains     [member.MaxHosts]Chain
	own        [member.MaxHosts]bool
	remembered member.Set // hosts that remember the client
	delivered  member.Set // hosts that a frame reaches: one, or with a cluster MAC all
}

// maxHops is the TTL of a client's packet, which each hop after the first lowers.
const maxHops = 64

// send gives a first packet of the client to the hosts and says who accepts it; every copy that goes on is followed.
func (f *farmOf) send() (accepted []member.ID) {
	for id := range f.delivered.All() {
		at := id
		if f.chains[at].First != uint8(at) {
			if f.delivered.Len() > 1 || f.chains[at].First == Nobody {
				continue // another host has it too
			}
			at = member.ID(f.chains[at].First)
		}
		if got, ok := f.follow(at); ok {
			accepted = append(accepted, got)
		}
	}
	return accepted
}

// follow passes a packet on from host to host.
func (f *farmOf) follow(at member.ID) (member.ID, bool) {
	for range maxHops {
		if f.remembered.Has(at) || f.own[at] {
			return at, true
		}
		next := f.chains[at].Next
		if next == Nobody || next == uint8(at) {
			return 0, false
		}
		at = member.ID(next)
	}
	return 0, false
}

// TestExactlyOneHostAcceptsARememberedClient: with agreed views, and whatever each host knows of others' holdings beyond what is so, a
// client's first packet is accepted by one host, and by one that remembers the client if there is one.
func TestExactlyOneHostAcceptsARememberedClient(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "hosts")
		all := member.First(n)
		may := member.Set(rapid.Uint32().Draw(t, "eligible")) & all
		var f farmOf
		owner := uint8(Nobody)
		if may != 0 {
			owner = uint8(rapid.SampledFrom(members(may)).Draw(t, "owner"))
		}
		f.remembered = member.Set(rapid.Uint32().Draw(t, "remember")) & may // the others' memory is void
		holding := f.remembered | member.Set(rapid.Uint32().Draw(t, "holding"))&all
		for id := range all.All() {
			// What is known of holdings may be old: a host that was taken to hold everything still is, by some.
			believed := holding | member.Set(rapid.Uint32().Draw(t, "believed"))&all
			f.chains[id] = chain(id, owner, believed&may)
			f.own[id] = owner == uint8(id)
		}
		f.delivered = member.Of(rapid.SampledFrom(members(all)).Draw(t, "receiver"))
		got := f.send()
		switch {
		case may == 0:
			if len(got) > 0 {
				t.Fatalf("nobody may serve, and %v accepted", got)
			}
		case len(got) != 1:
			t.Fatalf("accepted by %v, want one; chains %v", got, f.chains[:n])
		case f.remembered != 0 && !f.remembered.Has(got[0]):
			t.Fatalf("accepted by %d, remembered by %b", got[0], f.remembered)
		case f.remembered == 0 && uint8(got[0]) != owner:
			t.Fatalf("accepted by %d, owned by %d", got[0], owner)
		}
	})
}

// TestEveryHostSeesItAndOneAccepts is the same for frames to a cluster MAC, for hosts that know the same of each other.
func TestEveryHostSeesItAndOneAccepts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := member.First(rapid.IntRange(1, 8).Draw(t, "hosts"))
		owner := rapid.SampledFrom(members(all)).Draw(t, "owner")
		f := farmOf{delivered: all, remembered: member.Set(rapid.Uint32().Draw(t, "remember")) & all}
		holding := f.remembered | member.Set(rapid.Uint32().Draw(t, "holding"))&all
		for id := range all.All() {
			f.chains[id], f.own[id] = chain(id, uint8(owner), holding), id == owner
		}
		got := f.send()
		if len(got) != 1 || f.remembered != 0 && !f.remembered.Has(got[0]) {
			t.Fatalf("accepted by %v, remembered by %b, owned by %d", got, f.remembered, owner)
		}
	})
}

func members(s member.Set) (list []member.ID) {
	for id := range s.All() {
		list = append(list, id)
	}
	return list
}
