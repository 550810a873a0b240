package heartbeat

import (
	"math"
	"net/netip"
	"time"

	"github.com/muster-ha/muster/internal/member"
)

const (
	lossMemory   = 256              // heartbeats over which Loss looks back, roughly
	delayMemory  = 8                // measurements over which RoundTrip is smoothed
	jitterMemory = 16               // likewise Jitter, as RFC 3550 does
	echoLife     = time.Second      // a clock is not echoed any more after
	longestTrip  = 10 * time.Second // what is longer is no measurement
)

// Peer is how another host is heard. Lost and late count heartbeats since the agent started.
type Peer struct {
	Boot      member.Boot    // the newest heard; zero: never heard
	Heard     time.Time      // its newest heartbeat
	Source    netip.AddrPort // where that came from; need not be the configured address
	Received  uint64         // heartbeats handed over
	Lost      uint64         // heartbeats that never arrived
	Late      uint64         // that arrived after a newer one, and were dropped
	Malformed uint64         // genuine, but without meaning
	Foreign   uint64         // genuine, but of a version that this host cannot take in
	Unsent    uint64         // datagrams that could not be sent to it
	Loss      float64        // share of its recent heartbeats that did not arrive: 0 to 1
	RoundTrip time.Duration  // smoothed; zero: not known
	Jitter    time.Duration  // how much the delay from it varies, smoothed
}

// link measures one other host.
type link struct {
	Peer
	top     uint64    // the newest sequence of Boot on this network
	clock   uint32    // its clock in that heartbeat
	transit uint32    // our clock less its clock: only differences mean anything
	clockAt time.Time // when it was heard
	failing bool      // datagrams cannot be sent to it
	resting bool      // it has said that it sends us nothing on this network: the next gap is no loss
}

// arrived takes note of a heartbeat and reports whether it is the newest of its boot. now is our clock.
func (l *link) arrived(m *Message, seq uint64, at time.Time, now uint32, from netip.AddrPort) bool {
	fresh := m.Boot != l.Boot
	if !fresh && seq < l.top {
		l.Late++
		l.Lost = max(l.Lost, 1) - 1
		return false
	}
	transit := now - m.Clock
	if !fresh && !l.resting {
		l.missed(seq - l.top - 1)
		l.vary(time.Duration(int32(transit-l.transit)) * time.Microsecond)
	}
	l.Boot, l.top, l.Heard, l.Source = m.Boot, seq, at, from
	l.resting = false
	l.clock, l.transit, l.clockAt = m.Clock, transit, at
	l.Received++
	l.Loss -= l.Loss / lossMemory
	return true
}

// missed counts a gap in the sequence.
func (l *link) missed(n uint64) {
	l.Lost += n
	l.Loss = 1 - (1-l.Loss)*math.Pow(1-1.0/lossMemory, float64(n))
}

func (l *link) vary(d time.Duration) { l.Jitter += (d.Abs() - l.Jitter) / jitterMemory }

// echo is what lets the host measure its round trip; false when it was not heard just now.
func (l *link) echo(to member.ID, at time.Time) (Echo, bool) {
	held := at.Sub(l.clockAt)
	if l.clockAt.IsZero() || held < 0 || held >= echoLife {
		return Echo{}, false
	}
	return Echo{To: to, Clock: l.clock, Held: uint32(held.Microseconds())}, true
}

// echoed takes in our own clock that came back.
func (l *link) echoed(e Echo, now uint32) {
	trip := time.Duration(int32(now-e.Clock-e.Held)) * time.Microsecond
	if trip <= 0 || trip > longestTrip {
		return
	}
	if l.RoundTrip == 0 {
		l.RoundTrip = trip
		return
	}
	l.RoundTrip += (trip - l.RoundTrip) / delayMemory
}
