package member

import (
	"math/bits"
	"time"
)

// pastBoots is how many ended boots of a host are remembered, so that a late heartbeat does not bring one back.
const pastBoots = 4

// peer is what a machine knows of another host.
type peer struct {
	boot    Boot      // the newest boot heard of; zero: none yet
	ended   bool      // that boot has said farewell
	last    Heartbeat // the newest of that boot
	hears   Set       // whom that says it hears
	heardAt time.Time
	silence time.Duration // counted in our own ticks
	grace   time.Duration // by which it may be silent for longer than usual, because we stood still; at most the detection time
	linked  bool          // both hear each other, as last worked out
	counts  bool          // and have been for long enough
	damp    damper
	word    time.Time // when we sent the newest of our heartbeats that it had confirmed when it was last in a view with us
	fresh   bool      // when last heard, it confirmed a heartbeat of ours that was quite new
	arrived uint64    // which of the 64 sequence numbers up to last.Seq arrived, the newest in bit 0
	span    int       // how many of them count: fewer than 64 after a boot
	past    [pastBoots]Boot
}

// reset turns to another boot of the host.
func (p *peer) reset(boot Boot) {
	if p.boot != 0 {
		p.bury(p.boot)
	}
	*p = peer{boot: boot, past: p.past}
}

// bury notes that a boot is over.
func (p *peer) bury(boot Boot) {
	copy(p.past[1:], p.past[:])
	p.past[0] = boot
}

// isPast reports whether a boot is over for good.
func (p *peer) isPast(boot Boot) bool {
	if boot == p.boot {
		return p.ended
	}
	for _, b := range p.past {
		if b != 0 && b == boot {
			return true
		}
	}
	return false
}

// count notes that heartbeat seq arrived, for the loss figure, and reports whether it is the newest.
func (p *peer) count(seq uint64) bool {
	switch {
	case p.span == 0:
		p.arrived, p.span = 1, 1
	case seq > p.last.Seq:
		step := seq - p.last.Seq
		p.arrived = p.arrived<<min(step, 64) | 1
		p.span = min(p.span+int(min(step, 64)), 64)
	default:
		if back := p.last.Seq - seq; back < 64 {
			p.arrived |= 1 << back
		}
		return false
	}
	return true
}

// loss is the part of its last heartbeats that did not arrive.
func (p *peer) loss() float64 {
	if p.span == 0 {
		return 0
	}
	window := ^uint64(0) >> (64 - p.span)
	return 1 - float64(bits.OnesCount64(p.arrived&window))/float64(p.span)
}

// age counts silence for a tick of ours that came at now, the one before having been at before. However late the tick
// is, it counts no more than atMost: what we did not listen to is not the other's silence.
func (p *peer) age(before, now time.Time, atMost time.Duration) {
	since := before
	if p.heardAt.After(since) {
		since = p.heardAt
	}
	p.silence += max(0, min(now.Sub(since), atMost))
}

// outside reports that the host says it is in no view and its filter owns nothing.
func (p *peer) outside() bool {
	return p.last.View.IsZero() && p.last.Installed.IsZero()
}

// hearsBoot finds what the host last said of hearing that boot.
func (p *peer) hearsBoot(id ID, boot Boot) (seq uint64, ok bool) {
	for _, h := range p.last.Hears {
		if h.ID == id {
			return h.Seq, h.Boot == boot
		}
	}
	return 0, false
}
