// Package multicast decides whether heartbeats go by multicast, and to which group. It holds no I/O.
//
// Usage: Disabled is the truth table of the two settings, Decide says whether a network uses multicast and why, Group is what
// the hosts agree on, and a Source finds an address for a new Group: Held is the lease that the cluster has from a MADCAP server, SelfSelected the
// last resort, an address at random. Keeping says what to do about a lease and when; package lessee does it. A lease is one line of text in
// the cluster's common values, which ParseLease reads.
//
// Concurrency: everything is a value.
//
// Failure behaviour: when in doubt the answer is unicast, which always works. A lease that cannot be read counts as none.
//
// Testing: every line of the truth table and of the decision; the choice of addresses by properties; the life of a lease
// by a table; ParseLease is fuzzed.
package multicast
