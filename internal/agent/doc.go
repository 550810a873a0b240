// Package agent is one host of the cluster, wired together and run. It is the only package that knows all the others.
//
// Usage: Run until its context ends or a stop is asked for; Cleanup undoes what an agent left behind that was killed.
//
// Concurrency: one goroutine, the loop, owns the membership machine, the shares and the filter. Receivers, checks, the
// connection scan and the API hand it functions to run; nothing else touches that state.
//
// Failure behaviour: the agent fails closed. A filter that cannot be armed, an address that cannot be set or an
// interface that is missing ends Run with an error and an undone host; if a configuration that comes into use meets such a thing, the host accepts nothing and tries
// again every second. If the agent is killed, its guard (package guard) takes the
// lease away and tells the others; the filter stays and keeps established connections alive.
//
// Testing: shares_test.go covers the hand-over of buckets without I/O; the other tests run real agents in namespaces, with real
// clients and faults, by theme.
package agent
