package madcap

import (
	"context"
	"net/netip"
)

// Packet is a datagram that arrived.
type Packet struct {
	Data []byte
	From netip.AddrPort
	// Group is the multicast address to which it was sent; not valid if it was sent to the host itself.
	Group netip.Addr
}

// Transport carries a client's datagrams, multicast and unicast, during one operation. [OpenUDP] makes those for UDP.
type Transport interface {
	// Send sends a datagram. An error ends the operation.
	Send(b []byte, to netip.AddrPort) error
	// Receive waits for a datagram. It returns an error when the transport is closed.
	Receive() (Packet, error)
	// Close ends a Receive that is waiting.
	Close() error
}

// OpenFunc opens a transport for one operation of a client.
type OpenFunc func(ctx context.Context) (Transport, error)

// Listener carries a server's datagrams. [ListenUDP] makes one for UDP.
type Listener interface {
	Transport
}
