package madcap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"
)

// ServerConfig is what a server hands out, and how. ID and Scopes are needed. Durations that are 0 take their default; negative
// ones are none at all.
type ServerConfig struct {
	ID     netip.Addr    // Server Identifier: the address at which clients reach the server
	Scopes []ServedScope // from the smallest to the largest
	Store  Store         // default: a new [MemoryStore]
	Log    *slog.Logger  // default: nothing is logged

	MaxTime       time.Duration // longest lease (default 24 h)
	MaxAhead      time.Duration // how far ahead a lease may start (default 30 days)
	Extra         time.Duration // how long addresses stay reserved around a lease (default [ExtraAllocationTime])
	Skew          time.Duration // tolerated difference of clocks (default [ClockSkewAllowance])
	Hold          time.Duration // how long offered addresses are kept (default [OfferHold])
	ResponseCache time.Duration // how long answers are repeated, at most [MaxResponseCache] (default [ResponseCacheInterval])

	MaxAddresses int // of one lease (default 256)
	MaxLeases    int // default 65536
	MaxHolds     int // offers that are held at once; further DISCOVERs stay unanswered (default 1024)
	MaxCached    int // answers kept for repetition (default 4096)

	// Secure drops all multicast messages but GETINFO, as the RFC demands when IPsec protects the unicast ones (section 4).
	Secure bool
	// OwnerOnly lets only the address that asked for a lease renew and release it, unless [SharedLeaseID] was used. It
	// keeps out the clumsy, not the malicious: addresses can be forged.
	OwnerOnly bool
	// Mobility offers [ServerMobility]: the store is one that several servers share, and is read anew for each REQUEST, RENEW and
	// RELEASE. Each server needs pools of its own.
	Mobility bool
	// Nests tells whether a scope nests inside another, both named by their first address, such as [Zones.Nests]. By
	// default the scopes' Inside says so.
	Nests func(now time.Time, inner, outer netip.Addr) bool
	// Approve, if set, is asked about every REQUEST and RENEW. A time means: later (see [RetryAfter]), an error: no.
	Approve func(Application) (later time.Time, err error)
}

// ServedScope is a scope of which a server hands out addresses.
type ServedScope struct {
	Scope
	// Inside names the scopes, by their first address, in which this one nests (RFC 2907). What follows from it need not be said.
	Inside []netip.Addr
	// Pools are the addresses to hand out (default: all of the scope but its last 256, which RFC 2365, section 9, keeps for
	// relative assignments; of an IPv6 scope, those with the upper 96 bits of its first address and a group identifier that RFC 3307 lets
	// servers choose). Servers of one scope need pools that do not overlap.
	Pools []Span
}

// Application is what Approve decides on.
type Application struct {
	ID      LeaseID
	Client  netip.Addr
	Renewal bool
	Scope   netip.Addr
	Desired int
	Start   time.Time
	Time    time.Duration
}

func (c ServerConfig) complete() (ServerConfig, error) {
	c.setDefaults()
	switch {
	case !c.ID.IsValid() || c.ID.IsUnspecified() || c.ID.IsMulticast():
		return c, fmt.Errorf("server identifier %v is no host's address", c.ID)
	case len(c.Scopes) == 0:
		return c, errors.New("no scopes")
	case c.ResponseCache > MaxResponseCache:
		return c, fmt.Errorf("response cache of %v, at most %v is allowed", c.ResponseCache, MaxResponseCache)
	case c.MaxTime < time.Second || c.MaxTime > (1<<32-1)*time.Second:
		return c, fmt.Errorf("longest lease of %v", c.MaxTime)
	}
	return c.completeScopes()
}

