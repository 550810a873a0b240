// Package madcap is a client and a server for the Multicast Address Dynamic Client Allocation Protocol (RFC 2730) with the
// scope nesting option (RFC 2907): hosts ask a server for multicast addresses that nobody else uses, for a time.
//
// # Usage
//
// A [Client] asks for the scopes in effect, leases addresses from one of them, renews and releases the lease:
//
//	client, err := madcap.NewClient(madcap.ClientConfig{Open: madcap.OpenUDP(madcap.UDPConfig{Interface: "eth0"})})
//	lease, err := client.Lease(ctx, madcap.Request{Scope: madcap.LocalScope(madcap.IPv4), Time: 24 * time.Hour})
//	lease, err = client.Renew(ctx, lease, madcap.Terms{Time: 24 * time.Hour}) // at lease.RenewAt()
//	err = client.Release(ctx, lease)
//
// A [Server] hands out the addresses of its scopes. [Server.Handle] is the whole server without a socket; [Server.Serve] joins
// it to a [Listener], of which [ListenUDP] makes one. Leases are kept in a [Store] (a file: [OpenFile]) before they are acknowledged.
//
// [Parse] and [Message.Encode] are the wire format for those who need nothing else. Which option may stand in which message
// (RFC 2730, Table 5) is data: [Presence] tells it, and the encoder and both state machines check by it.
//
// # Concurrency
//
// Methods of Client, Server, Zones, MemoryStore and FileStore may be called by any goroutine. Every operation of a client has a
// socket of its own. Messages and options are values: nobody changes them after they were made.
//
// # Failure behaviour
//
// The protocol authenticates nothing. The client ignores, as the RFC asks, whatever does not answer an open transaction (xid and
// lease identifier, which has 16 random octets, must match), breaks Table 5, or is not what was asked for: an address
// outside the scope, a lease of no time, more addresses than wanted, a lease that starts too late. Nothing that a server sends makes the
// client wait longer than 60 seconds for a message; a [TimeoutError] then says what was heard and why it did not count. A NAK
// comes back as a [RefusedError].
//
// The server ignores what is no MADCAP message and answers what is an invalid one with a NAK. Leases, holds, cached responses and
// deferred requests are bounded in number. A lease that cannot be stored is not granted.
//
// # Testing
//
// Both sides are state machines that are told the time. Client and server talk over a fake network under testing/synctest,
// and over UDP and multicast in a network namespace. The RFCs' examples and Table 5 are test vectors.
package madcap
