package member_test

import (
	"fmt"
	"reflect"
	"time"

	"github.com/muster-ha/muster/internal/balance"
	"github.com/muster-ha/muster/internal/member"
)

// togetherFor is how long two hosts must have heard each other without a gap of the detection time before an overlap
// between them counts as a fault: the time that two cut-off parts may take to become one view again, or to find out
// that they cannot.
func (w *world) togetherFor() time.Duration { return 2 * w.detection() }

// longGap is a silence that ends being together. It is the detection time less what the two ends may differ in noticing that
// a line has been cut: the time between two heartbeats, and their way.
func (w *world) longGap() time.Duration { return w.detection() - 3*w.interval() }

// shortGap is a silence after which a host may stop to make its lease depend on the silent one: five intervals, less the
// tick in which it notices.
func (w *world) shortGap() time.Duration {
	return w.detection()/3 - w.interval()
}

// checker knows what must never be.
type checker struct {
	hearing [][]hearing
	views   map[viewKey]member.View
	ids     map[member.ViewID]member.View
	last    []member.ViewID
	overlap map[[2]member.ID]overlap
	strict  map[strictKey]overlap
	failed  error
}

// overlap is what two versions of two filters have in common, so that it is worked out once.
type overlap struct {
	a, b int
	any  bool
}

// hearing is one host's listening to another boot: the last packet, and since when without a long gap.
type hearing struct {
	boot        member.Boot
	last, since time.Time
	steady      time.Time // since when without even a short gap
}

type viewKey struct {
	id     member.ViewID
	author member.Boot
}

func newChecker(n int) checker {
	c := checker{views: map[viewKey]member.View{}, ids: map[member.ViewID]member.View{}, last: make([]member.ViewID, n)}
	for range n {
		c.hearing = append(c.hearing, make([]hearing, n))
	}
	c.overlap, c.strict = map[[2]member.ID]overlap{}, map[strictKey]overlap{}
	return c
}

func (c *checker) fail(format string, args ...any) {
	if c.failed == nil {
		c.failed = fmt.Errorf(format, args...)
	}
}

func (c *checker) started(h *simHost) {
	clear(c.hearing[h.id])
	c.last[h.id] = member.ViewID{}
}

func (c *checker) heard(h *simHost, p packet) {
	r := &c.hearing[h.id][p.from]
	now := h.world.now
	if r.boot != p.boot || now.Sub(r.last) >= h.world.longGap() {
		r.since = now
	}
	if r.boot != p.boot || now.Sub(r.last) >= h.world.shortGap() {
		r.steady = now
	}
	r.boot, r.last = p.boot, now
}

// accepted checks a view when a host takes it: numbers only grow, and a number stands for one content.
func (c *checker) accepted(h *simHost) {
	v := h.machine.View()
	if v.IsZero() {
		return // taken and put out again within one event
	}
	if v.ViewID.Compare(c.last[h.id]) < 0 {
		c.fail("host %d went back from view %v to %v", h.id, c.last[h.id], v.ViewID)
	}
	c.last[h.id] = v.ViewID
	if !v.Names(h.id, h.boot) {
		c.fail("host %d boot %d accepted a view without it: %v", h.id, h.boot, v)
	}
	author, ok := v.Member(v.Proposer)
	if !ok {
		c.fail("host %d: the proposer is not in its view %v", h.id, v)
	}
	key := viewKey{v.ViewID, author.Boot}
	if known, ok := c.views[key]; ok && !reflect.DeepEqual(known, v) {
		c.fail("view %v is %v and %v", v.ViewID, known, v)
	}
	c.views[key] = v
	if known, ok := c.ids[v.ViewID]; ok && !reflect.DeepEqual(known, v) && !h.world.hosts[v.Proposer].epochLost {
		c.fail("view %v is %v and %v, though no epoch was lost", v.ViewID, known, v)
	}
	c.ids[v.ViewID] = v
}

// together is how long two hosts have been hearing each other.
func (c *checker) together(a, b *simHost) time.Duration {
	return min(c.hears(a, b), c.hears(b, a))
}

func (c *checker) hears(a, b *simHost) time.Duration {
	r := c.hearing[a.id][b.id]
	now := a.world.now
	if !a.alive || !b.alive || r.boot != b.boot || now.Sub(r.last) >= a.world.longGap() {
		return 0
	}
	return now.Sub(r.since)
}

// step looks at the whole world after an event.
func (c *checker) step(w *world) error {
	c.quorums(w)
	for i, a := range w.hosts {
		c.leaseInTime(a)
		if !a.filter.accepting(w.now) {
			continue
		}
		for _, b := range w.hosts[i+1:] {
			if b.filter.accepting(w.now) {
				c.disjoint(a, b)
			}
		}
	}
	return c.failed
}

