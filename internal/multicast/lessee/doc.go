// Package lessee gets leases of group addresses from MADCAP servers (RFC 2730) for a network of the cluster, and keeps them.
//
// Usage: Obtain asks which scopes there are, the smallest first, and leases one address of the first that will do; Renew and Release are
// for the lease that it returned, on this host or, as a lease is cluster state, on any other. When to do which is decided by
// multicast.Keeping, which holds no I/O.
//
//	lease, err := lessee.Obtain(ctx, client, lessee.Wish{Range: multicast.Administrative(), Avoid: taken})
//	lease, err = lessee.Renew(ctx, client, lease)
//	err = lessee.Release(ctx, client, lease)
//
// Concurrency: functions without state. Each call blocks until servers have answered or the time is over, a minute and more:
// callers give it a goroutine.
//
// Failure behaviour: a server is not believed. What package madcap ignores (another transaction, an address outside the scope, a lease of
// no time or less than MinTime) counts as silence, and what RFCs reserve, or the caller does not allow, is given back. A lease
// that is longer than what was asked for counts for what was asked for. At most maxScopes scopes are tried, for at most attemptTime.
// Errors say who answered what, as package madcap tells it; there is no lease then, and nothing was taken, as far as servers
// hear that it is given back.
//
// Testing: a fake client for the choice, servers in this process that lie in every way that the doc of package madcap lists, and a
// real one in agent's tests.
package lessee
