// Package standin is a stand-in for the agent, so that the lab, its demo and its commands can be tested by themselves: hosts tell each other
// that they live, and the first of those that do has the virtual address. It is active-passive, neither safe nor clever.
//
// Usage: a test's TestMain calls Main with the command line when the test's own program is run as `muster`: run, status,
// host, key.
//
// Concurrency: a process has one agent.
//
// Failure behaviour: a host not heard for a second is taken to be dead.
//
// Testing: the tests of lab and demo run it.
package standin
