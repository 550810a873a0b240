package rotation

import (
	"slices"
	"time"

	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/wire"
)

// Timing says how long things take. All are positive.
type Timing struct {
	Every    time.Duration // age at which a key is replaced
	Overlap  time.Duration // how long a key is kept that nobody signs with any more: longer than any datagram travels
	Patience time.Duration // how long members are waited for that do not say that they hold a new key
	Rest     time.Duration // at least between keys that are drawn because a host has left
}

// Reason says why a key is drawn, in words for events and `muster key list`.
type Reason string

// The reasons.
const (
	First   Reason = "the hosts have none yet"
	Aged    Reason = "the old one has served its time"
	Ordered Reason = "it was asked for"
	Parted  Reason = "a host has left"
)

// Voice is what another host says of a network's keys.
type Voice struct {
	Heard  bool       // just now
	Sign   wire.KeyID // what it signs with; 0: the base key, or not known
	Newest wire.KeyID // the newest key that it holds; 0: none, or not known
}

// State is what is so.
type State struct {
	Now     time.Time    // by a clock that never steps back
	Members member.Set   // of the view in use, this host among them; empty: none
	Allowed bool         // whether every host that is heard can read group keys
	Held    []wire.KeyID // the group keys that this host holds
	Voices  []Voice      // by host; that of this host is not used
}

// Orders are what to do.
type Orders struct {
	Draw   bool         // a key, and tell Drawn which
	Reason Reason       // why
	Turned bool         // what this host signs with has just changed
	Want   member.Set   // hosts that have keys which this host does not hold
	Drop   []wire.KeyID // keys that nobody uses any more
}

// Machine is one host's part in the rotation of one network's keys.
type Machine struct {
	self   member.ID
	timing Timing

	sign    wire.KeyID
	target  wire.KeyID // drawn here, not signed with yet; 0: none
	follows wire.KeyID // the responsible host's newest key, if that is another one and held here

	drawn   time.Time // when target was
	rested  time.Time // when a key was drawn last
	waiting time.Time // since when this host waits for a key that others sign with
	ordered bool
	parted  bool
	members member.Set
	known   map[wire.KeyID]*known
}

// known is a key that is held.
type known struct {
	since time.Time
	used  time.Time // when somebody last signed with it or named it
}

// New makes the machine of a host that has just started.
func New(self member.ID, timing Timing) *Machine {
	return &Machine{self: self, timing: timing, known: map[wire.KeyID]*known{}}
}

// SetEvery changes the age at which keys are replaced.
func (m *Machine) SetEvery(every time.Duration) { m.timing.Every = every }

// Order has a new key drawn as soon as this host is responsible and done with the last one.
func (m *Machine) Order() { m.ordered = true }

// Said is what this host signs with, 0 for the base key, and the newest key that it holds.
func (m *Machine) Said() (sign, newest wire.KeyID) {
	for _, id := range []wire.KeyID{m.target, m.follows} {
		if id != 0 {
			return m.sign, id
		}
	}
	return m.sign, m.sign
}

// Since says when this host has come by a key; zero: it does not hold it.
func (m *Machine) Since(id wire.KeyID) time.Time {
	if k := m.known[id]; k != nil {
		return k.since
	}
	return time.Time{}
}

// Due says when the key in use will be replaced; zero: there is none.
func (m *Machine) Due() time.Time {
	since := m.Since(m.sign)
	if since.IsZero() {
		return since
	}
	return since.Add(m.timing.Every)
}

// Drawn says which key was drawn.
func (m *Machine) Drawn(id wire.KeyID, now time.Time) {
	m.target, m.drawn, m.rested = id, now, now
	m.ordered, m.parted, m.waiting = false, false, time.Time{}
	m.known[id] = &known{since: now, used: now}
}

// Responsible is the host that draws keys for these members; false: there is nobody to share one with.
func Responsible(members member.Set) (member.ID, bool) {
	if members.Len() < 2 {
		return 0, false
	}
	return members.Lowest(), true
}

