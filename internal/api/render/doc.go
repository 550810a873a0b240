// Package render turns what the API says into text for people.
//
// Usage: one function for each answer, writing to an io.Writer that the caller checks or buffers. JSON writes any answer
// as the --json of the commands.
//
// Concurrency: functions without state.
//
// Failure behaviour: what is not known is printed as "unknown", and a state that this version does not know too. Text
// that came from the network is printed without control characters.
//
// Testing: golden files in testdata; `go test ./internal/api/render -update` writes them.
package render
