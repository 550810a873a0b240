// Package vip puts virtual addresses on a host without letting its kernel speak for them, finds the interface they belong to, and
// tells the network which host is the director.
//
// A host that carries a VIP has it as a /32 on lo: its sockets may use it, but ARP requests for it are answered by the filter alone, and
// only on the director. Two settings keep the kernel silent: arp_ignore=1 (answer only for addresses of the interface that
// was asked) and arp_announce=2 (never name an address of another interface as ours). They are set on the VIP's interface,
// not on the whole host, and only raised, never lowered. The address has host scope, so the kernel does not choose it as the
// source of connections that this host opens.
//
// A VIP with an IPv6 address is a /128 on lo without duplicate address detection, which every other host would fail. There the kernel is silent by
// itself: it answers neighbour solicitations only for addresses of the interface that they came in on. What it has to be told is to listen to
// them: Carry has the interface join the VIP's solicited-node group. The address is deprecated, which is what host scope is by IPv6.
//
// Usage: Find the interface; Carry it, through the journal of package system, which also
// keeps it up and takes it back; then Run an Announcer for each VIP and tell it with Direct whether this host is
// the director. Asking says when to send a Question for strangers who have the address; Strangers decides who is one, from claims that package
// filter hears. Where all hosts take in what clients send to a VIP, a Probe asks the network whether it gets there, a Tap hears those of others, and
// Arrivals decides whose are missing. When the configuration changes: Journal.Unclaim(vip.Carried), Carry what it names, Journal.ReleaseUnclaimed.
//
// Concurrency: Find and Carry act in the calling thread's network namespace; a Port belongs to the namespace
// in which it was opened. Direct, Renew and a Port's Send may be called from any goroutine; Run from one.
//
// Failure behaviour: an announcement that cannot be sent is tried again at its next time; the log says so once, not each time. What
// Carry has done before it fails is in the journal. A Tap that has lost something says so, and then nobody is missing.
//
// Testing: frames are compared byte by byte; the announcer's times run under testing/synctest with a sender in memory; Carry and Find
// run on real interfaces in network namespaces of their own, and the test asks the kernel's own ARP.
package vip
