package lessee

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/muster-ha/muster/internal/multicast"
	"github.com/muster-ha/muster/madcap"
)

// candidate is a scope that will do.
type candidate struct {
	madcap.Scope
	want   []madcap.Range // only these addresses of it; none: all
	server netip.Addr     // to be asked by unicast; invalid: whoever hears
}

// maxCandidates is how many scopes are looked at. Servers that nobody vouches for may list thousands.
const maxCandidates = 64

// candidates are the scopes of all servers of which an address may be taken, the smallest first. Two servers that describe a
// scope differently offer two: the server that is asked judges.
func candidates(servers []madcap.ServerInfo, allowed multicast.Range) []candidate {
	var list []candidate
	for _, server := range servers {
		for _, s := range server.Scopes {
			want, ok := wanted(s, allowed)
			known := slices.ContainsFunc(list, func(c candidate) bool { return c.First == s.First && c.Last == s.Last })
			if ok && !known && len(list) < maxCandidates {
				list = append(list, candidate{s, want, within(s, server.Server)})
			}
		}
	}
	// Where scopes nest, the inner one is smaller, and servers list it first (RFC 2730, section 2.7): a stable sort keeps that.
	slices.SortStableFunc(list, func(a, b candidate) int { return cmp.Compare(a.Span().Size(), b.Span().Size()) })
	return list
}

// within names the server to be asked for a scope that lies in the local one: what is sent to the group of all servers is not about such
// a scope (RFC 2730, section 2.11). Otherwise all are asked for offers, which costs nothing when they are no use.
func within(s madcap.Scope, server netip.Addr) netip.Addr {
	local := madcap.LocalScope(madcap.FamilyOf(s.First)).Span()
	if s.Span() != local && local.Contains(s.Span()) {
		return server
	}
	return netip.Addr{}
}

// maxWant is how many addresses a MADCAP range can name.
const maxWant = 1<<16 - 1

// wanted gives the part of a scope that may be used: nothing to say if that is all of it. Datagrams to a scope must not have a TTL
// above the scope's, and heartbeats have 1.
func wanted(s madcap.Scope, allowed multicast.Range) ([]madcap.Range, bool) {
	first, last := allowed.First, allowed.Last
	if s.TTL < 1 || s.First.BitLen() != first.BitLen() || s.Last.Less(first) || last.Less(s.First) {
		return nil, false
	}
	if !s.First.Less(first) && !last.Less(s.Last) {
		return nil, true
	}
	if first.Less(s.First) {
		first = s.First
	}
	if s.Last.Less(last) {
		last = s.Last
	}
	return []madcap.Range{{First: first, Count: uint16(min(madcap.Span{First: first, Last: last}.Size(), maxWant))}}, true
}

// relativeAssignments is the number of addresses at the end of each scope that RFC 2365, section 9, keeps for services that are found in every
// scope, MADCAP among them.
const relativeAssignments = 256

// relative says whether an address is one of those.
func relative(s madcap.Scope, a netip.Addr) bool {
	return s.Span().Size() > relativeAssignments && madcap.Span{First: a, Last: s.Last}.Size() <= relativeAssignments
}
