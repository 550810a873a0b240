// Package tunnel knows what VXLAN does to a packet, and finds out how large a packet the way to another host takes.
//
// Usage: VNI numbers a cluster, Overhead is what wrapping adds, PathMTU asks the way to one host, and Watch repeats that for all of
// them and tells the largest packet that fits when it changes. The device itself is made through the journal of package
// system, and what goes into it is decided by package filter; docs/design/0020-tunnel.md has the whole picture.
//
// Concurrency: VNI and Overhead are pure. PathMTU and Watch block; they act in the network namespace of the calling thread, and each
// socket is theirs alone. Watch calls back from its own goroutine.
//
// Failure behaviour: a host that cannot be reached says nothing about its way and does not count. A way that swallows large packets without
// a word (a firewall that drops ICMP) is not found out: wrapped packets that are too large are then cut by the routers themselves,
// for the outer header allows it. A forged answer can make packets small, but not below what IPv6 guarantees.
//
// Testing: PathMTU runs in network namespaces with a router between whose way is narrow; Watch runs under testing/synctest with a way that is
// a function.
package tunnel
