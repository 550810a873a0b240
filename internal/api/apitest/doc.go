// Package apitest has a fake agent for tests of what speaks to one.
//
// Usage: change the fields of a Fake before Serve; look at Calls afterwards. Sample is a status in which everything that
// can be shown is there once: a host that is silent, one with another configuration, a failed check, a bucket without
// owner.
//
// Concurrency: the methods of Fake may be called by any number of goroutines; its fields are set before that.
//
// Failure behaviour: Serve ends the test if the socket cannot be opened.
//
// Testing: it is test code itself and is exercised by the tests of package api.
package apitest
