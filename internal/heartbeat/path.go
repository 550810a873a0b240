package heartbeat

import (
	"errors"
	"net/netip"

	"github.com/muster-ha/muster/internal/member"
)

// ErrEmpty is returned by Path.Receive when nothing waits.
var ErrEmpty = errors.New("no datagram waits")

// Path carries datagrams between hosts, at its best: it may lose, double, reorder and damage them, or be used by strangers.
// Broadcast and Send may be called at the same time as Receive and Wait.
type Path interface {
	// Broadcast sends a datagram to every other host but those to skip, without blocking, and calls failed for each that it cannot be
	// sent to.
	Broadcast(datagram []byte, skip member.Set, failed func(member.ID, error))

	// Send sends a datagram to one other host, without blocking.
	Send(to member.ID, datagram []byte) error

	// Receive reads one datagram, without blocking, and what is said to be its source. It returns ErrEmpty when none waits.
	Receive(buf []byte) (n int, from netip.AddrPort, err error)

	// Wait returns when a datagram waits. After Close it returns net.ErrClosed.
	Wait() error

	// Close ends everything.
	Close() error
}
