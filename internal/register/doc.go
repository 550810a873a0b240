// Package register keeps small values that all hosts of a cluster hold in common, without a store, a leader, a quorum or a clock:
// a key has a value, the newest wins.
//
// Usage: a Set is one host's copy. Put and Delete change it; what other hosts say is merged:
//
//	s := register.New(self)
//	_ = s.Put("network/lan/address", "239.1.2.3", time.Now())
//	say := s.Say(othersDiffer, register.Budget) // goes with each heartbeat: the digest, and entries while somebody's digest differs
//	changed := s.Merge(heard.Entries)           // on another host
//
// Two hosts with the same Digest hold the same entries, so who has a value follows from the digests that are heard. Encode and Decode are
// the text in which a host keeps its copy over a restart.
//
// Versions are Lamport's: one more than the highest that the host has seen, and its number decides between two hosts that
// changed a value without knowing of each other. If even that is equal, because a host has lost its file, the content decides. So every
// two copies merge to one and the same, in whatever order and however often entries arrive. The time in an Entry is shown to
// people and decides nothing.
//
// A deleted key leaves a tombstone behind, so that a host that was away does not bring the value back. Everything is bounded: 128
// values, and 64 tombstones of which the oldest is forgotten. A host that was away while 64 other keys were deleted can bring
// back what it knows.
//
// Concurrency: none; a Set belongs to one goroutine. Entries are values.
//
// Failure behaviour: an entry that breaks a limit is refused by Put, ReadEntry and Merge, and a damaged line of a file is left out and
// reported. A value that is lost on one host comes back from the others.
//
// Testing: the laws of merging by properties, and a simulated cluster with loss, reordering, partitions and restarts from
// the file, which has to converge.
package register