func (c *ServerConfig) setDefaults() {
	for d, value := range map[*time.Duration]time.Duration{
		&c.MaxTime: 24 * time.Hour, &c.MaxAhead: 30 * 24 * time.Hour, &c.Extra: ExtraAllocationTime,
		&c.Skew: ClockSkewAllowance, &c.Hold: OfferHold, &c.ResponseCache: ResponseCacheInterval,
	} {
		if *d == 0 {
			*d = value
		}
		*d = max(*d, 0)
	}
	for n, value := range map[*int]int{&c.MaxAddresses: 256, &c.MaxLeases: 1 << 16, &c.MaxHolds: 1 << 10, &c.MaxCached: 1 << 12} {
		if *n <= 0 {
			*n = value
		}
	}
	if c.Store == nil {
		c.Store = &MemoryStore{}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

func (c ServerConfig) completeScopes() (ServerConfig, error) {
	c.Scopes = slices.Clone(c.Scopes)
	for i, s := range c.Scopes {
		if err := s.check(FamilyOf(s.First)); err != nil {
			return c, err
		}
		if len(s.Pools) == 0 {
			c.Scopes[i].Pools = []Span{s.defaultPool()}
		}
		if err := c.Scopes[i].checkPools(); err != nil {
			return c, err
		}
	}
	for _, f := range []Family{IPv4, IPv6} {
		m := Message{TypeAck, f, 0, []Option{LeaseID("x"), ServerID{c.ID}, c.scopeList(f)}}
		if _, err := m.Encode(InAckToGetInfo); err != nil {
			return c, err
		}
	}
	return c, nil
}

const relativeAssignments = 256

func (s ServedScope) defaultPool() Span {
	pool := s.Span().dynamic()
	if size := pool.Size(); size > relativeAssignments {
		for range relativeAssignments {
			pool.Last = pool.Last.Prev()
		}
	}
	return pool
}

// dynamicID is the first of the group identifiers that RFC 3307, section 4.3, leaves to servers and hosts; those below are assigned for good.
const dynamicID = 1 << 31

// dynamic returns the part of an IPv6 span that has dynamic group identifiers behind the upper 96 bits of its first address. A span without
// them, and one of IPv4, is returned as it is: then the administrator knows better.
func (s Span) dynamic() Span {
	if s.First.Is4() {
		return s
	}
	b := s.First.As16()
	binary.BigEndian.PutUint32(b[12:], dynamicID)
	first := later(s.First, netip.AddrFrom16(b))
	binary.BigEndian.PutUint32(b[12:], 1<<32-1)
	d := Span{first, earlier(s.Last, netip.AddrFrom16(b))}
	if d.Last.Less(d.First) {
		return s
	}
	return d
}

func (s ServedScope) checkPools() error {
	control := Span{netip.MustParseAddr("224.0.0.0"), netip.MustParseAddr("224.0.0.255")}
	group := Span{s.ServerGroup(), s.ServerGroup()}
	for _, p := range s.Pools {
		switch {
		case p.check(FamilyOf(s.First)) != nil || !s.Span().Contains(p):
			return fmt.Errorf("pool %v is not within the scope %v", p, s.Span())
		case p.Overlaps(control):
			return fmt.Errorf("pool %v has addresses of %v, which no router forwards", p, control)
		case p.Overlaps(group):
			return fmt.Errorf("pool %v has %v, the group of the servers", p, group.First)
		}
	}
	return nil
}

// scopeList returns the scopes of a family.
func (c ServerConfig) scopeList(f Family) ScopeList {
	list := ScopeList{}
	for _, s := range c.Scopes {
		if FamilyOf(s.First) == f {
			list = append(list, s.Scope)
		}
	}
	return list
}

// nesting returns the state for the scopes of a family.
func (c ServerConfig) nesting(now time.Time, f Family) Nesting {
	list := c.scopeList(f)
	var pairs [][2]int
	for x, inner := range list {
		for y, outer := range list {
			if x != y && c.nests(now, inner.First, outer.First) {
				pairs = append(pairs, [2]int{x, y})
			}
		}
	}
	return NewNesting(len(list), pairs...)
}

func (c ServerConfig) nests(now time.Time, inner, outer netip.Addr) bool {
	if c.Nests != nil {
		return c.Nests(now, inner, outer)
	}
	return slices.ContainsFunc(c.Scopes, func(s ServedScope) bool {
		return s.First == inner && slices.Contains(s.Inside, outer)
	})
}

// reaches tells whether a message that came to a group may be about a scope: the scope of the group, or one around it (RFC 2730,
// section 2.11). Where nothing is known about nesting, the order of the list counts. A group of no served scope counts as within all.
func (c ServerConfig) reaches(now time.Time, scope, group netip.Addr) bool {
	from := slices.IndexFunc(c.Scopes, func(s ServedScope) bool { return s.ServerGroup() == group })
	about := slices.IndexFunc(c.Scopes, func(s ServedScope) bool { return s.First == scope })
	if from < 0 || from == about {
		return true
	}
	list := c.scopeList(FamilyOf(scope))
	index := func(a netip.Addr) int { return slices.IndexFunc(list, func(s Scope) bool { return s.First == a }) }
	x, y := index(c.Scopes[from].First), index(scope)
	if n := c.nesting(now, FamilyOf(scope)); n.Nests(x, y) || n.Nests(y, x) {
		return n.Nests(x, y)
	}
	return from < about
}

func (c ServerConfig) supported() []Feature {
	list := []Feature{SharedLeaseID}
	if c.Mobility {
		list = append(list, ServerMobility)
	}
	if c.Approve != nil {
		list = append(list, RetryAfter)
	}
	return list
}
