package member

import "cmp"

// Compare orders views: negative when a is lower than b.
func (a ViewID) Compare(b ViewID) int {
	if c := cmp.Compare(a.Epoch, b.Epoch); c != 0 {
		return c
	}
	return cmp.Compare(a.Proposer, b.Proposer)
}

// IsZero reports whether this is "no view".
func (a ViewID) IsZero() bool { return a == ViewID{} }

// Member finds a host in the view.
func (v View) Member(id ID) (Member, bool) {
	for _, m := range v.Members {
		if m.ID == id {
			return m, true
		}
	}
	return Member{}, false
}

// Names reports whether the view has that boot of that host.
func (v View) Names(id ID, boot Boot) bool {
	m, ok := v.Member(id)
	return ok && m.Boot == boot
}

// Set is the view's hosts.
func (v View) Set() Set {
	var s Set
	for _, m := range v.Members {
		s = s.With(m.ID)
	}
	return s
}

// author is the boot of the proposer. A boot proposes an epoch once, so id and author together name one content, even when a
// restarted host has forgotten which epochs it used.
func (v View) author() Boot {
	m, _ := v.Member(v.Proposer)
	return m.Boot
}

// same reports whether two views are one.
func (v View) same(o View) bool { return v.ViewID == o.ViewID && v.author() == o.author() }

// sharesMember reports whether a host with the same boot is in both views.
func (v View) sharesMember(o View) bool {
	for _, m := range v.Members {
		if o.Names(m.ID, m.Boot) {
			return true
		}
	}
	return false
}
