// Package bgp announces addresses to routers: one /32 or /128 for each, with this host as the next hop, over sessions that this host opens.
//
// Usage: Start a Speaker, tell it with Set which routers there are and with Announce which addresses this host may serve now; both return
// at once and may be called in a loop that must not wait. Sessions says how things stand, in words that an administrator can act on. Close
// withdraws everything and ends the sessions.
//
// The protocol is that of github.com/osrg/gobgp, embedded: no API of it is served, and no TCP port is listened on. UDP port 3784
// is, on the one interface that is named, while a router has BFD. Nothing is learnt: every route that a router sends is refused by policy,
// so that it is neither used nor passed on to another router, and a router that sends more than a host should ever see is cut off for a while.
//
// Concurrency: a Speaker may be used from several goroutines. One worker of its own does what may take time. Sockets are opened in the
// network namespace of the process.
//
// Failure behaviour: a session that cannot be had is tried again every few seconds for ever, and Sessions says why. A process that
// dies closes its sessions, and the routers take its routes away at once; one that is stopped, or whose machine is dead, is found
// by the routers when the hold time, or BFD, is over. There is no graceful restart, on purpose: a router should not send new clients to a
// host whose agent is dead. docs/design/0016-routed.md has the reasons.
//
// Testing: against another speaker in the process, one that lies; what is said of a failure is a table; against BIRD with kernel ECMP
// in package agent's tests.
package bgp
