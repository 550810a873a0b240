// Package syn attacks a VIP of the lab with SYNs, and makes TCP handshakes by hand, which can stop half way and go on after something
// has changed. Tests and `make bench` show with it what hosts do under a flood.
//
// Usage: ReturnPath, so that the hosts' answers to strangers go somewhere; then Flood with a context, and a Caller beside it:
//
//	err := syn.ReturnPath(l)
//	go syn.Flood(ctx, l.Client(1), syn.Options{To: mac, Target: vip})
//	caller, err := syn.NewCaller(l.Client(1), mac, vip)
//	calls, err := caller.Begin(time.Second, 20000, 20001)
//	...move buckets...
//	err = calls[0].Finish(time.Second)
//
// Sources of a flood are addresses of 10.128.0.0/9, at random; callers are CallerAddress. Neither is anybody's in a lab: no kernel answers what
// is sent to them.
//
// Concurrency: Flood may run beside everything else, in several goroutines. A Caller and its Calls belong to one goroutine.
//
// Failure behaviour: a flood ends with its context and counts what the kernel has taken. Segments of a handshake are sent again like a
// kernel would, only more often, because a flood makes the network lose some.
//
// Testing: sums of frames are checked as a kernel checks them, and the parser takes any bytes. Package agent tests the rest.
package syn
