// Package check asks this host's services whether they work, and says when the answer changes.
//
// Usage: New for each check of the configuration, Run in a goroutine, State, Last and Since whenever somebody wants to know.
//
//	c := check.New(cfg.Checks[i], func(name string, up bool) { ... }, log)
//	go c.Run(ctx)
//
// States: a check begins Unknown, which counts as not good. Its first success makes it Up at once, so that a host that starts does
// not wait `rise` times for nothing; `fall` failures make it Down, from Unknown as from Up; from Down it takes `rise` successes in a row.
//
// Probes: http is judged by the status line and by whether the answer ends (or exceeds 64 KiB) within the timeout: a service that
// hangs half-way through its page hangs for clients, too. Redirects are answers like any other and are not followed. Each
// probe is a connection of its own, without proxies from the environment. With https the certificate is verified, against the Host
// header if one is given. tcp opens a connection and closes it.
//
// Concurrency: Run belongs to one goroutine and calls onChange from there, with no lock held; a slow onChange delays the next probe.
// There is never more than one probe of a check in flight. The other methods may be called from any goroutine.
//
// Failure behaviour: whatever the service does, a probe ends with its timeout and keeps at most a few kilobytes of it. A failed probe
// says what to do about it. What a service answers is foreign: it is shown with every control character replaced.
//
// Testing: the counting is a table; times run under testing/synctest with a probe in memory; probes run against real
// listeners that misbehave in every way we could think of.
package check
