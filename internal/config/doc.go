// Package config reads the cluster's file: one YAML document, the same on every host, parsed once into an immutable
// value.
//
// Usage: Load for a file, Parse for bytes. Both return every problem of the file at once, each with line, column and
// remedy (Problems). The types of file.go are the file's shape: their doc comments are the reference, the tooltips
// and the JSON Schema; the types of config.go are what the rest of the program uses.
//
// Concurrency: a *Config is never changed after Load and may be shared.
//
// Failure behaviour: a file with a problem yields no Config at all.
//
// Generated: go generate runs the tests with -update, which writes schema/muster.schema.json and docs/configuration.md.
package config

//go:generate go test -run "IsCurrent" . -update
