package madcap

import (
	"net/netip"
	"sync"
	"time"
)

// Timers of RFC 2907, section 6, as they are with MZAP (RFC 2776).
const (
	NestNoDecisionTime = 2340 * time.Second // until then nobody concludes that two zones nest
	ZonesExistTime     = 5460 * time.Second // a zone that was not heard of for so long does not exist any more
)

// Zones learns which scopes nest from announcements (RFC 2907, section 4): tell it of every Zone Announcement and Not-Inside
// Message that you hear, by MZAP or otherwise, and set its Nests in [ServerConfig]. The zero value is ready and has the times above. Its
// methods may be called by several goroutines.
type Zones struct {
	NoDecision time.Duration // default [NestNoDecisionTime]
	Exist      time.Duration // default [ZonesExistTime]

	mu    sync.Mutex
	zones map[netip.Addr]zone
	not   map[[2]netip.Addr]time.Time // when it was last said that the first is not inside the second
}

type zone struct{ first, last time.Time }

func (z *Zones) times() (noDecision, exist time.Duration) {
	noDecision, exist = z.NoDecision, z.Exist
	if noDecision == 0 {
		noDecision = NestNoDecisionTime
	}
	if exist == 0 {
		exist = ZonesExistTime
	}
	return noDecision, exist
}

// Heard takes note that a scope, named by its first address, was announced. One that had ceased to exist begins anew.
func (z *Zones) Heard(now time.Time, scope netip.Addr) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.zones == nil {
		z.zones, z.not = map[netip.Addr]zone{}, map[[2]netip.Addr]time.Time{}
	}
	_, exist := z.times()
	old, known := z.zones[scope]
	if !known || now.Sub(old.last) >= exist {
		old.first = now
		for pair := range z.not {
			if pair[0] == scope || pair[1] == scope {
				delete(z.not, pair)
			}
		}
	}
	old.last = now
	z.zones[scope] = old
}

// NotInside takes note that inner was announced not to nest inside outer. Scopes that were not heard of are ignored.
func (z *Zones) NotInside(now time.Time, inner, outer netip.Addr) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if _, ok := z.zones[inner]; !ok {
		return
	}
	if _, ok := z.zones[outer]; !ok {
		return
	}
	z.not[[2]netip.Addr{inner, outer}] = now
}

// Nests tells whether inner is known to nest inside outer: both exist, and nothing against it was heard for the decision time.
func (z *Zones) Nests(now time.Time, inner, outer netip.Addr) bool {
	z.mu.Lock()
	defer z.mu.Unlock()
	noDecision, exist := z.times()
	since := z.not[[2]netip.Addr{inner, outer}]
	for _, scope := range []netip.Addr{inner, outer} {
		zone, ok := z.zones[scope]
		if !ok || now.Sub(zone.last) >= exist {
			return false
		}
		if zone.first.After(since) {
			since = zone.first
		}
	}
	return now.Sub(since) >= noDecision
}
