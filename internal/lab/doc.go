// Package lab builds hosts and clients on this machine, joins them with a bridge and runs real agents in them. Tests, `muster
// demo`, `make bench` and `muster lab` stand on it.
//
// A host is a named network namespace with one interface, eth0; its other end is a port of a bridge that lives in a namespace
// of its own, so the machine's own network sees nothing of a lab. Everything is done by netlink: a bare machine has no
// ip, tc or nft. Faults are real: processes are killed or stopped, links go down, ports move to another bridge, and a small
// eBPF program on the port loses frames.
//
// Options.Far puts the last hosts behind a router, a namespace with a leg in each of two networks, whose way Narrow makes narrow.
//
// Usage: Up, then Host and Client for the machines, WaitReady once agents run, Down at the end. Open finds a lab of
// another process by its name; both may work on it at the same time.
//
//	l, err := lab.Up(ctx, lab.Options{Hosts: 3, Clients: 1, Binary: "bin/muster"})
//	defer l.Down()
//	err = l.StartAll(ctx)
//	cut, err := l.Host("b").PowerCut()
//
// Concurrency: all methods may be called from several goroutines and processes. What must outlive a process is in
// /run/muster-lab/NAME.json, changed under a lock. A namespace is entered by one thread a process, which also starts the
// processes in it, so that they die with this process unless Options.Detached says otherwise.
//
// Failure behaviour: the plan is written down before anything is made, so Down removes whatever there is after a failure at
// any point, a kill -9 included, and may be called any number of times. A process is only killed when it still is the one that
// was started, or when it is in a namespace of the lab.
//
// Testing: the tests need root. They compare namespaces, links and mounts of the machine before and after.
package lab
