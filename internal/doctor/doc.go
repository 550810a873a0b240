// Package doctor finds what keeps a cluster's configuration from working on this host and its network, and says what to do about it.
//
// Usage: Collect looks at the host and gives Facts; Diagnose judges them against a configuration and gives Diagnoses, each with its
// remedy. Names lists the checks that can be asked for alone. `muster doctor` runs both; an agent runs those that concern
// delivery when it starts.
//
//	facts := doctor.Collect(ctx, cfg, self, doctor.Options{Listen: 5 * time.Second})
//	for _, d := range doctor.Diagnose(cfg, self, facts) { ... }
//
// Collectors change nothing on the host, with one exception: to hear an IGMP querier at once instead of in two minutes, a group is joined
// and left. They send pings, and no more than a handful.
//
// Concurrency: Collect and Diagnose keep no state and may be called from any goroutine. Collect works in the network namespace of the
// calling thread.
//
// Failure behaviour: a fact that cannot be had is one that says why, and its check then says that it does not know: never that all is
// well. No collector takes longer than Options.Listen and a few seconds. A root cause is said, not its symptoms: an interface that is not
// there has no MTU to complain about.
//
// Testing: Diagnose is pure, and a table has a line for each diagnosis; the collectors run against provoked faults on the hosts of the
// lab, in package agent's tests.
package doctor
