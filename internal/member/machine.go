package member

import "time"

// Params is what a machine starts from.
type Params struct {
	Self      ID   // this host, below Hosts
	Boot      Boot // never used before, not zero
	Hosts     int  // how many are configured
	Timing    Timing
	HighEpoch uint64     // the highest epoch remembered from earlier boots, as far as it could be kept
	Config    ConfigID   // in use
	Attrs     Attributes // what this host contributes at first; SetAttributes changes it
	Witnesses Set        // hosts that vote and serve nothing: of two cliques the one with more of the others is the better
	Electors  Electorate // nil: nothing ever has a quorum
}

// Machine is one host's part in agreeing on views. It is told everything and decides; it does nothing itself.
type Machine struct {
	self      ID
	boot      Boot
	hosts     int
	timing    Timing
	highEpoch uint64
	config    ConfigID
	pending   ConfigID
	attrs     Attributes
	next      Attributes // with the pending configuration
	leaving   bool
	witnesses Set
	electors  Electorate

	ticked time.Time     // our last tick
	waited time.Duration // in our ticks, since we started or were last put out
	age    time.Duration // in our ticks, since we started
	peers  [MaxHosts]peer

	view      View // the highest accepted
	floor     ViewID
	viewAge   time.Duration // in our ticks, since the view was accepted
	proposed  time.Time
	filter    progress
	released  ViewID // announced
	installed ViewID // of the filter; zero: it owns nothing
	departed  [MaxHosts]departure
	astray    time.Duration // how long we have been in a view beside one that takes precedence
	dropping  time.Duration // how long the clique has been without a member of our view that we are linked with

	sent    sendings
	granted grants
	events  []Event
	out     Output
}

// New makes a machine for a boot of this host. The caller must have emptied the filter before the first heartbeat leaves:
// the others take a new boot to mean that the old one accepts nothing any more.
func New(p Params, now time.Time) *Machine {
	return &Machine{
		self: p.Self, boot: p.Boot, hosts: p.Hosts, timing: p.Timing, highEpoch: p.HighEpoch, config: p.Config, attrs: p.Attrs,
		witnesses: p.Witnesses, electors: p.Electors, ticked: now,
	}
}

// Tick is to be called once an interval, after everything that waits to be received has been handed in. It counts two intervals of silence at most,
// however late it comes: a host that did not run accuses nobody. If it comes later than a third of the detection time, that is an event.
func (m *Machine) Tick(now time.Time) Output {
	elapsed := now.Sub(m.ticked)
	counted := max(0, min(elapsed, 2*m.timing.Interval))
	if elapsed > m.quiet() {
		m.stalled(now, elapsed)
	}
	for id := range ID(MaxHosts) {
		m.agePeer(id, now)
		m.peers[id].damp.pass(counted, m.peers[id].linked)
	}
	for id := range m.departed {
		m.departed[id].age(m.ticked, now, 2*m.timing.Interval)
	}
	m.ticked = now
	m.waited += counted
	m.age += counted
	m.viewAge += counted
	c := m.surroundings().choose()
	m.astray = lasting(m.astray, counted, m.isAstray(c))
	m.dropping = lasting(m.dropping, counted, m.dropsLinked(c))
	return m.decide(now)
}

// lasting counts how long something has been so.
func lasting(so, counted time.Duration, is bool) time.Duration {
	if !is {
		return 0
	}
	return so + counted
}

// stalled takes note that we have not been listening: nobody is accused for that, but nobody's old word counts as new either. What made us stand
// still may hold the others for longer, as when hosts share a machine that was paused, so whoever is silent from then on gets as much more
// time as we lost, at most the detection time. The others have not heard us either, and may be about to put us out: one heartbeat more than usual, for the usual one
// may be lost.
func (m *Machine) stalled(now time.Time, elapsed time.Duration) {
	m.out.Send = true
	for id := range m.peers {
		p := &m.peers[id]
		p.fresh = false
		if m.Hears(ID(id)) {
			p.grace = max(p.grace, min(elapsed, m.detection()))
		}
	}
	m.event(now, Stalled, m.self, "our own timer was "+elapsed.Round(time.Millisecond).String()+" late; nobody is accused for that time")
}

