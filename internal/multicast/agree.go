package multicast

import "net/netip"

// Said is what a host says of a group.
type Said struct {
	Group    Group
	Stranger bool // it has seen another cluster on it
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
