package madcap

import (
	"slices"
	"time"
)

// demand reads what a DISCOVER or REQUEST asks for.
func (s *Server) demand(now time.Time, p Packet, m Message) (ServedScope, demand, error) {
	id, _ := Get[ScopeID](m)
	i := slices.IndexFunc(s.cfg.Scopes, func(o ServedScope) bool { return o.First == id.Addr })
	if i < 0 {
		return ServedScope{}, demand{}, failure(NotCompleted, OptScope)
	}
	scope := s.cfg.Scopes[i]
	if p.Group.IsValid() && !s.cfg.reaches(now, scope.First, p.Group) {
		return scope, demand{}, silence("multicast for a scope within that of the group")
	}
	d, err := s.terms(now, m)
	if err != nil {
		return scope, d, err
	}
	d.id, _ = Get[LeaseID](m)
	d.pools = scope.Pools
	if list, ok := Get[RangeList](m); ok {
		if d.pools, err = scope.within(list); err != nil {
			return scope, d, err
		}
	}
	d.min, d.desired = 1, 1
	if n, ok := Get[AddressCount](m); ok {
		d.min, d.desired = max(int(n.Min), 1), min(int(n.Desired), s.cfg.MaxAddresses)
	}
	if d.min > d.desired {
		return scope, d, failure(NotCompleted, OptAddressCount)
	}
	return scope, d, nil
}

// within returns what of the pools is in a list of the client.
func (o ServedScope) within(list RangeList) ([]Span, error) {
	var spans []Span
	for _, r := range list {
		if !o.Span().Contains(r.span()) {
			return nil, &OptionError{OptRanges, "addresses outside the scope"}
		}
		for _, p := range o.Pools {
			if cut := (Span{later(p.First, r.First), earlier(p.Last, r.Last())}); !cut.Last.Less(cut.First) {
				spans = append(spans, cut)
			}
		}
	}
	return merge(spans), nil
}

// terms reads the times that a DISCOVER, REQUEST or RENEW asks for. What is absent has the default of section 2.2.4.
func (s *Server) terms(now time.Time, m Message) (demand, error) {
	d := demand{time: s.cfg.MaxTime.Truncate(time.Second), start: now, latest: now.Add(s.cfg.MaxAhead)}
	if t, ok := Get[LeaseTime](m); ok {
		if t == 0 {
			return d, &OptionError{OptLeaseTime, "no time"}
		}
		d.time = min(d.time, time.Duration(t))
	}
	if t, ok := Get[MinLeaseTime](m); ok {
		if d.minTime = time.Duration(t); d.minTime > d.time {
			return d, failure(NotCompleted, OptMinLeaseTime)
		}
	}
	if t, ok := Get[StartTime](m); ok && t.After(now) {
		if t.After(d.latest) {
			return d, failure(NotCompleted, OptStartTime)
		}
		d.start = t.Time
	}
	t, ok := Get[MaxStartTime](m)
	if !ok {
		return d, nil
	}
	// "Now" is in time for a client whose clock is behind: the difference is within the allowance.
	soonest := d.start
	if current, _ := Get[CurrentTime](m); soonest.Equal(now) && current.Before(now) {
		soonest = current.Time
	}
	if t.Before(soonest.Truncate(time.Second)) {
		return d, failure(NotCompleted, OptMaxStartTime)
	}
	if t.Before(d.latest) {
		d.latest = t.Time
	}
	return d, nil
}