func (m *Machine) agePeer(id ID, now time.Time) {
	p := &m.peers[id]
	if !m.Hears(id) {
		return
	}
	p.age(m.ticked, now, 2*m.timing.Interval)
	if !m.Hears(id) {
		m.out.Send = true
		m.event(now, HostSilent, id, "nothing heard for "+p.silence.Round(time.Millisecond).String())
	}
}

// Receive takes a heartbeat that is known to be authentic and no replay. One of this host, of none that there can be, of a boot that is over, or older
// than one heard before changes nothing. It may come at any time between ticks, and at once leads to whatever follows from it.
func (m *Machine) Receive(now time.Time, hb Heartbeat) Output {
	if hb.From >= ID(MaxHosts) || hb.From == m.self || hb.Boot == 0 {
		return Output{}
	}
	p := &m.peers[hb.From]
	if p.isPast(hb.Boot) {
		return Output{}
	}
	if p.boot != hb.Boot {
		m.meet(now, hb)
	}
	if !p.count(hb.Seq) {
		return Output{}
	}
	if !m.Hears(hb.From) {
		m.out.Send = true
		m.event(now, HostHeard, hb.From, "")
	}
	p.last, p.hears, p.heardAt, p.silence, p.grace = hb, hb.hears(), now, 0, 0
	m.highEpoch = max(m.highEpoch, hb.HighEpoch, hb.View.Epoch)
	seq, _ := p.hearsBoot(m.self, m.boot)
	sent := m.sent.at(seq)
	p.fresh = !sent.IsZero() && now.Sub(sent) <= m.quiet()
	if m.vouches(hb.View) {
		p.word = sent
	}
	return m.decide(now)
}

// meet turns to another boot of a host: the one before is over.
func (m *Machine) meet(now time.Time, hb Heartbeat) {
	p := &m.peers[hb.From]
	if p.boot != 0 && !p.ended {
		m.event(now, HostLeft, hb.From, "it has started anew")
	}
	p.reset(hb.Boot)
	p.silence = m.detection() // not heard until now
}

// Farewell takes the authentic last words of a boot: it accepts nothing any more, so its share is taken over without waiting for silence. Later
// heartbeats of that boot are not heard.
func (m *Machine) Farewell(now time.Time, from ID, boot Boot) Output {
	if from >= ID(MaxHosts) || from == m.self || boot == 0 {
		return Output{}
	}
	p := &m.peers[from]
	if p.isPast(boot) {
		return Output{}
	}
	if p.boot != boot {
		p.bury(boot)
		return m.decide(now)
	}
	p.ended = true
	m.event(now, HostLeft, from, "it said farewell")
	m.out.Send = true
	return m.decide(now)
}

// SetAttributes changes what this host contributes from the next view on.
func (m *Machine) SetAttributes(now time.Time, a Attributes) Output {
	if m.attrs != a {
		m.attrs, m.out.Send = a, true
	}
	return m.decide(now)
}

// SetConfigs says which configuration is in use and which, if any, could be used by the next view, and what this host contributes
// to that. When the pending configuration comes into use, so do its attributes: at no moment are rules of one configuration
// said to be ready by the numbers of another.
func (m *Machine) SetConfigs(now time.Time, inUse, pending ConfigID, next Attributes) Output {
	if pending == 0 {
		next = Attributes{}
	}
	if inUse != m.config && inUse == m.pending {
		m.attrs = m.next
	}
	if m.config != inUse || m.pending != pending || m.next != next {
		m.config, m.pending, m.next, m.out.Send = inUse, pending, next, true
	}
	return m.decide(now)
}

// Leave asks for a view in which this host has no share. The caller says farewell when its connections have ended. There is no way back but a new
// boot.
func (m *Machine) Leave(now time.Time) Output {
	if !m.leaving {
		m.leaving, m.out.Send = true, true
	}
	return m.decide(now)
}

// decide works out what follows from what is known by now, and hands over what is to be done.
func (m *Machine) decide(now time.Time) Output {
	m.updateLinks(now)
	m.adoptHeard(now)
	m.takePart(now)
	m.handOver(now)
	out := m.out
	m.out = Output{}
	return out
}

// detection is the silence after which a host is no longer heard.
func (m *Machine) detection() time.Duration {
	return time.Duration(m.timing.Tolerance) * m.timing.Interval
}

// quiet is the silence after which we no longer expect a host to confirm our heartbeats: a third of detection.
func (m *Machine) quiet() time.Duration {
	return m.detection() / 3
}
