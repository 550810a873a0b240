// Package member decides who is alive and what view the cluster is in.
//
// It is a state machine without I/O and without a clock of its own: the caller hands in the time, the heartbeats it heard and
// the progress of the kernel, and gets back what to send, what to install and until when new connections may be
// accepted. docs/design/0001-views.md has the protocol and its reasons.
//
// Usage: New, then Tick once an interval, Receive for each heartbeat, Released and Installed when the filter has done
// what a Step asked for. Steps are to be done in the order in which they were handed out, also when a later one makes an
// earlier one pointless. Each Output is to be acted on; after each, Lease says until when the kernel may accept, and
// Epoch what to remember for the next boot before a heartbeat tells the others.
//
// Before the first heartbeat of a boot leaves, and before a farewell does, the filter must accept nothing: the others
// take both to mean that the boot before, or this one, has ended.
//
// Concurrency: a Machine belongs to one goroutine.
//
// Failure behaviour: nothing here fails; a host that is unsure of its place owns nothing. All that is kept is bounded:
// 32 peers, 256 sendings, 256 events.
//
// Testing: simulation_test.go runs whole clusters on a fake network over many seeds and checks the invariants after each
// event (MUSTER_SEEDS=N for more of them, MUSTER_SEED=X to replay one with a trace); sim_sabotage_test.go proves that the
// checks can fail; scenario_test.go has the named cases with the times they may take.
package member
