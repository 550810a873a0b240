// Package multicast decides whether heartbeats go by multicast, and to which group. It holds no I/O.
//
// Usage: Disabled is the truth table of the two settings, Decide says whether a network uses multicast and why, Group is what
// the hosts agree on, and a Source finds an address for a new Group. SelfSelected is the Source of last resort: an address
// at random. A lease from a MADCAP server is to be another Source, asked before it.
//
// Concurrency: everything is a value.
//
// Failure behaviour: when in doubt the answer is unicast, which always works.
//
// Testing: every line of the truth table and of the decision; the choice of addresses by properties.
package multicast
