package multicast

import (
	"net/netip"
	"time"
)

// GroupLife is how long a group is kept at least: strangers, or who plays them, must not chase the hosts from one to the next.
const GroupLife = 10 * time.Second

// Said is what a host says of a group.
type Said struct {
	Group    Group // that it knows of; no address: none
	Stranger bool  // it has seen another cluster on it
}

// Agree gives the group that a host goes over to when it hears what others say, and whether anybody has seen strangers on that.
func Agree(own Said, others []Said) Said {
	for _, o := range others {
		if !o.Group.Address.IsValid() || o.Group.How == Manual {
			continue // the file is the same on every host: what it says need not be heard
		}
		if own.Group.Newer(o.Group) {
			own = o
			continue
		}
		own.Stranger = own.Stranger || o.Stranger && o.Group == own.Group
	}
	return own
}

// Unfit says whether a group has to be replaced: there is none, strangers use it, the file does not ask for it any more or has
// another range, or the group of another network reaches the same cards.
func Unfit(s Said, r Range, others []netip.Addr) bool {
	a := s.Group.Address
	switch {
	case s.Stranger || !a.IsValid() || s.Group.How == Manual:
		return true
	case s.Group.How == Random && !r.Holds(a):
		return true
	}
	return Avoid(nil, others)(a)
}

// Move is what a change of a network's group depends on.
type Move struct {
	Lease  bool          // a lease of another address is there, and can be used
	Unfit  bool          // the group has to be replaced
	Waits  bool          // a lease may be there in a moment
	Chosen time.Duration // since the group was chosen
	Fled   time.Duration // since a group was left to strangers, or a lease for another one
}

// Due says whether the group is to be changed now. A lease is taken up at once, unless the hosts fled a moment ago: then it may be that
// they are chased.
func (m Move) Due() bool {
	if m.Lease && m.Fled >= GroupLife {
		return true
	}
	return (m.Unfit || m.Lease) && m.Chosen >= GroupLife && !m.Waits
}
