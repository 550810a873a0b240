package agent

import (
	"time"

	"github.com/muster-ha/muster/internal/heartbeat"
	"github.com/muster-ha/muster/internal/member"
)

// ghostLife is how long a host whose agent was killed is still asked for its connections: long enough for a service manager to
// start the agent again, short enough for clients to learn it if the host is dead after all.
const ghostLife = 15 * time.Second

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
