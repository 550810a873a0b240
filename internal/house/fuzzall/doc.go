// Command fuzzall runs every fuzz target of the repository, one after the other, for a given number of runs each. `go test` can
// fuzz only one target at a time; a list kept by hand would miss the next one.
package main
