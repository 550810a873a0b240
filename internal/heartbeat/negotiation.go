package heartbeat

import (
	"sync"
	"time"

	"github.com/muster-ha/muster/internal/member"
)

// flipPatience is how many times longer than after a start a higher version has to be possible before it is used again by a host that had to
// give it up: who comes and goes must not make the others change with it each time.
const flipPatience = 10

// Agreement is the version that this host writes its heartbeats in, and why it is no higher one.
type Agreement struct {
	Version uint8     // from VersionBase on
	Limited bool      // a host, By, speaks no higher one; otherwise a higher one is waited for, or there is none
	By      member.ID // perhaps this host itself
}

// Speaker is what another host says of the versions that it speaks.
type Speaker struct {
	Language
	At    time.Time // when it said so; zero: never
	Apart bool      // it has no version in common with the hosts that were there before: nothing that it says is taken in
	With  member.ID // one of the hosts that it has none in common with, or this host
}

// negotiation finds the version to write in: the highest that all hosts speak that are heard. Down it goes at once, for a host
// must not lose the others; up when a higher one was possible without a break for as long as a host may be silent.
type negotiation struct {
	self    member.ID
	own     Range
	silence time.Duration // after which a host counts no more

	mu      sync.Mutex
	hosts   []speaker // by host
	written uint8
	limited bool
	by      member.ID
	target  uint8     // the version that has been possible
	since   time.Time // then; zero: no higher one is
	fell    bool      // it was given up once
}

// speaker is what is known of one host.
type speaker struct {
	Speaker
	boot, gone member.Boot
}

// newNegotiation begins with the lowest version: whoever is there can read it. Without others there is nothing to agree on.
func newNegotiation(self member.ID, hosts int, own Range, silence time.Duration) *negotiation {
	n := &negotiation{self: self, own: own, silence: silence, hosts: make([]speaker, hosts), written: own.Lowest}
	if hosts == 1 {
		n.written = own.Highest
	}
	return n
}

// hear takes in what a boot of another host says of itself, and reports whether the rest of its heartbeat can be read.
func (n *negotiation) hear(from member.ID, boot member.Boot, said Language, at time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := &n.hosts[from]
	if boot == s.gone {
		return n.own.Has(said.Written) // a slow network brings it late
	}
	s.boot, s.Language, s.At = boot, said, at
	s.With, s.Apart = n.clashLocked(from, said.Speaks, at)
	n.updateLocked(at)
	return !s.Apart && n.own.Has(said.Written)
}

// clashLocked finds a host that counts and that leaves nothing in common with a range. Who was there first stays: a host that does not
// fit must not part those that do.
func (n *negotiation) clashLocked(from member.ID, r Range, now time.Time) (with member.ID, clash bool) {
	common, fits := r.Meet(n.own)
	if !fits {
		return n.self, true
	}
	for id := range n.hosts {
		if member.ID(id) == from || !n.countsLocked(id, now) {
			continue
		}
		if common, fits = common.Meet(n.hosts[id].Speaks); !fits {
			return member.ID(id), true
		}
	}
	return 0, false
}

func (n *negotiation) countsLocked(id int, now time.Time) bool {
	s := &n.hosts[id]
	return !s.At.IsZero() && !s.Apart && now.Sub(s.At) < n.silence
}

// forget takes note of the last words of a boot.
func (n *negotiation) forget(from member.ID, boot member.Boot) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := &n.hosts[from]
	if s.boot == boot {
		s.At = time.Time{}
	}
	s.gone = boot
}

// speak says what is spoken, and what to write in now.
func (n *negotiation) speak(now time.Time) (Range, uint8) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.updateLocked(now)
	return n.own, n.written
}

// updateLocked finds what all that count have in common, and moves towards its upper end.
func (n *negotiation) updateLocked(now time.Time) {
	common, by, others := n.own, n.self, false
	for id := range n.hosts {
		if !n.countsLocked(id, now) {
			continue
		}
		others = true
		if n.hosts[id].Speaks.Highest < common.Highest {
			by = member.ID(id)
		}
		common, _ = common.Meet(n.hosts[id].Speaks)
	}
	if n.written > common.Highest {
		n.written, n.fell = common.Highest, true
	}
	n.written = max(n.written, common.Lowest)
	n.limited, n.by = others && n.written == common.Highest, by
	n.riseLocked(common.Highest, others, now)
}

// riseLocked takes a higher version when it was possible for long enough.
func (n *negotiation) riseLocked(highest uint8, others bool, now time.Time) {
	if !others || n.written == highest {
		n.since = time.Time{}
		return
	}
	if n.since.IsZero() || n.target != highest {
		n.since, n.target = now, highest
		return
	}
	wait := n.silence
	if n.fell {
		wait *= flipPatience
	}
	if now.Sub(n.since) >= wait {
		n.written, n.limited, n.since = highest, true, time.Time{}
	}
}

// agreement says what was found when a heartbeat was sent or heard last.
func (n *negotiation) agreement() Agreement {
	n.mu.Lock()
	defer n.mu.Unlock()
	return Agreement{Version: n.written, Limited: n.limited, By: n.by}
}

// speakers are what the others say, by host.
func (n *negotiation) speakers() []Speaker {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := make([]Speaker, len(n.hosts))
	for id := range n.hosts {
		list[id] = n.hosts[id].Speaker
	}
	return list
}

// Common is the version that this host writes in: the highest that all hosts speak that are heard. What a higher version brings may
// be used from the moment on when it is reached.
func (g *Networks) Common() Agreement { return g.talk.agreement() }

// Speakers are what the other hosts say of the versions that they speak, by host.
func (g *Networks) Speakers() []Speaker { return g.talk.speakers() }
