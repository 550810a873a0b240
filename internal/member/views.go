package member

import (
	"strconv"
	"time"
)

// adoptHeard looks at the views that the hosts we hear have accepted: a higher one that names us is taken, one that has
// taken our fellow members and left us out puts us out.
func (m *Machine) adoptHeard(now time.Time) {
	for id := range m.Heard().All() {
		v := m.peers[id].last.View
		if v.ViewID.Compare(m.floor) <= 0 {
			continue
		}
		switch {
		case v.Names(m.self, m.boot):
			if m.offers(v.Config) && !m.barred(v) {
				m.accept(now, v, "it is higher than ours")
			}
		case !m.view.IsZero() && v.sharesMember(m.view) && !m.mayIgnore(id, v):
			m.withdraw(now, v.ViewID, id, "it is in view "+epoch(v)+", which has no place for us")
		}
	}
}

// mayIgnore lets a larger clique go on against a host that does not hear it and therefore went on alone.
func (m *Machine) mayIgnore(id ID, v View) bool {
	if m.peers[id].linked {
		return false
	}
	c := m.surroundings().choose()
	return c.in && m.size(c.hosts) > m.size(v.Set())
}

// barred reports whether a view that names us comes from hosts that do not know what we do: that we hear a host of a foreign view that
// the one offered would have to give way to. It is looked at again with each heartbeat.
func (m *Machine) barred(v View) bool {
	c := m.surroundings().choose()
	for id := range (m.Heard() &^ v.Set()).All() {
		if m.precedes(id, c, v) {
			return true
		}
	}
	return false
}

func (m *Machine) offers(c ConfigID) bool {
	return offer{inUse: m.config, pending: m.pending}.has(c)
}

// takePart compares the view with the clique that there should be, and proposes or gives up.
func (m *Machine) takePart(now time.Time) {
	c := m.surroundings().choose()
	switch {
	case !m.view.IsZero() && m.mustYield(now, c):
	case !c.in || m.coordinator(c.hosts) != m.self:
	case m.view.IsZero() && !m.mayStart(c):
	default:
		m.propose(now, c)
	}
}

// coordinator is the lowest host that is in a view, or the lowest if none is.
func (m *Machine) coordinator(hosts Set) ID {
	for id := range hosts.All() {
		if id == m.self && !m.view.IsZero() || id != m.self && !m.peers[id].last.View.IsZero() {
			return id
		}
	}
	return hosts.Lowest()
}

// mayStart reports whether a host in no view may found one. It waits until everyone who is alive has been heard, and until its
// own filter is empty; a leaving host founds nothing, and nobody starts beside a view that would have it yield.
func (m *Machine) mayStart(c choice) bool {
	complete := c.hosts == First(m.hosts)
	switch {
	case m.leaving || m.filter.withdrawals > 0:
		return false
	case !complete && m.waited < 2*m.detection():
		return false
	}
	for id := range (First(m.hosts) &^ c.hosts).All() {
		if m.restless(id) || m.Hears(id) && m.outranks(id, c.hosts) {
			return false
		}
	}
	return true
}

// outranks reports whether a heard host that is not in our clique is in a view that we should not run beside: a larger
// one, or one as large with a lower host. A single host also yields to a single host that does not hear it, because only the
// one that hears can know.
func (m *Machine) outranks(id ID, hosts Set) bool {
	theirs := m.peers[id].last.View.Set()
	switch longer := m.size(theirs) - m.size(hosts); {
	case theirs == 0 || longer < 0:
		return false
	case longer > 0 || theirs.Len() == 1:
		return true
	default:
		return theirs.before(hosts)
	}
}

func (m *Machine) size(hosts Set) int { return size(hosts, m.witnesses) }

// mustYield gives a view up that runs beside another one within hearing.
func (m *Machine) mustYield(now time.Time, c choice) bool {
	if m.astray == 0 {
		return false
	}
	limit := m.detection() - m.patience() // before the other view, which waits for us no longer than that, takes our share
	if !c.in {
		limit = m.patience()
	}
	if m.astray < limit {
		return false
	}
	m.withdraw(now, m.floor, m.self, "there are better hosts within hearing, which are not in our view")
	return true
}

// isAstray reports whether our view runs beside another one, within hearing, that takes precedence.
func (m *Machine) isAstray(c choice) bool {
	if m.view.IsZero() {
		return false
	}
	if !c.in && m.deserted() {
		return true
	}
	for id := range m.Heard().All() {
		if m.precedes(id, c, m.view) {
			return true
		}
	}
	return false
}

// deserted reports whether our view is one in name only: a fellow member that we hear has left it, or nobody but us is in it.
func (m *Machine) deserted() bool {
	if len(m.view.Members) < 2 || m.viewAge < m.detection() {
		return false
	}
	alone := true
	for id := range (m.view.Set() & m.Heard()).All() {
		last := &m.peers[id].last
		if !last.View.Names(m.self, m.boot) {
			return true
		}
		alone = alone && !last.View.same(m.view)
	}
	return alone
}

