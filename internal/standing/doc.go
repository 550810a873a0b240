// Package standing keeps standing orders: what somebody has told hosts and rules to do by hand, and what stays so until it is taken back.
//
// Usage: orders are common values (package register), so every host knows them, also those about hosts that are down. Read gives them
// in one value; After and Changes say what an order makes of it:
//
//	orders := standing.Read(registers.Values(""))
//	next, err := orders.Host("b").After(standing.Drain, 5*time.Minute)
//	err = registers.Set(standing.HostKey("b"), next.Value())
//
//	changes := orders.Changes(standing.Rule{VIP: "web", Port: 443}, "b", standing.Drained)
//
// A host is started unless an order says otherwise: draining (no new connections, the old ones finish; with a deadline it stops then), stopped
// (none at all), or suspended (stopped, and deaf to all orders but the one to resume). A rule is enabled unless an order says otherwise: drained or
// disabled, on one host or on all. An order for one host wins over one for all, and a new one for all replaces those for one.
//
// Hosts and VIPs go by their names, and a rule by its VIP, protocol and one of its ports, because numbers change with the file. What a later version
// has written and this one does not know is left alone.
//
// Concurrency: everything is a value; functions hold no state.
//
// Failure behaviour: a value that cannot be read counts as no order, so a host serves. An order that makes no sense is an error with a remedy, and
// changes nothing.
//
// Testing: every verb in every state by tables; that keys and values are read as they were written by properties, and by a fuzz target.
package standing
