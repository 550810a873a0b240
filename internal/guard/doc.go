// Package guard tells the others at once when an agent dies without a word.
//
// A killed agent cannot say goodbye, and its kernel goes on accepting new connections until the lease lapses. So the agent
// starts a second, tiny process and holds a pipe to it. When the pipe ends without a dismissal, the guard
// takes the lease away and then sends farewells that the agent sealed in advance: the guard knows no key. The others need not
// wait for silence, and they take over only what this host has stopped accepting.
//
// Usage: Start in the agent, Replace when what it has to do changes, Dismiss when it leaves in good order; Main in the guard process.
//
// Concurrency: a Process may be used from several goroutines.
//
// Failure behaviour: if both processes die together (power cut, `kill` of the whole group), lease and silence do the same
// work in the detection time. A guard that dies alone is started again. If the lease cannot be taken away, no farewell is sent: the others
// would take over what this host still accepts.
//
// Testing: guards as real processes that are killed, frozen and given another will, with a function in the place of the filter; with the
// filter and the other hosts in agent's tests.
package guard
