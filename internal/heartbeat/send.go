package heartbeat

import (
	"fmt"
	"time"

	"github.com/muster-ha/muster/internal/member"
)

// Send tells all other hosts what say returns for the heartbeat's sequence. Holdings are said as far as there is room, the rest
// with the next heartbeats. An error means that nobody was told; a host that cannot be reached is none.
func (n *Network) Send(say func(seq uint64) Message) (seq uint64, err error) {
	n.out.Lock()
	defer n.out.Unlock()
	return n.sendLocked(0, func(seq uint64) Message {
		m := say(seq)
		m.Speaks, m.Written = n.talk.speak(time.Now())
		return m
	})
}

// sendFrom sends a message to all hosts but those to skip, its holdings from the start-th on, and says where the next message has
// to go on.
func (n *Network) sendFrom(start int, skip member.Set, m Message) (next int, err error) {
	n.out.Lock()
	defer n.out.Unlock()
	n.out.nextHolding = start
	_, err = n.sendLocked(skip, func(uint64) Message { return m })
	return n.out.nextHolding, err
}

// sendLocked is Send. n.out is locked.
func (n *Network) sendLocked(skip member.Set, say func(seq uint64) Message) (seq uint64, err error) {
	datagram, seq, err := n.codec.SealNext(n.out.datagram[:0], func(seq uint64) ([]byte, error) {
		return n.encodeLocked(say(seq))
	})
	if err != nil {
		if !n.out.failing {
			n.log.Error("cannot say a heartbeat: the others take this host for silent", "err", err)
		}
		n.out.failing = true
		return seq, fmt.Errorf("say heartbeat: %w", err)
	}
	n.out.failing = false
	n.out.datagram = datagram
	if n.down != nil && n.down() {
		return seq, nil
	}
	var failed member.Set
	n.path.Broadcast(datagram, skip, func(to member.ID, err error) {
		failed |= 1 << to
		n.unsent(to, err)
	})
	n.sent(failed)
	return seq, nil
}

// encodeLocked writes a message, with as many of its holdings as fit. n.out is locked.
func (n *Network) encodeLocked(m Message) ([]byte, error) {
	now := time.Now()
	m.Clock, m.Echo = n.clock(now), n.echoLocked(now)
	b, err := m.appendBase(n.out.payload[:0])
	if err != nil {
		return nil, err
	}
	if m.Written >= VersionSections {
		b = m.appendSections(b, maxSize-holdingsRoom-len(b))
	}
	var fitted []Holding
	fitted, n.out.nextHolding = Fit(m.Holdings, maxSize-len(b), n.out.nextHolding)
	if b, err = appendHoldings(b, fitted); err != nil {
		return nil, err
	}
	n.out.payload = b
	if len(n.out.payload) > maxSize {
		return nil, fmt.Errorf("%w: %d bytes, at most %d fit", ErrTooLong, len(n.out.payload), maxSize)
	}
	return n.out.payload, nil
}

// echoLocked picks one host after the other that was heard lately. n.out is locked.
func (n *Network) echoLocked(now time.Time) Echo {
	n.state.Lock()
	defer n.state.Unlock()
	count := len(n.state.links)
	for i := range count {
		id := (n.out.nextEcho + i) % count
		if e, ok := n.state.links[id].echo(member.ID(id), now); ok {
			n.out.nextEcho = id + 1
			return e
		}
	}
	return Echo{}
}

// sent counts a heartbeat, which went out to all but the hosts that failed.
func (n *Network) sent(failed member.Set) {
	n.state.Lock()
	defer n.state.Unlock()
	n.state.sent++
	for id := range n.state.links {
		l := &n.state.links[id]
		if l.failing && failed&(1<<id) == 0 {
			l.failing = false
			n.log.Info("can send to a host again", "address", n.state.peers[id])
		}
	}
}

// unsent counts a datagram that could not be sent to a host.
func (n *Network) unsent(to member.ID, err error) {
	n.state.Lock()
	defer n.state.Unlock()
	l := &n.state.links[to]
	l.Unsent++
	if !l.failing {
		n.log.Warn("cannot send to a host: check the interface and the route to it", "address", n.state.peers[to], "err", err)
	}
	l.failing = true
}
