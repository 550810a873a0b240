package heartbeat

import (
	"time"

	"github.com/muster-ha/muster/internal/member"
)

// near are the hosts that are heard on the network, by unicast or on its group. What a host says of this lets every host tell a
// network that is bad for one pair from a host that nobody hears there.
func (n *one) near(now time.Time) member.Set {
	set := n.heardSince(now.Add(-n.talk.silence))
	if n.cast != nil {
		set |= n.cast.heardSince(now.Add(-n.talk.silence))
	}
	return set
}

// heardSince are the hosts of which something has arrived on this path after a time.
func (n *Network) heardSince(at time.Time) (set member.Set) {
	n.state.Lock()
	defer n.state.Unlock()
	for id := range n.state.links {
		if n.state.links[id].Heard.After(at) {
			set = set.With(member.ID(id))
		}
	}
	return set
}
