// Package config reads the cluster's file: one YAML document, the same on every host, parsed once into an immutable
// value.
//
// Usage: Load for a file, Parse for bytes. Both return every problem of the file at once, each with line, column and
// remedy (Problems). Restart says what of a changed file a running agent cannot take, RuleKey which rules are still the same.
// LoadSecret and NewSecret handle the file that secret_file names; Load does not look at it.
//
// The types of file.go are the file's shape: their doc comments and tags are the decoder's rules, the reference, the tooltips
// and the JSON Schema. The types of config.go are what the rest of the program uses. A new key is a field there with a
// comment and its tags, a line in build.go, and `go generate`, which runs the tests with -update and so writes
// schema/muster.schema.json and docs/configuration.md.
//
// Concurrency: a *Config is never changed after Load and may be shared. Functions keep no state.
//
// Failure behaviour: a file with a problem yields no Config at all. A problem hides others only where they would say the same
// twice, or where the file is no YAML. Size, tokens, nesting, aliases and problems are bounded, so that a hostile file costs well
// below a second.
//
// Testing: each message has a line in problem_test.go with its place. Properties: one meaning has one digest, however it is
// written, and a problem's place is exact. Hostile input: reader_test.go and FuzzParse.
package config

//go:generate go test -run IsCurrent . -update
