// Package filter is the data plane: two eBPF programs on an interface that decide for each packet to a virtual address
// whether this host accepts it, forwards it to another host at layer 2, or drops it. docs/design/0002-filter.md has the
// decisions and their reasons; bpf/ has the programs.
//
// Hosts that are no neighbours are reached through a VXLAN device: Setup.Tunnel, AttachTunnel before it is set up, SetRemote in place of
// SetPeer, SetTunnelMTU when the way is known. What comes out of it unproved is dropped (docs/design/0020-tunnel.md).
//
// Usage: Open, Configure, then SetPeer, SetSlots, SetDirector, Attach, and SetLease at every heartbeat. Configure and SetSlots may
// be called again at any time. Connections lists the sockets that stay behind after a move. Close leaves the programs
// running; Remove undoes everything; Revoke ends the lease from another process.
//
// A rule with Rule.Remember has SetChains and SetRemembers beside SetSlots: its first packets go along a chain of hosts that may know the
// client (docs/design/0015-rules.md). The programs note clients by themselves; Remember notes those whose connections are silent, and
// Clients lists who is known.
//
// Concurrency: all methods may be called from any goroutine. SetLease and SetSlots are stores into memory that the kernel reads.
// Attach, Detach, Configure's interfaces, Remove and Connections mean the network namespace of the calling thread.
//
// Failure behaviour: what new connections need is the lease, which is never valid unless somebody keeps moving it on. When the
// agent dies, established connections go on, and nothing new is accepted once the lease has lapsed. A Filter that cannot be
// opened leaves the one before in place.
//
// Testing: decision_test.go gives packets to the programs through BPF_PROG_TEST_RUN; the tests with sockets build hosts
// and a client as network namespaces on a bridge. All need root. BenchmarkFilter measures the cost over an empty program.
package filter
