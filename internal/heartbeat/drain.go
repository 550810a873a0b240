package heartbeat

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/wire"
)

// Drain hands over all that has arrived, in the order of arrival, and answers challenges.
func (n *Network) Drain(hear func(Received)) {
	n.in.Lock()
	defer n.in.Unlock()
	defer n.rearm()
	for range drainLimit {
		size, from, err := n.path.Receive(n.in.buf[:])
		if errors.Is(err, ErrEmpty) || errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			n.log.Debug("cannot receive", "err", err)
			return
		}
		n.take(n.in.buf[:size], from, time.Now(), hear)
	}
}

// rearm lets watch look for the next arrival.
func (n *Network) rearm() {
	select {
	case n.drained <- struct{}{}:
	default:
	}
}

// take judges one datagram.
func (n *Network) take(datagram []byte, from netip.AddrPort, at time.Time, hear func(Received)) {
	m, reply, why := n.codec.Open(datagram, at)
	if why != wire.Accepted {
		n.refused(why, from)
	}
	if reply != nil {
		if err := n.path.Send(m.From, reply); err != nil {
			n.unsent(m.From, err)
		}
	}
	if why != wire.Accepted {
		return
	}
	switch m.Type {
	case wire.Heartbeat:
		n.heard(m, from, at, hear)
	case wire.Farewell:
		hear(Received{At: at, From: m.From, Boot: m.Boot, Farewell: true})
	}
}

// heard hands a heartbeat over if it has a meaning and is the newest.
func (n *Network) heard(envelope wire.Message, from netip.AddrPort, at time.Time, hear func(Received)) {
	said, err := languageOf(envelope.Payload)
	if err != nil {
		n.malformed(envelope.From, from)
		return
	}
	if !n.talk.hear(envelope.From, envelope.Boot, said, at) {
		n.foreign(envelope.From, from)
		return
	}
	m, err := Parse(envelope.Payload)
	if err != nil {
		n.malformed(envelope.From, from)
		return
	}
	m.From, m.Boot = envelope.From, envelope.Boot
	if n.measure(&m, envelope.Seq, from, at) {
		hear(Received{At: at, From: m.From, Boot: m.Boot, Message: m})
	}
}

// measure takes note of a heartbeat, the seq-th on this network, and reports whether it is the newest of its boot.
func (n *Network) measure(m *Message, seq uint64, from netip.AddrPort, at time.Time) bool {
	n.state.Lock()
	defer n.state.Unlock()
	l := &n.state.links[m.From]
	if !l.arrived(m, seq, at, n.clock(at), from) {
		return false
	}
	if m.Echo.To == n.self && hearsBoot(m, n.self, n.codec.Boot()) {
		l.echoed(m.Echo, n.clock(at))
	}
	return true
}

// hearsBoot reports whether the sender hears this boot of ours, so that its echo is of our clock and not of an earlier boot's.
func hearsBoot(m *Message, self member.ID, boot member.Boot) bool {
	for _, h := range m.Hears {
		if h.ID == self {
			return h.Boot == boot
		}
	}
	return false
}

func (n *Network) malformed(peer member.ID, from netip.AddrPort) {
	n.refused(wire.Malformed, from)
	n.state.Lock()
	defer n.state.Unlock()
	n.state.links[peer].Malformed++
}

// foreign counts a heartbeat in a version that cannot be taken in. Its number counts for no gap.
func (n *Network) foreign(peer member.ID, from netip.AddrPort) {
	n.refused(wire.Version, from)
	n.state.Lock()
	defer n.state.Unlock()
	n.state.links[peer].Foreign++
	n.state.links[peer].resting = true
}

// refused remembers where a refused datagram said to come from: that is where to look for a wrong secret or an old version.
func (n *Network) refused(why wire.Reason, from netip.AddrPort) {
	n.state.Lock()
	defer n.state.Unlock()
	n.state.sources[why] = from
}
