// Package quorum says which hosts may go on with what must not run twice when the cluster has come apart.
//
// Usage: an Electorate is made once a configuration from the hosts that serve and those that only bear witness. Has judges a
// set of hosts in a view, for balance (who may own buckets of a rule) and for member (until when the kernel may accept them);
// Explain says the same in words. A Tie works out whether this host may decide an even split, where addresses bear
// witness and not hosts.
//
// Everything here is a pure function or a plain state machine without I/O: the same configuration and the same view give the
// same answer on every host. docs/design/0008-quorum.md has the argument why two halves never both have a majority, or the
// witness hosts, and what witness addresses cannot know.
//
// Concurrency: an Electorate is a value and never changes; a Tie belongs to one goroutine.
//
// Failure behaviour: what is not known counts as no: a host without a vote, a witness that was not asked yet, a half whose history is
// not known.
//
// Testing: properties over all sets of hosts (any two quorums meet, more hosts never have less), tables for the words; the
// simulation of package member runs whole clusters with it.
package quorum
