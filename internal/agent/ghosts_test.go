package agent

import (
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/balance"
	"github.com/muster-ha/muster/internal/heartbeat"
	"github.com/muster-ha/muster/internal/member"
)

// TestAHostHeardAMomentAgoIsAskedUntilItsFarewellComes: the view that leaves a killed agent's host out may come before its farewell. Without it
// nobody would ask that host, and its clients would be reset by the end of the chain.
func TestAHostHeardAMomentAgoIsAskedUntilItsFarewellComes(t *testing.T) {
	cfg := parse(t, farm)
	now := time.Now()
	for _, tc := range []struct {
		name  string
		heard time.Duration // ago
		state member.State
		ghost bool
	}{
		{"killed", 20 * time.Millisecond, member.Serving, true},
		{"without power", 290 * time.Millisecond, member.Serving, false},
		{"left", 20 * time.Millisecond, member.Leaving, false},
		{"never heard", 0, member.Serving, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := &host{config: cfg, self: 0, peers: make([]peer, 3), ghosts: map[member.ID]time.Time{}, shares: newShares(0, cfg, rank(cfg), nil)}
			h.shares.release(viewOf(cfg, 1, 0, 1, 2))
			before := h.shares.view
			h.shares.release(viewOf(cfg, 2, 0, 1))
			if tc.heard > 0 {
				h.peers[2] = peer{at: now.Add(-tc.heard), last: heartbeat.Message{Heartbeat: member.Heartbeat{State: tc.state}}}
			}
			h.presume(before, now)
			if got := h.shares.ghosts.Has(2); got != tc.ghost {
				t.Errorf("taken for a ghost: %v", got)
			}
			h.haunting(now.Add(time.Second))
			if len(h.ghosts) > 0 {
				t.Error("it is waited for longer than silence takes")
			}
		})
	}
}

// TestNobodyResetsBeforeAllHaveTheView: the last of a chain does not know what those before it go by until all members have released.
func TestNobodyResetsBeforeAllHaveTheView(t *testing.T) {
	cfg := parse(t, farm)
	s := newShares(2, cfg, rank(cfg), nil)
	s.release(viewOf(cfg, 1, 0, 1, 2))
	ends := func() (n int) {
		for _, slot := range slotsOf(s, 0) {
			if slot.Flags&(balance.Ask|balance.Last) == balance.Ask|balance.Last {
				n++
			}
		}
		return n
	}
	if n := ends(); n > 0 {
		t.Errorf("%d chains end here, and nobody else may have the view yet", n)
	}
	s.install()
	if n := ends(); n == 0 {
		t.Error("no chain ends at the last host: clients of a dead one would wait for ever")
	}
}
