// Command fuzzall runs every fuzz target of the repository, one after the other, for a given number of runs each. `go test` can
// fuzz only one target at a time; a list kept by hand would miss the next one.
//
// Usage, at the root of the repository (`make fuzz` does the first):
//
//	go run ./internal/house/fuzzall -time 20000x
//	go run ./internal/house/fuzzall -time 60s
//
// Targets are found by the names of functions in files whose names end in _test.go. Each is run by `go test -fuzz`, which uses all cores.
//
// Failure behaviour: the first target that fails ends the run with its output, and status 1; go test has by then written the input
// below the package's testdata/fuzz, where it is a test from then on. No target found is a failure too.
//
// Testing: by being run with every `make test`.
package main
