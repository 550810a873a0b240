// Package demo shows the whole thing in half a minute: three hosts, one address, real clients, a power cut, a host that comes back, a drain, a
// killed agent, and a table of what the clients saw.
//
// Usage: Run. With Stay the cluster is left running at the end, and Run says how to look at it.
//
// Concurrency: two client processes are read by a goroutine each; everything they tell goes through one feed.
//
// Failure behaviour: whatever fails, also an interrupt, the lab is taken down before Run returns. A process of the demo that is
// killed takes its hosts with it, except with Stay, and `muster lab down` removes the rest.
//
// Testing: with a stand-in for the agent and short pauses.
package demo
