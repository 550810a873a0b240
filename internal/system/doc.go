// Package system is the one place through which the agent changes its host, and that can take every change back.
//
// Usage: Open the journal of a run directory; AddAddress, SetSysctl, MountBPF and the others each write down what they are about to do
// and what they found, and only then do it. Restore, once a second, puts back what somebody else took away. Undo puts
// the host back as it was found; it needs nothing but the journal, so `muster stop` can do it in a new process
// after the agent was killed.
//
//	j, err := system.Open("/run/muster/shop", log)
//	defer j.Close()
//	j.SetPinRemover(filter.Remove)
//	if j.Undoing() { err = j.Undo() }        // an earlier stop was interrupted: finish it first
//	err = j.AddAddress("lo", system.Address{Prefix: vip, Scope: system.ScopeHost})
//	...
//	err = j.Undo()
//
// With a new configuration: Unclaim what depends on it, ask for everything again, then ReleaseUnclaimed.
//
// A change is a target with two states: Want, which is ours, and Found, which was there before. Taking it back means: if
// the target still is as we want it, make it as we found it. What somebody else has set since is theirs and stays; what
// was already there before us stays as well. That makes each step repeatable, so an Undo that was cut
// short is simply done again, in reverse order, and it goes on past steps that fail.
//
// Concurrency: a Journal may be used from several goroutines. One process at a time has it: Open takes a lock on the directory,
// which the kernel gives up when the process dies. Addresses and sysctls are those of the calling thread's network namespace.
//
// Failure behaviour: a change that cannot be written down is not made. A journal that is malformed, too large, not ours or writable by
// others is refused, because root acts on it: whatever it says, nothing but addresses, what interfaces take in, VXLAN devices named muster-PORT, integers below
// /proc/sys/net/ipv4 and ipv6, and files and mounts below its own directory can be touched. Entries of an earlier boot, or of a network namespace that
// is gone, are forgotten: what they describe went with it.
//
// Testing: crash_test.go cuts a fake host off after every single step and has a new process undo the rest; kernel_test.go does it
// with a real kernel, in a network namespace of its own, and with kill -9.
package system
