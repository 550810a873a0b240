package agent

import (
	"time"

	"github.com/muster-ha/muster/internal/heartbeat"
	"github.com/muster-ha/muster/internal/member"
)

// ghostLife is how long a host whose agent was killed is still asked for its connections: long enough for a service manager to
// start the agent again, short enough for clients to learn it if the host is dead after all.
const ghostLife = 15 * time.Second

// presumeRecent is how many intervals ago a host was heard that is thought to live: one heartbeat may have been lost, and one may be due.
const presumeRecent = 3

// farewell takes the last words of a boot. A host that was leaving has let its connections go; one that was not has lost its agent
// and nothing else: its kernel still has them.
func (h *host) farewell(in heartbeat.Received) {
	if int(in.From) < len(h.peers) && !h.peers[in.From].at.IsZero() && h.peers[in.From].last.State != member.Leaving {
		h.ghosts[in.From] = in.At.Add(ghostLife)
		h.shares.haunt(h.haunting(in.At))
	}
	h.act(h.machine.Farewell(in.At, in.From, in.Boot))
}

// haunting are the ghosts of now; those that are over or have come back are forgotten.
func (h *host) haunting(now time.Time) member.Set {
	var s member.Set
	for id, until := range h.ghosts {
		if _, in := h.shares.view.Member(id); now.After(until) || in && h.machine.Hears(id) && h.peers[id].at.After(until.Add(-ghostLife)) {
			delete(h.ghosts, id)
			continue
		}
		s = s.With(id)
	}
	return s
}

// layGhosts stops asking those that are over.
func (h *host) layGhosts(now time.Time) {
	if len(h.ghosts) > 0 && h.shares.haunt(h.haunting(now)) {
		h.fillSlots()
	}
}

// presume takes the hosts that a view leaves out, although they were heard a moment ago, for such whose agent was killed: the view that says so
// can be faster than their farewell. A host that has lost its power has been silent for a detection time by now. until bounds the waiting
// for the farewell, which makes a ghost of it for longer.
func (h *host) presume(before member.View, now time.Time) {
	recent := presumeRecent * h.config.Heartbeat.Interval
	for _, m := range before.Members {
		p := &h.peers[m.ID]
		if _, in := h.shares.view.Member(m.ID); in || m.ID == h.self || p.at.IsZero() || now.Sub(p.at) > recent || p.last.State == member.Leaving {
			continue
		}
		if _, known := h.ghosts[m.ID]; !known {
			h.ghosts[m.ID] = now.Add(h.silence())
		}
	}
	h.shares.haunt(h.haunting(now))
}
