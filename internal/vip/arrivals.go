package vip

import "time"

const (
	// ProbePatience is how long a host's probes may fail to arrive: three of them, and a second for a sender that is late.
	ProbePatience = 3*ProbeEvery + time.Second

	// arrivalHosts is the largest number of hosts in a cluster; sets of them have a bit for each.
	arrivalHosts = 32
)

// Arrivals decides for one VIP whose frames to the cluster's MAC do not arrive here. It holds no I/O and no clock. The zero value is ready.
type Arrivals struct {
	looked time.Time
	hosts  [arrivalHosts]arrival
}

// arrival is what is known of one host.
type arrival struct {
	since   time.Time // its patience runs: it began to send, or a probe came; zero: it is not waited for
	missing bool      // its patience has run out
}

// Hear takes note of a probe.
func (a *Arrivals) Hear(host uint8, now time.Time) {
	if int(host) < arrivalHosts && !a.hosts[host].since.IsZero() {
		a.hosts[host] = arrival{since: now}
	}
}

// Restart begins to wait anew: this host has not listened for a while, or has lost some of what it heard. Who is missing stays so.
func (a *Arrivals) Restart(now time.Time) {
	for i := range a.hosts {
		if !a.hosts[i].since.IsZero() {
			a.hosts[i].since = now
		}
	}
}

// Judge says which hosts are missing of those that send probes now, as they say themselves, and are known to live. It is to be called often: where
// a look comes so late that probes may have been missed for want of listening, nobody is accused for that time.
func (a *Arrivals) Judge(now time.Time, sending uint32) (missing uint32) {
	if now.Sub(a.looked) > ProbeEvery {
		a.Restart(now)
	}
	a.looked = now
	for i := range a.hosts {
		one := &a.hosts[i]
		switch {
		case sending>>i&1 == 0:
			*one = arrival{}
		case one.since.IsZero():
			one.since = now
		case now.Sub(one.since) > ProbePatience:
			one.missing = true
		}
		if one.missing {
			missing |= 1 << i
		}
	}
	return missing
}
