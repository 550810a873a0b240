// Package member decides who is alive and what view the cluster is in.
//
// It is a state machine without I/O and without a clock of its own: the caller hands in the time, the heartbeats it heard and
// the progress of the kernel, and gets back what to send, what to install and until when new connections may be
// accepted. docs/design/0001-views.md has the protocol and its reasons.
//
// Usage: New, then Tick once an interval, Receive for each heartbeat, Released and Installed when the filter has done
// what a Step asked for.
//
// Concurrency: a Machine belongs to one goroutine.
//
// Failure behaviour: nothing here fails; a host that is unsure of its place owns nothing.
//
// Testing: simulation_test.go runs whole clusters on a fake network under testing/synctest over many seeds.
package member
