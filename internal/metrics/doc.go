// Package metrics says a host's status in the text format of Prometheus.
//
// Usage: Write turns an api.Status into text; Samples reads it back. Table is what docs/metrics.md shows.
//
//	s, err := agent.Status(ctx)
//	...
//	err = metrics.Write(w, s)
//
// Nothing is counted here and nothing is kept: every value is one that the status has anyway, so metrics cost nothing while nobody
// asks, and never say anything else than `muster status`. What is not known is left out, and never zero.
//
// Names carry their units: seconds, ratios from 0 to 1, _total for what only grows. Labels are names of the configuration (hosts,
// networks, VIPs, rules, checks) and closed lists (states, decisions, reasons), so the number of series is bounded by the
// file.
//
// Concurrency: all functions may be called from any goroutine.
//
// Failure behaviour: an error of Write means that the reader has gone or that two series have one name; then nothing was written.
//
// Testing: statuses whose text is read back and compared with them; names and units by the rules of
// Prometheus; the table of docs/metrics.md against Table.
package metrics
