// Package load plays the clients of a lab and says what they saw.
//
// Usage: HTTP opens new connections at a fixed rate, whatever becomes of the earlier ones (an open loop: a slow answer hides no
// failure). Echo keeps a number of connections, exchanges random data on each without pause and checks every byte. Both hand out
// Records; Write and Read carry them over a pipe as JSON lines. Summarise makes a table of phases out of records and
// marks.
//
// Time: a connection whose first SYN is lost waits a second for the kernel to send it again. With a Timeout below that (900 ms,
// the default) such an attempt fails and shows how long nobody answered; with a longer one (5 s) it succeeds late and shows
// how long a client waits.
//
// Concurrency: HTTP and Echo call emit from one goroutine at a time.
//
// Failure behaviour: what goes wrong on a connection is a Record, never an error. The number of attempts under way is bounded; what would
// go beyond it is recorded as failed with class "overrun", so a summary never looks better than it was.
//
// Testing: Summarise is pure and tested by tables; the loads run against servers that refuse, reset, stay silent or corrupt.
package load
