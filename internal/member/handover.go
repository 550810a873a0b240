package member

import "time"

// progress is how far the filter has come with the view.
type progress struct {
	released    bool // the filter has released for the view
	asked       bool // installing has been asked for
	withdrawals int  // that are on their way
}

// departure is a host that accepted connections by our last view and is not in the present one. From the moment of the
// change its heartbeats are no longer confirmed, so its lease runs out; until then, or until it says that it has given
// up, we do not say that its buckets are free.
type departure struct {
	boot   Boot // zero: nobody
	seq    uint64
	heard  time.Time // when the last heartbeat that we confirmed came
	waited time.Duration
	others bool // hosts that we hear and that are not in the view hear it too: they may go on confirming it when we do not any more
}

// age counts the wait for a tick of ours, as a peer's silence is counted: what came after the tick before counts from there, so
// that the wait is never longer than the time since its last heartbeat.
func (d *departure) age(before, now time.Time, atMost time.Duration) {
	since := before
	if d.heard.After(since) {
		since = d.heard
	}
	d.waited += max(0, min(now.Sub(since), atMost))
}

// accept takes a view as the one that counts. What the filter owns is cut down before anything else.
func (m *Machine) accept(now time.Time, v View, why string) {
	m.partWith(now, v)
	m.view, m.floor, m.viewAge, m.astray = v, v.ViewID, 0, 0
	m.granted.turn()
	m.highEpoch = max(m.highEpoch, v.Epoch)
	m.filter.released, m.filter.asked = false, false
	m.out.Send = true
	m.out.Steps = append(m.out.Steps, Step{Phase: Release, View: v})
	m.event(now, ViewAccepted, v.Proposer, why)
}

// partWith starts to wait for the hosts that the new view leaves out.
func (m *Machine) partWith(now time.Time, v View) {
	for id := range ID(MaxHosts) {
		p := &m.peers[id]
		boot := p.boot
		old, was := m.view.Member(id)
		if was && !p.isPast(old.Boot) {
			boot = old.Boot
		}
		d := &m.departed[id]
		switch {
		case id == m.self || v.Names(id, boot):
			*d = departure{}
		case d.boot != 0 && d.boot == boot && (was || !m.isBeside(id)): // already waited for
		case boot != p.boot: // in our view, and yet never heard
			*d = departure{boot: boot, heard: now}
		case was && m.isHeardOutside(v, id, boot):
			*d = departure{boot: boot, seq: p.last.Seq, heard: now, others: true}
		case was && m.Hears(id) || m.isBeside(id):
			*d = departure{boot: boot, seq: p.last.Seq, heard: p.heardAt, waited: p.silence}
		}
	}
}

// isBeside reports whether we are linked with a host that is in another view. It does not depend on our word, so it has to be waited for
// as long as we hear it, however long ago we parted.
func (m *Machine) isBeside(id ID) bool {
	p := &m.peers[id]
	return m.Hears(id) && p.linked && !p.outside()
}

// isHeardOutside reports whether a host that we hear, and that is not in a view, says to hear that boot. Members of the view wait for
// those whom they hear themselves.
func (m *Machine) isHeardOutside(v View, id ID, boot Boot) bool {
	for other := range (m.Heard() &^ v.Set()).Without(id).All() {
		if _, ok := m.peers[other].hearsBoot(id, boot); ok {
			return true
		}
	}
	return false
}

// gone reports whether a departed host can no longer accept anything that depends on us.
func (m *Machine) gone(id ID) bool {
	d, p := &m.departed[id], &m.peers[id]
	switch {
	case d.boot == 0 || p.isPast(d.boot) || d.waited >= m.detection():
		return true
	case d.others && !m.Hears(id) && !m.isHeardOutside(m.view, id, d.boot):
		return true
	default:
		return p.boot == d.boot && p.outside()
	}
}

// withdraw gives everything up: the others go on without us, or should.
func (m *Machine) withdraw(now time.Time, floor ViewID, host ID, why string) {
	v := m.view
	m.partWith(now, View{})
	m.view, m.waited, m.astray = View{}, 0, 0
	if floor.Compare(m.floor) > 0 {
		m.floor = floor
	}
	m.filter = progress{withdrawals: m.filter.withdrawals + 1}
	m.granted = grants{spoken: m.granted.spoken}
	m.installed = v.ViewID // until the filter is known to be empty, it is taken to own something
	m.out.Send = true
	m.out.Steps = append(m.out.Steps, Step{Phase: Withdraw})
	m.events = push(m.events, Event{At: now, Kind: PutOut, Host: host, View: v.ViewID, Detail: why})
}

// Released says that the filter has done a Release, or with the zero id a Withdraw.
func (m *Machine) Released(now time.Time, id ViewID) Output {
	switch {
	case id.IsZero():
		m.withdrawn()
	case id == m.view.ViewID:
		m.filter.released = true
	}
	return m.decide(now)
}

func (m *Machine) withdrawn() {
	m.filter.withdrawals--
	if m.filter.withdrawals > 0 {
		return // more was asked for in between: it is not empty for good
	}
	m.filter.withdrawals = 0
	m.released, m.out.Send = ViewID{}, true
}

// Installed says that the filter has done an Install.
func (m *Machine) Installed(now time.Time, id ViewID) Output {
	if m.view.IsZero() {
		return m.decide(now) // a Withdraw follows
	}
	m.installed, m.out.Send = id, true
	if id == m.view.ViewID {
		m.event(now, ViewInstalled, m.self, "")
	}
	return m.decide(now)
}

// handOver announces our release once nobody departed is waited for, and installs when all have announced theirs.
func (m *Machine) handOver(now time.Time) {
	waiting := false
	for id := range ID(MaxHosts) {
		if m.gone(id) {
			m.departed[id] = departure{}
			continue
		}
		waiting = true
	}
	if m.view.IsZero() {
		m.stayOut()
		return
	}
	if m.filter.released && !waiting && m.released != m.view.ViewID {
		m.released, m.out.Send = m.view.ViewID, true
	}
	if !m.filter.asked && m.allReleased() {
		m.filter.asked = true
		m.out.Steps = append(m.out.Steps, Step{Phase: Install, View: m.view})
	}
}

// stayOut says that we are outside, so that others need not wait for us, once our filter is empty and nobody counts on us any more:
// an old fellow that we have been hearing goes on by our word until it has heard that we are gone, or has no word of ours that is new
// enough.
func (m *Machine) stayOut() {
	if m.installed.IsZero() || m.filter.withdrawals > 0 {
		return
	}
	for id := range ID(MaxHosts) {
		if m.departed[id].boot != 0 && m.peers[id].last.View.Names(m.self, m.boot) {
			return
		}
	}
	m.installed, m.out.Send = ViewID{}, true
}

// allReleased reports whether every member is at our view and has released for it. A member that is further does not
// count: it may have kept, for a later view, what is ours by this one.
func (m *Machine) allReleased() bool {
	if m.released != m.view.ViewID {
		return false
	}
	for _, member := range m.view.Members {
		if member.ID == m.self {
			continue
		}
		p := &m.peers[member.ID]
		if p.boot != member.Boot || p.ended || !p.last.View.same(m.view) || p.last.Released != m.view.ViewID {
			return false
		}
	}
	return true
}
