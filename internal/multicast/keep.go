package multicast

import "time"

const (
	// RetryEvery is how long the hosts do without a lease before they ask again. Each time costs a network without servers four
	// datagrams, and one with a new server waits for this long at most.
	RetryEvery = 10 * time.Minute

	// FirstTry is how long a network without a group waits for a lease before the hosts choose an address themselves. Until then
	// heartbeats go by unicast. A server on the network answers within milliseconds; RFC 2730 would have us wait a minute for
	// one that is not there.
	FirstTry = time.Second
)

// Task is what the responsible host has to do about a network's lease.
type Task uint8

// The tasks. All but Nothing and Forget take time: another one begins when the last has ended.
const (
	Nothing  Task = iota // all is well, or it is not time yet
	Ask                  // ask servers for a lease
	Renew                // the one that we have; if that fails, ask for another
	Replace              // ask for one with another address, and give the old one back
	GiveBack             // the lease is of no use any more
	Forget               // it has expired
)

// Keeping is what the next task depends on.
type Keeping struct {
	Wanted bool      // multicast is used, its address is not manual, and the file allows to ask servers
	Lease  Lease     // that the cluster has; zero: none
	Fit    bool      // the lease's address can be used: no strangers on it, within the range of the file, no clash of MACs
	Failed time.Time // when servers were asked in vain last; zero: not since this host is responsible, or since all changed
}

// Next says what to do now.
func (k Keeping) Next(now time.Time) Task {
	switch {
	case !k.Wanted && k.Lease.Known():
		return GiveBack
	case !k.Wanted:
		return Nothing
	case k.Lease.Known() && !k.Lease.Valid(now):
		return Forget
	case k.Lease.Known() && !k.Fit:
		return Replace
	case k.Lease.Known():
		return k.renewal(now)
	case k.Failed.IsZero() || now.Sub(k.Failed) >= RetryEvery:
		return Ask
	}
	return Nothing
}

// renewal is at half of the time; after a failure at half of what is left then, but not before leastPause.
func (k Keeping) renewal(now time.Time) Task {
	at := k.Lease.RenewAt()
	if k.Failed.After(k.Lease.Obtained) {
		at = k.Failed.Add(max(k.Lease.Expires.Sub(k.Failed)/2, leastPause))
	}
	if now.Before(at) {
		return Nothing
	}
	return Renew
}

// leastPause keeps a host from asking without a break when a lease is about to expire.
const leastPause = 5 * time.Second
