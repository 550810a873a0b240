package member

import "time"

// A link that goes up and down puts hosts out of the view and takes them in again, and each time connections are interrupted. So each
// time that a link that counted goes down, the time that it has to be up before it counts again doubles. This bounds the changes
// whatever the link does; docs/design/0011-damping.md has the reasons and the sums.
const (
	// freeFalls is how often a link may go down without any consequence: a switch that starts anew, a cable moved.
	freeFalls = 2

	// mostFalls bounds what is remembered, and so the time in which it is forgotten.
	mostFalls = 16

	// forgiven is the time that the link has to be up for one fall to be forgotten.
	forgiven = time.Minute

	// longestHold bounds the wait of a host that is back for good.
	longestHold = 30 * time.Second

	// firstHold is the first wait, in detection times: long enough to tell a link that is up from one about to be noticed as down.
	firstHold = 4
)

// damper is one link's past. All its times are counted in our own ticks, so that a stall of ours is no merit of the link.
type damper struct {
	falls int           // how often it went down while it counted, less what is forgiven
	since time.Duration // it came up, or one was forgiven
	up    time.Duration // how long both ends have been hearing each other
	down  time.Duration // how long they have not
}

// pass lets time go by.
func (d *damper) pass(counted time.Duration, up bool) {
	if !up {
		d.up, d.down, d.since = 0, d.down+counted, 0
		return
	}
	d.up, d.down = d.up+counted, 0
	if d.falls == 0 {
		return
	}
	if d.since += counted; d.since >= forgiven {
		d.falls, d.since = d.falls-1, 0
	}
}

// fall takes note that a link that counted went down.
func (d *damper) fall() {
	d.falls, d.since, d.up = min(d.falls+1, mostFalls), 0, 0
}

// hold is how long the link has to be up before it counts.
func (d *damper) hold(detection time.Duration) time.Duration {
	if d.falls <= freeFalls {
		return 0
	}
	limit := max(longestHold, firstHold*detection)
	return min(firstHold*detection<<(d.falls-freeFalls-1), limit)
}

// left is how much longer the link is not going to count if it stays up.
func (d *damper) left(detection time.Duration) time.Duration {
	return max(0, d.hold(detection)-d.up)
}

// fall takes note that a link that counted does not any more.
func (m *Machine) fall(now time.Time, id ID, why string) {
	p := &m.peers[id]
	p.counts = false
	p.damp.fall()
	if hold := p.damp.hold(m.detection()); hold > 0 {
		m.event(now, LinkHeld, id, why+": it counts again when it has been good for "+hold.String())
	}
}

// doubt takes it for a fall when a member that we are linked with does not come to our view: it may know better hosts, which we do not
// hear. So nobody asks it for ever.
func (m *Machine) doubt(now time.Time) {
	for id := range m.view.Set().Without(m.self).All() {
		if p := &m.peers[id]; p.counts && !p.last.View.same(m.view) {
			m.fall(now, id, "it does not come to our view")
		}
	}
}

// restless reports whether a host that we cannot hear has been falling and rising, and may well be there again in a moment: nobody who
// owns nothing founds a view for that.
func (m *Machine) restless(id ID) bool {
	p := &m.peers[id]
	if p.boot == 0 || p.ended || p.linked || p.damp.hold(m.detection()) == 0 {
		return false
	}
	return p.damp.down < firstHold*m.detection()
}

// near is who is linked with whom though the link does not count: such hosts are no clique, and must not be in two views side by side
// either. Both ends' word is needed.
func (m *Machine) near(heard Set) graph {
	var g graph
	for id := range heard.All() {
		g[id] = m.peers[id].hears.Without(id) & heard
	}
	confirmed := g.turned()
	for id := range heard.All() {
		g[id] &= confirmed[id]
	}
	for id := range heard.All() {
		if m.peers[id].linked {
			g[id], g[m.self] = g[id].With(m.self), g[m.self].With(id)
		}
	}
	return g
}