// Step takes in what is so.
func (m *Machine) Step(s State) (do Orders) {
	m.hold(s)
	if s.Members != 0 {
		m.parted = m.parted || m.members&^s.Members != 0
		m.members = s.Members
	}
	before := m.sign
	head, any := Responsible(s.Members)
	switch {
	case !s.Allowed:
		m.sign, m.target, m.follows = 0, 0, 0
	case any && head == m.self:
		m.follows = 0
		do.Reason, do.Draw = m.lead(s)
	case any:
		m.target, m.ordered, m.parted = 0, false, false
		m.follow(s.Voices[head])
	}
	do.Turned = m.sign != before
	do.Want = m.wants(s)
	do.Drop = m.stale(s)
	return do
}

// hold takes note of which keys are held, and which are used.
func (m *Machine) hold(s State) {
	for id := range m.known {
		if !slices.Contains(s.Held, id) {
			delete(m.known, id)
		}
	}
	for _, id := range s.Held {
		if m.known[id] == nil {
			m.known[id] = &known{since: s.Now, used: s.Now}
		}
	}
	for id, v := range s.Voices {
		if v.Heard && member.ID(id) != m.self {
			m.use(s.Now, v.Sign, v.Newest)
		}
	}
	for _, id := range []*wire.KeyID{&m.sign, &m.target, &m.follows} {
		if m.known[*id] == nil {
			*id = 0
		}
	}
	m.use(s.Now, m.sign, m.target, m.follows)
}

func (m *Machine) use(now time.Time, ids ...wire.KeyID) {
	for _, id := range ids {
		if k := m.known[id]; k != nil {
			k.used = now
		}
	}
}

// follow does what the responsible host does, as far as its keys are held.
func (m *Machine) follow(head Voice) {
	if !head.Heard {
		return
	}
	if m.known[head.Sign] != nil {
		m.sign = head.Sign
	}
	m.follows = 0
	if m.known[head.Newest] != nil && head.Newest != m.sign {
		m.follows = head.Newest
	}
}

// lead goes on with the key that was drawn, or says whether to draw one.
func (m *Machine) lead(s State) (why Reason, draw bool) {
	if m.target != 0 {
		if m.allHold(s) || s.Now.Sub(m.drawn) >= m.timing.Patience {
			m.sign, m.target = m.target, 0
		}
		return "", false
	}
	if m.sign == 0 && m.adopt(s) {
		return "", false
	}
	switch {
	case m.sign == 0:
		return First, true
	case m.ordered:
		return Ordered, true
	case s.Now.Sub(m.known[m.sign].since) >= m.timing.Every:
		return Aged, true
	case m.parted && s.Now.Sub(m.rested) >= m.timing.Rest:
		return Parted, true
	}
	return "", false
}

// adopt takes over what the members sign with already: this host has just started, or came back. It reports whether there is such a
// key, also one that is yet to be fetched.
func (m *Machine) adopt(s State) bool {
	for id := range s.Voices {
		v := s.Voices[id]
		if !s.Members.Has(member.ID(id)) || member.ID(id) == m.self || !v.Heard || v.Sign == 0 {
			continue
		}
		if m.known[v.Sign] != nil {
			m.sign, m.waiting = v.Sign, time.Time{}
			return true
		}
		if m.waiting.IsZero() {
			m.waiting = s.Now
		}
		return s.Now.Sub(m.waiting) < m.timing.Patience
	}
	return false
}

// allHold reports whether every member says that it holds the key that was drawn.
func (m *Machine) allHold(s State) bool {
	for id, v := range s.Voices {
		if member.ID(id) != m.self && s.Members.Has(member.ID(id)) && v.Newest != m.target && v.Sign != m.target {
			return false
		}
	}
	return true
}

// wants are the hosts that sign with keys that this host does not hold, or name them.
func (m *Machine) wants(s State) (set member.Set) {
	if !s.Allowed {
		return 0
	}
	for id, v := range s.Voices {
		if member.ID(id) != m.self && v.Heard && (m.lacks(v.Sign) || m.lacks(v.Newest)) {
			set = set.With(member.ID(id))
		}
	}
	return set
}

func (m *Machine) lacks(id wire.KeyID) bool { return id != 0 && m.known[id] == nil }

// stale are the keys that nobody has used for the overlap.
func (m *Machine) stale(s State) (ids []wire.KeyID) {
	for _, id := range s.Held {
		if s.Now.Sub(m.known[id].used) >= m.timing.Overlap {
			ids = append(ids, id)
		}
	}
	return ids
}
