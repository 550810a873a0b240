// Package api is the agent's control interface: HTTP on a Unix socket in the run directory, its types and its client.
//
// Usage: an agent implements Agent, calls Listen for its run directory early (that is also what keeps a second agent
// out of it), then Server.Serve until it has left the cluster and put the host back, then Server.Close. Commands use
// New and the methods of Client. Journal is the event log that both ends of the event stream are built on.
//
// The JSON is stable: names are snake_case, fields are added and never renamed, lists are never null, and null stands
// for "not known". What is not known is never shown as a healthy value. The doc tags of the types are the descriptions
// in the OpenAPI document (GET /openapi.json) and the tooltips of the console.
//
// Concurrency: Server, Client and Journal may be used by any number of goroutines; an Agent must allow the same.
//
// Failure behaviour: Listen refuses a run directory in which another agent lives (ErrInUse), by a lock that the kernel
// releases with the process, so a crashed agent never leaves one behind. Requests are bounded in size, time and number.
// A client without an agent gets ErrNoAgent with a remedy. A follower that is too slow loses the oldest events and is
// told how many.
//
// Testing: apitest has a fake Agent; the tests speak over real sockets.
package api
