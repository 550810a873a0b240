// Package balance gives the buckets of a rule to hosts, and turns tables, hand-over phase and holdings into the filter's slots.
//
// Usage: NewRankings once for each vector of weights in a configuration; for each view and rule Eligible, Table (or Single, for a rule that gives
// all to one host), OwnBitmap and Slots, and Chains for a rule that remembers its clients; for each view Directors. Rules with
// the same rankings and the same eligible hosts have the same table.
//
// Everything here is a pure function: the same configuration and the same view give the same table on every host
// (docs/design/0003-buckets.md).
//
// Concurrency: values returned are not changed afterwards and may be shared between goroutines.
//
// Failure behaviour: nothing fails; where nobody may own a bucket, its owner is Nobody.
//
// Testing: properties over random weights and views; the slots against a second, plain version of the same rules.
package balance
