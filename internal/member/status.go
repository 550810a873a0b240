package member

import "time"

// keptEvents bounds the events that nobody has fetched.
const keptEvents = 256

// Heartbeat is what to tell the others, and remembers that seq is sent at now. Call it before the datagram leaves, so that
// the lease that follows from its confirmation is on the safe side.
func (m *Machine) Heartbeat(now time.Time, seq uint64) Heartbeat {
	m.sent.note(seq, now)
	m.granted.spoken = seq
	return Heartbeat{
		From: m.self, Boot: m.boot, Seq: seq,
		State: m.State(), Config: m.config, Pending: m.pending, Attrs: m.offered(m.attrs), Next: m.offered(m.next),
		Hears: m.hearings(), Links: m.Links(),
		View: m.view, Released: m.released, Installed: m.installed, HighEpoch: m.highEpoch,
	}
}

// hearings is whom we hear. The number stands still for a host that has departed.
func (m *Machine) hearings() []Hearing {
	var list []Hearing
	for id := range m.Heard().All() {
		p := &m.peers[id]
		h := Hearing{ID: id, Boot: p.boot, Seq: p.last.Seq}
		if d := m.departed[id]; d.boot == p.boot {
			h.Seq = d.seq
		}
		list = append(list, h)
	}
	return list
}

// View is the highest view accepted, or the zero View.
func (m *Machine) View() View { return m.view }

// Epoch is the highest epoch heard of, to be kept for the next boot.
func (m *Machine) Epoch() uint64 { return m.highEpoch }

// State is how far this host takes part.
func (m *Machine) State() State {
	switch {
	case m.leaving:
		return Leaving
	case m.view.IsZero():
		return Joining
	default:
		return Serving
	}
}

// IsInstalled reports whether the filter has the whole share of the present view.
func (m *Machine) IsInstalled() bool { return !m.view.IsZero() && m.installed == m.view.ViewID }

// Attributes is what this host offers now.
func (m *Machine) Attributes() Attributes { return m.offered(m.attrs) }

// PeerStatus is what is known of another host. Boot zero: nothing was ever heard of it.
type PeerStatus struct {
	ID      ID
	Boot    Boot          // the newest
	Heard   bool          // not silent
	Ended   bool          // it has said farewell
	Linked  bool          // both hear each other
	Held    time.Duration // how much longer that does not count, because the link went up and down
	Silence time.Duration // since it was last heard, in our own ticks
	Loss    float64       // part of its last 64 heartbeats that did not arrive
	Last    Heartbeat     // the newest
}

// Peer is what is known of a host.
func (m *Machine) Peer(id ID) PeerStatus {
	if id >= ID(MaxHosts) {
		return PeerStatus{ID: id}
	}
	p := &m.peers[id]
	return PeerStatus{
		ID: id, Boot: p.boot, Heard: m.Hears(id), Ended: p.ended, Linked: p.linked, Held: m.held(id),
		Silence: p.silence, Loss: p.loss(), Last: p.last,
	}
}

// held is how much longer a link that is up does not count.
func (m *Machine) held(id ID) time.Duration {
	p := &m.peers[id]
	if !p.linked || p.counts {
		return 0
	}
	return p.damp.left(m.detection())
}

// Waiting is the departed hosts that a release is waiting for.
func (m *Machine) Waiting() Set {
	var s Set
	for id := range ID(MaxHosts) {
		if m.departed[id].boot != 0 {
			s = s.With(id)
		}
	}
	return s
}

// Events hands over what has happened since the last call, oldest first; of too many the oldest are dropped.
func (m *Machine) Events() []Event {
	events := m.events
	m.events = nil
	return events
}

func (m *Machine) event(now time.Time, kind EventKind, host ID, detail string) {
	m.events = push(m.events, Event{At: now, Kind: kind, Host: host, View: m.view.ViewID, Members: m.view.Set(), Detail: detail})
}

func push(events []Event, e Event) []Event {
	if len(events) == keptEvents {
		events = events[:copy(events, events[1:])]
	}
	return append(events, e)
}