// leaseInTime: whatever happens to the agent, its kernel stops accepting before the others may take over.
func (c *checker) leaseInTime(a *simHost) {
	limit := time.Duration(a.world.timing.Lease) * a.world.interval()
	if left := a.filter.lease.Sub(a.world.now); left > limit {
		c.fail("host %d has a lease of another %v", a.id, left)
	}
}

func (c *checker) disjoint(a, b *simHost) {
	pair := [2]member.ID{a.id, b.id}
	o, ok := c.overlap[pair]
	if !ok || o.a != a.filter.version || o.b != b.filter.version {
		both := a.filter.own.And(b.filter.own)
		o = overlap{a.filter.version, b.filter.version, both.Any()}
		c.overlap[pair] = o
	}
	if !o.any {
		return
	}
	if why, ok := c.excuse(a, b); !ok {
		both := a.filter.own.And(b.filter.own)
		c.fail("hosts %d and %d both accept %d buckets, by views %v and %v: %s",
			a.id, b.id, both.Count(), a.filter.view.ViewID, b.filter.view.ViewID, why)
	}
}

// excuse reports whether an overlap was unavoidable: the two have not been hearing each other for long enough.
func (c *checker) excuse(a, b *simHost) (string, bool) {
	if d := c.together(a, b); d >= a.world.togetherFor() {
		return fmt.Sprintf("they have heard each other for %v", d), false
	}
	for _, k := range a.world.hosts {
		if k == a || k == b || !a.filter.has(k) && !b.filter.has(k) {
			continue
		}
		if d := min(c.together(a, k), c.together(b, k)); d >= a.world.togetherFor() {
			return fmt.Sprintf("both have heard host %d and been heard by it for %v", k.id, d), false
		}
	}
	if why := c.leaseTooLong(a, b); why != "" {
		return why, false
	}
	if why := c.leaseTooLong(b, a); why != "" {
		return why, false
	}
	return "", true
}

// has reports whether the whole share of a view with k is installed.
func (f *filter) has(k *simHost) bool { return f.whole && f.view.Names(k.id, k.boot) }

// leaseTooLong: once b has the whole share of a view, every member of it has stopped confirming a, in case a is still in
// an earlier one. So a cannot have a lease if it hears one of them, whether or not it is heard itself.
func (c *checker) leaseTooLong(a, b *simHost) string {
	view := a.machine.View()
	if !a.alive || !b.filter.whole || view.ViewID.Compare(b.filter.view.ViewID) >= 0 {
		return ""
	}
	for _, m := range b.filter.view.Members {
		if d := c.steadily(a, m); view.Names(m.ID, m.Boot) && d >= a.world.detection() {
			return fmt.Sprintf("host %d of both views, whom host %d has heard for %v, cannot have confirmed that lease", m.ID, a.id, d)
		}
	}
	return ""
}

// steadily is how long a has been hearing a member without even a short gap.
func (c *checker) steadily(a *simHost, m member.Member) time.Duration {
	r := c.hearing[a.id][m.ID]
	if now := a.world.now; a.alive && r.boot == m.Boot && now.Sub(r.last) < a.world.shortGap() {
		return now.Sub(r.steady)
	}
	return 0
}

// settled checks that a healed cluster is one: all live hosts in one view, each bucket accepted by exactly one, whatever its rule needs.
func (w *world) settled() error {
	if err := w.together(); err != nil {
		return err
	}
	return w.quorumsSettled()
}

// together is settled for rules without quorum, which wait for no vote.
func (w *world) together() error {
	var first *simHost
	var alive member.Set
	for _, h := range w.hosts {
		if h.alive {
			alive = alive.With(h.id)
			if first == nil {
				first = h
			}
		}
	}
	if first == nil {
		return nil
	}
	var counts [balance.Buckets]int
	for id := range alive.All() {
		h := w.hosts[id]
		v := h.machine.View()
		if v.Set() != alive || !reflect.DeepEqual(v, first.machine.View()) || !h.machine.IsInstalled() {
			return fmt.Errorf("seed %d: at the end host %d is in view %v of %b, installed %v; alive are %b", w.seed, id, v.ViewID, v.Set(), h.machine.IsInstalled(), alive)
		}
		if !h.filter.accepting(w.now) {
			return fmt.Errorf("seed %d: at the end host %d has no lease", w.seed, id)
		}
		for b := range counts {
			if h.filter.own.Has(b) {
				counts[b]++
			}
		}
	}
	want := w.owners()
	for b, n := range counts {
		if n != want {
			return fmt.Errorf("seed %d: at the end bucket %d has %d owners, want %d", w.seed, b, n, want)
		}
	}
	return nil
}

// owners is how many hosts should own a bucket when all are together: none if no live host may serve.
func (w *world) owners() int {
	for _, h := range w.hosts {
		if h.alive && balance.Eligible(h.machine.View(), 0) != 0 {
			return 1
		}
	}
	return 0
}
