// Package house holds the tests that keep the repository's own rules: every package documented, no file too long, imports
// pointing downwards, the generated code current. It has no code of its own.
package house