// precedes reports whether a heard host is in a foreign view that a view with us in it should give way to. The order does not depend
// on the numbers of views: each attempt would be the newest.
func (m *Machine) precedes(id ID, c choice, ours View) bool {
	p := &m.peers[id]
	v := p.last.View
	if v.IsZero() || v.Names(m.self, m.boot) || ours.Names(id, p.boot) {
		return false
	}
	switch {
	case p.linked && !c.in && c.hosts.Has(id):
		return true
	case p.linked:
		longer := m.size(v.Set()) - m.size(ours.Set())
		return longer > 0 || longer == 0 && v.Set().before(ours.Set())
	default:
		return m.outranks(id, ours.Set())
	}
}

// propose makes the next view when the present one is not what it should be. Whether it is stuck is asked once a tick, for that takes long to
// become so.
func (m *Machine) propose(now time.Time, c choice) {
	again := m.repeats(c)
	if again && !(now.Equal(m.ticked) && m.stuck()) {
		return
	}
	if m.dropsLinked(c) && m.dropping < m.patienceWith(c) {
		return
	}
	if !m.proposed.IsZero() && now.Sub(m.proposed) < m.timing.Interval {
		return // the next tick will do
	}
	m.proposed = now
	if again {
		m.doubt(now)
	}
	v := m.viewOf(c)
	m.event(now, ViewProposed, m.self, "")
	astray := m.astray
	m.accept(now, v, "proposed by this host")
	if m.isAstray(c) {
		m.astray = astray // another view of ours is no reason to stay beside a better one for longer
	}
}

// repeats reports whether the view of a clique would be the present one but for its id. It is asked with each heartbeat, so it makes none.
func (m *Machine) repeats(c choice) bool {
	if c.config != m.view.Config || c.hosts != m.view.Set() {
		return false
	}
	for _, member := range m.view.Members {
		if member != m.candidate(member.ID, c.config) {
			return false
		}
	}
	return true
}

// viewOf is the view of a clique, proposed by this host.
func (m *Machine) viewOf(c choice) View {
	v := View{ViewID: ViewID{Epoch: m.highEpoch + 1, Proposer: m.self}, Config: c.config, Members: make([]Member, 0, c.hosts.Len())}
	for id := range c.hosts.All() {
		v.Members = append(v.Members, m.candidate(id, c.config))
	}
	return v
}

// dropsLinked reports whether a clique leaves out a member of our view that we are linked with, or tears another view apart. While
// links come and go in a healing network such a clique may be that of a moment, so it has to last.
func (m *Machine) dropsLinked(c choice) bool {
	for id := range c.hosts.Without(m.self).All() {
		if m.tears(id, c) {
			return true
		}
	}
	for _, member := range m.view.Members {
		p := &m.peers[member.ID]
		if p.linked && p.boot == member.Boot && !c.hosts.Has(member.ID) {
			return true
		}
	}
	return false
}

// tears reports whether a clique has a host that is in a foreign view, and not a fellow member that it is linked with.
func (m *Machine) tears(id ID, c choice) bool {
	last := &m.peers[id].last
	return !last.View.same(m.view) && last.View.Set()&last.Links&^c.hosts != 0
}

// patience is how long a state of the network that others may see otherwise has to last before we act on it.
func (m *Machine) patience() time.Duration { return 3 * m.timing.Interval }

// patienceWith is the patience with a clique. One that has a newcomer in the place of a member has to last longer than a dying host
// is heard: a newcomer that runs for moments only may have found some of us and not yet all.
func (m *Machine) patienceWith(c choice) time.Duration {
	if c.hosts&^m.view.Set() != 0 {
		return 2 * m.detection()
	}
	return m.patience()
}

// candidate is a host as it would be in a view made with a configuration.
func (m *Machine) candidate(id ID, config ConfigID) Member {
	if id == m.self {
		return Member{ID: id, Boot: m.boot, Attributes: m.offered(with(config, m.config, m.attrs, m.next))}
	}
	last := &m.peers[id].last
	return Member{ID: id, Boot: last.Boot, Attributes: with(config, last.Config, last.Attrs, last.Next)}
}

// with chooses the attributes that go with a configuration: those of the one in use, or of the pending one.
func with(config, inUse ConfigID, now, next Attributes) Attributes {
	if config == inUse {
		return now
	}
	return next
}

// offered is what we offer: no share when leaving, and no vote while an earlier boot's word may still be counted on. What that
// boot confirmed last, before it ended, is good for less than the detection time; twice that is waited.
func (m *Machine) offered(a Attributes) Attributes {
	if m.age < 2*m.detection() {
		a.Vote, a.Tie = false, false
	}
	if m.leaving {
		a.Weight, a.Director = 0, false
	}
	return a
}

// stuck reports that a member has not come to our view in the time in which it would have been heard: it was put out by a
// view that nobody else knows any more, or refuses ours. The next number gets it back.
func (m *Machine) stuck() bool {
	if m.viewAge < m.detection() {
		return false
	}
	for _, member := range m.view.Members {
		if member.ID != m.self && !m.peers[member.ID].last.View.same(m.view) {
			return true
		}
	}
	return false
}

func epoch(v View) string { return strconv.FormatUint(v.Epoch, 10) }
