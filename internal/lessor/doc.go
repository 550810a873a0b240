// Package lessor is the MADCAP server of `muster madcap serve`: package madcap's server with a lease file, sockets on the right
// interfaces, and a beginning and an end that a service manager understands.
//
// Usage: ParseScope reads what an administrator writes of a scope, Serve runs until its context ends:
//
//	scope, err := lessor.ParseScope("239.255.0.0/16,name=Shop")
//	err = lessor.Serve(ctx, lessor.Options{
//		Leases: "/var/lib/muster/madcap.json", Interfaces: []string{"eth0"}, Scopes: []madcap.ServedScope{scope},
//		Log: log, Ready: func() { notify("READY=1") },
//	})
//
// Concurrency: Serve is one server; several may run at the same time with lease files and addresses of their own.
//
// Failure behaviour: what is wrong with the options, the lease file or the sockets is an error before anything is answered, and says
// what to do. A lease file that is damaged is never overwritten: starting without its leases would hand out addresses that are in use. A
// lease is on disk before it is acknowledged, so a killed server forgets nothing that it promised.
//
// Testing: the scopes by a table; the server by the program's own test with two servers, clients and faults on a bridge with snooping
// (TestMADCAPCommands in cmd/muster).
package lessor
