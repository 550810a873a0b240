package madcap

import (
	"net/netip"
	"time"
)

// Request is what a client wants to lease (RFC 2730, section 2.2.4). Of the fields only Scope is needed. Without Start and Latest no
// absolute times are sent, and a difference of clocks does no harm; a lease that would start later is not accepted.
type Request struct {
	Scope   Scope         // as a server listed it, or [LocalScope]
	ID      LeaseID       // of the new lease; random if empty
	Server  netip.Addr    // ask this server (unicast REQUEST) instead of discovering one
	Want    []Range       // these addresses and no others, such as those of a lease that has expired
	Min     int           // least number of addresses (default Desired)
	Desired int           // number of addresses, at most 65535 (default those of Want, else 1)
	Time    time.Duration // wanted length of the lease, at least 1 s (default: as long as the server grants)
	MinTime time.Duration // shortest lease that is acceptable (default any)
	Start   time.Time     // when it should begin (default now)
	Latest  time.Time     // latest acceptable beginning (default Start)
	Require []Feature     // a server that lacks one of these refuses
	Prefer  []Feature     // used if the server has them
	Retry   bool          // understand [RetryAfter]: Lease may return a [*RetryError]
}

// Terms is what a client wants of a renewed lease (section 2.2.7). The zero value asks for as much as the server grants, from now on.
type Terms struct {
	Time    time.Duration // wanted length, counted from Start
	MinTime time.Duration // shortest acceptable length
	Start   time.Time     // when the renewed lease begins (default now)
	Latest  time.Time     // latest acceptable beginning (default Start)
	Retry   bool          // understand [RetryAfter]
}

// Lease is a lease that a server has granted. All that renewing and releasing need is in it, so that another process, or
// another host, can do it: keep it as JSON.
type Lease struct {
	ID       LeaseID    `json:"id"`                 // whoever knows it can renew and release the lease
	Server   netip.Addr `json:"server"`             // that granted it: RENEW and RELEASE go there
	Scope    netip.Addr `json:"scope"`              // its first address
	Ranges   []Range    `json:"ranges"`             // the addresses
	Start    time.Time  `json:"start"`              // by the client's clock, as Expires
	Expires  time.Time  `json:"expires"`            // never later than the server believes, if both clocks are right
	Features []Feature  `json:"features,omitempty"` // that the server used for it
}

// RenewAt returns half of the lease's time, when it should be renewed. The RFC sets no time; its example does this (appendix A.3).
func (l Lease) RenewAt() time.Time { return l.Start.Add(l.Expires.Sub(l.Start) / 2) }

// Addresses returns how many addresses the lease has.
func (l Lease) Addresses() int { return count(l.Ranges) }

func count(ranges []Range) int {
	n := 0
	for _, r := range ranges {
		n += int(r.Count)
	}
	return n
}

// ServerInfo is a server's answer to GETINFO (section 2.2.1).
type ServerInfo struct {
	Server   netip.Addr    // its identifier
	Scopes   ScopeList     // the smallest first, as servers should list them
	Nesting  Nesting       // of Scopes; empty if the server tells nothing (RFC 2907)
	Features []Feature     // that it supports
	Skew     time.Duration // server's clock minus ours, if HasTime
	HasTime  bool          // it has told its clock
}

// options returns what a DISCOVER and a REQUEST have in common. The Number of Addresses option is left out for one address (section 3.8).
func (r Request) options(now time.Time) []Option {
	options := []Option{r.ID, ScopeID{r.Scope.First}}
	if r.Min != 1 || r.Desired != 1 {
		options = append(options, AddressCount{uint16(r.Min), uint16(r.Desired)})
	}
	if len(r.Want) > 0 {
		options = append(options, RangeList(r.Want))
	}
	return append(options, r.terms().options(now, r.Require, r.Prefer)...)
}

func (r Request) terms() Terms { return Terms{r.Time, r.MinTime, r.Start, r.Latest, r.Retry} }

// options returns the options of REQUEST and RENEW. What a client requires or requests it also lists as supported (section 3.13); Retry
// After stands in that list only (section 2.13.2).
func (t Terms) options(now time.Time, require, prefer []Feature) []Option {
	var options []Option
	if t.Time > 0 {
		options = append(options, LeaseTime(t.Time))
	}
	if t.MinTime > 0 {
		options = append(options, MinLeaseTime(t.MinTime))
	}
	if !t.Start.IsZero() {
		options = append(options, StartTime{t.Start})
	}
	if !t.Latest.IsZero() {
		options = append(options, MaxStartTime{t.Latest})
	}
	if !t.Start.IsZero() || !t.Latest.IsZero() {
		options = append(options, CurrentTime{now})
	}
	supported := append(append([]Feature{}, require...), prefer...)
	if t.Retry {
		supported = append(supported, RetryAfter)
	}
	if len(supported) > 0 {
		options = append(options, FeatureList{supported, prefer, require})
	}
	return options
}
