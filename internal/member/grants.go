package member

import (
	"slices"
	"time"
)

// grants is until when this host may accept what needs a quorum, by the word of the others.
//
// A host that says "I am in your view and have heard your heartbeat s" promises not to release for a view without us before
// the detection time has passed since. So as long as hosts that make up a quorum have said that within the lease, no view without us
// that has a quorum can be installed anywhere: one of its voters would have had to break its word. Unlike Lease, nobody is
// excused for being silent: who is cut off cannot know who is dead.
//
// Three rules make that sound. Only the word of hosts in the very view that our filter has installed counts, so while a view is handed
// over the deadline stands still. Only heartbeats count that we have sent in this view: before, the others could not know that we are
// in it, and would believe an older word of ours that we are in none. And who gives a view up gives its grants up with it.
type grants struct {
	until  [Needs]time.Time
	spoken uint64 // our newest heartbeat
	before uint64 // the newest one that we had sent when the view was accepted
}

// turn notes that a view has been accepted.
func (g *grants) turn() { g.before = g.spoken }

// promise is a member's word, and until when it is good.
type promise struct {
	id    ID
	until time.Time
}

// QuorumLease is until when this host may accept new connections of what needs a quorum, in the buckets that its filter has by the view
// installed last and has not given away since. Zero, or past: not at all. It is to be asked after every input, for what
// others confirm counts from when it is looked at.
func (m *Machine) QuorumLease(need Need) time.Time {
	if m.view.IsZero() || m.electors == nil || need >= Needs {
		return time.Time{}
	}
	if m.IsInstalled() {
		if until := m.reach(need); until.After(m.granted.until[need]) {
			m.granted.until[need] = until
		}
	}
	return m.granted.until[need]
}

// reach is until when members that are a quorum keep their word; zero: those whose word we have are none.
func (m *Machine) reach(need Need) time.Time {
	var room [MaxHosts]promise
	var who Set
	for _, p := range m.promises(room[:0]) {
		who = who.With(p.id)
		if m.electors.Has(need, m.view, who) {
			return p.until
		}
	}
	return time.Time{}
}

// promises lists whose word we have, the longest first.
func (m *Machine) promises(list []promise) []promise {
	lease := time.Duration(m.timing.Lease) * m.timing.Interval
	list = append(list, promise{m.self, m.ticked.Add(lease)})
	for _, member := range m.view.Members {
		p := &m.peers[member.ID]
		if member.ID == m.self || p.boot != member.Boot || p.ended || !p.last.View.same(m.view) {
			continue
		}
		seq, ok := p.hearsBoot(m.self, m.boot)
		if sent := m.sent.at(seq); ok && seq > m.granted.before && !sent.IsZero() {
			list = append(list, promise{member.ID, sent.Add(lease)})
		}
	}
	slices.SortStableFunc(list, func(a, b promise) int { return b.until.Compare(a.until) })
	return list
}
