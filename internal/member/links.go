package member

import "time"

// updateLinks works out with whom the link is up both ways, and which of these links count.
func (m *Machine) updateLinks(now time.Time) {
	for id := range ID(MaxHosts) {
		p := &m.peers[id]
		up := false
		if m.Hears(id) {
			_, up = p.hearsBoot(m.self, m.boot)
		}
		if up != p.linked {
			p.linked, m.out.Send = up, true
			m.linkEvent(now, id, up)
		}
		m.updateCounts(now, id)
	}
}

// updateCounts works out whether a link counts.
func (m *Machine) updateCounts(now time.Time, id ID) {
	p := &m.peers[id]
	counts := p.linked && (p.counts || p.damp.left(m.detection()) == 0)
	if counts == p.counts {
		return
	}
	p.counts, m.out.Send = counts, true
	if counts {
		return
	}
	m.fall(now, id, "it goes up and down")
}

func (m *Machine) linkEvent(now time.Time, id ID, up bool) {
	switch {
	case up:
		m.event(now, LinkUp, id, "")
	case m.Hears(id):
		m.event(now, LinkDown, id, "it does not hear us")
	default:
		m.event(now, LinkDown, id, "we do not hear it")
	}
}

// Links is the hosts with whom the link is up both ways and counts, and this host.
func (m *Machine) Links() Set {
	s := Of(m.self)
	for id := range ID(MaxHosts) {
		if m.peers[id].counts {
			s = s.With(id)
		}
	}
	return s
}

// Heard is the hosts that are not silent, without this one.
func (m *Machine) Heard() Set {
	var s Set
	for id := range ID(MaxHosts) {
		if m.Hears(id) {
			s = s.With(id)
		}
	}
	return s
}

// Hears reports whether a host is alive as far as this one can hear.
func (m *Machine) Hears(id ID) bool {
	if id >= ID(MaxHosts) {
		return false
	}
	p := &m.peers[id]
	return p.boot != 0 && !p.ended && !m.isSilent(p)
}

// isSilent reports whether a host has been silent for the detection time, and what it gets beyond.
func (m *Machine) isSilent(p *peer) bool { return p.silence >= m.detection()+p.grace }

// surroundings gathers what the choice of a clique depends on. Hosts that we do not hear but a linked host has a link with are
// part of it: they may be in a better clique than ours.
func (m *Machine) surroundings() *surroundings {
	s := &surroundings{self: m.self, known: Of(m.self), witnesses: m.witnesses}
	s.offers[m.self] = offer{inUse: m.config, pending: m.pending}
	s.links[m.self] = m.Links().Without(m.self)
	heard := m.Heard()
	for id := range heard.All() {
		last := &m.peers[id].last
		if m.mayTakePart(id) {
			s.known = s.known.With(id)
		}
		s.offers[id] = offer{inUse: last.Config, pending: last.Pending}
		s.links[id] = last.Links.Without(id)
	}
	s.held = m.near(heard)
	m.addUnheard(s, heard.With(m.self))
	s.makeMutual(heard.With(m.self))
	return s
}

// mayTakePart leaves out a host that is leaving and is in no view any more.
func (m *Machine) mayTakePart(id ID) bool {
	last := &m.peers[id].last
	return last.State != Leaving || !last.View.IsZero()
}

// addUnheard brings in the hosts that only others hear, as using what we use.
func (m *Machine) addUnheard(s *surroundings, heard Set) {
	for id := range s.known.Without(m.self).All() {
		for other := range (s.links[id] &^ heard).All() {
			if int(other) >= m.hosts {
				continue
			}
			s.known = s.known.With(other)
			s.offers[other] = s.offers[m.self]
			s.links[other] = s.links[other].With(id)
		}
	}
}

// makeMutual keeps the links that both ends confirm, where we have the word of both. Our own word is not enough for ours: the other
// end may have seen it fall where we have not, and hold it.
func (s *surroundings) makeMutual(heard Set) {
	confirmed := s.links.turned()
	for id := range heard.All() {
		s.links[id] &= s.known & (confirmed[id] | ^heard)
	}
}
