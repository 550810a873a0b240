// Package balance gives the buckets of a rule to hosts, and turns tables, hand-over phase and holdings into the filter's slots.
//
// Everything here is a pure function: the same configuration and the same view give the same table on every host
// (docs/design/0003-buckets.md). Values returned are not changed afterwards and may be shared between goroutines.
package balance
