// Package house holds the tests that keep the repository's own rules: every package documented, no file too long, imports
// pointing downwards, the generated code current. It has no code of its own.
//
// Usage: `go test ./internal/house`. It reads sources and pages from the root of the repository. The tests that type the commands of README
// and docs/lab.md need root and a minute, for they do so on hosts of the lab; those that only read are done in a second:
//
//	go test -run 'Links|Configurations|StatusNames' ./internal/house
//
// What is tested of pages: links lead to a heading that is there, YAML blocks load, tests that docs/status.md names exist, and the commands of
// README and docs/lab.md work word for word.
//
// Concurrency: none. Failure behaviour: each broken rule is an error with the file, and what the rule wants; an exception from the imports' direction
// stands in the test's table with its reason.
//
// Testing: searches count what they find, and fail if that is too little to be true.
package house
