// Command muster runs the agent of a host and talks to it.
//
// Usage: docs/cli.md has every command with an example. Each command is a file here that reads its flags, asks one
// package and writes the answer: the result on standard output, everything else on standard error.
//
// Concurrency: none of its own; the agent has its own goroutines.
//
// Failure behaviour: exit code 0 is good, 1 bad, 2 wrong usage or a bad configuration.
//
// Testing: the tests build the program and run it against a fake agent; `go test ./cmd/muster -update` writes the
// golden files and the generated part of docs/cli.md.
package main
