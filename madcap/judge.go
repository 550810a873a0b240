package madcap

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// judge decides whether what a server offers or grants is what the client asked for. A server that lies, or is set up wrong,
// must not make the client use an address that it may not use.
type judge struct {
	scope   Span
	want    []Range // if any, only addresses of these
	min     int
	desired int
	minTime time.Duration
	latest  time.Time // the lease must not begin later, with skew allowed for
	asked   time.Time // when the client first asked
	start   time.Time // when the lease was asked to begin, not before asked
	require []Feature
	skew    time.Duration // the difference of clocks that is tolerated where absolute times are given
}

// grant is what a server grants, by the client's clock.
type grant struct {
	server   netip.Addr
	ranges   []Range
	start    time.Time
	time     time.Duration
	features []Feature
}

// offer judges an OFFER. The addresses need not be told (section 2.2.3).
func (j judge) offer(now time.Time, m Message) (grant, error) {
	if err := m.Check(InOffer); err != nil {
		return grant{}, err
	}
	g, err := j.common(now, m)
	if err != nil {
		return grant{}, err
	}
	if list, ok := Get[RangeList](m); ok {
		g.ranges, err = list, j.addresses(list)
	}
	return g, err
}

// granted judges an ACK to a REQUEST or RENEW.
func (j judge) granted(now time.Time, m Message, p Place) (grant, error) {
	if err := m.Check(p); err != nil {
		return grant{}, err
	}
	g, err := j.common(now, m)
	if err != nil {
		return grant{}, err
	}
	if !m.has(OptStartTime) { // then it starts at once (section 2.2.5), which the addresses of a later meeting are no use for
		if g.start = j.asked; j.start.After(now.Add(j.skew)) {
			return g, fmt.Errorf("lease starts now instead of at %s", j.start.Format(time.RFC3339))
		}
	}
	list, _ := Get[RangeList](m)
	g.ranges = list
	return g, j.addresses(list)
}

func (j judge) common(now time.Time, m Message) (grant, error) {
	id, _ := Get[ServerID](m)
	scope, _ := Get[ScopeID](m)
	length, _ := Get[LeaseTime](m)
	features, _ := Get[FeatureList](m)
	g := grant{server: id.Addr, time: time.Duration(length), features: features.Required, start: j.start}
	switch {
	case !id.IsValid() || id.IsUnspecified() || id.IsMulticast():
		return g, fmt.Errorf("server identifier %v is no host's address", id)
	case scope.Addr != j.scope.First:
		return g, fmt.Errorf("scope %v instead of %v", scope, j.scope.First)
	case g.time <= 0:
		return g, fmt.Errorf("lease of no time")
	case g.time < j.minTime.Truncate(time.Second):
		return g, fmt.Errorf("lease of %v, at least %v was asked for", g.time, j.minTime)
	}
	for _, f := range j.require {
		if !slices.Contains(g.features, f) {
			return g, fmt.Errorf("without %v, which was required", f)
		}
	}
	if start, ok := Get[StartTime](m); ok {
		current, _ := Get[CurrentTime](m)
		g.start = start.Time
		return g, j.begins(now, current.Time, start.Time)
	}
	return g, nil
}

// begins checks an absolute start. Between clocks that differ by more than the allowance it means nothing (section 2.12).
func (j judge) begins(now, current, start time.Time) error {
	if d := current.Sub(now); d.Abs() > j.skew {
		return fmt.Errorf("server's clock differs by %v", d)
	}
	latest := now
	if j.latest.After(now) {
		latest = j.latest
	}
	if start.After(latest.Add(max(current.Sub(now), 0) + time.Second)) {
		return fmt.Errorf("lease starts at %s, too late", start.Format(time.RFC3339))
	}
	return nil
}

// addresses checks ranges against what was asked for. Their total is bounded by it, however long the list.
func (j judge) addresses(list []Range) error {
	if n := count(list); n < j.min || n > j.desired {
		return fmt.Errorf("%d addresses, %d to %d were asked for", n, j.min, j.desired)
	}
	sorted := slices.SortedFunc(slices.Values(list), func(a, b Range) int { return a.First.Compare(b.First) })
	for i, r := range sorted {
		if !j.scope.Contains(r.span()) {
			return fmt.Errorf("%v is outside the scope %v", r, j.scope)
		}
		if len(j.want) > 0 && !slices.ContainsFunc(j.want, func(w Range) bool { return w.span().Contains(r.span()) }) {
			return fmt.Errorf("%v was not asked for", r)
		}
		if i > 0 && sorted[i-1].span().Overlaps(r.span()) {
			return fmt.Errorf("%v stands twice", r)
		}
	}
	return nil
}
