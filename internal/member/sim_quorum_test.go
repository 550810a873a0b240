package member_test

import (
	"fmt"
	"time"

	"github.com/muster-ha/muster/internal/balance"
	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/quorum"
)

// Each simulated configuration has, besides its plain rule, one rule for each need of a quorum. For these there is no excuse:
// no two hosts accept one bucket at the same time, whatever has been cut, paused or started anew.

// quorumFilter is the kernel's part of the rules with quorum.
type quorumFilter struct {
	own   [member.Needs]balance.Bitmap
	lease [member.Needs]time.Time
}

func (f *filter) acceptingBy(need member.Need, now time.Time) bool {
	return f.quorum.lease[need].After(now)
}

// elect makes n hosts of the world witnesses, drawn by seed.
func (w *world) elect(n int) {
	w.witnesses = 0
	for _, i := range w.rng.Perm(len(w.hosts))[:n] {
		w.witnesses = w.witnesses.With(member.ID(i))
		w.hosts[i].attrs.Weight = 0
	}
	w.electors = w.lawful()
}

func (w *world) lawful() quorum.Electorate {
	return quorum.Electorate{Full: member.First(len(w.hosts)) &^ w.witnesses, Witnesses: w.witnesses}
}

// quorumTable is a view's table for the rule with a need.
func (w *world) quorumTable(need member.Need, v member.View) *balance.Table {
	key := tableKey{config: v.Config}
	if w.electors.Has(need, v, v.Set()) {
		key.eligible = balance.Eligible(v, 0)
	}
	return w.tableOf(key)
}

func (h *simHost) renewQuorum() {
	for need := member.Majority; need < member.Needs; need++ {
		h.filter.quorum.lease[need] = h.machine.QuorumLease(need)
		if h.world.sabot.quorum.plainLease {
			h.filter.quorum.lease[need] = h.machine.Lease(h.world.now)
		}
	}
}

func (h *simHost) applyQuorum(s member.Step) {
	for need := member.Majority; need < member.Needs; need++ {
		own := &h.filter.quorum.own[need]
		switch s.Phase {
		case member.Withdraw:
			*own = balance.Bitmap{}
		case member.Release:
			if !h.world.sabot.quorum.keepOnRelease {
				*own = own.And(balance.OwnBitmap(h.world.quorumTable(need, s.View), h.id))
			}
		case member.Install:
			*own = balance.OwnBitmap(h.world.quorumTable(need, s.View), h.id)
		}
	}
}

type strictKey struct {
	a, b member.ID
	need member.Need
}

// quorums checks the rules with quorum.
func (c *checker) quorums(w *world) {
	for need := member.Majority; need < member.Needs; need++ {
		for i, a := range w.hosts {
			if !a.filter.acceptingBy(need, w.now) {
				continue
			}
			for _, b := range w.hosts[i+1:] {
				if b.filter.acceptingBy(need, w.now) {
					c.strictlyDisjoint(need, a, b)
				}
			}
		}
	}
}

func (c *checker) strictlyDisjoint(need member.Need, a, b *simHost) {
	key := strictKey{a.id, b.id, need}
	o, ok := c.strict[key]
	if !ok || o.a != a.filter.version || o.b != b.filter.version {
		both := a.filter.quorum.own[need].And(b.filter.quorum.own[need])
		o = overlap{a.filter.version, b.filter.version, both.Any()}
		c.strict[key] = o
	}
	if o.any {
		c.fail("hosts %d and %d both accept buckets of a rule that needs quorum %d, by views %v and %v",
			a.id, b.id, need, a.filter.view.ViewID, b.filter.view.ViewID)
	}
}

// quorumsSettled checks that a healed cluster serves the rules with quorum like the others.
func (w *world) quorumsSettled() error {
	want := w.owners()
	for need := member.Majority; need < member.Needs; need++ {
		if n := w.unservedBy(need); want == 1 && n > 0 {
			return fmt.Errorf("seed %d: at the end nobody accepts %d buckets of the rule that needs quorum %d", w.seed, n, need)
		}
	}
	return nil
}

// unservedBy is how many buckets of the rule with a need nobody accepts.
func (w *world) unservedBy(need member.Need) int {
	var all balance.Bitmap
	for _, h := range w.hosts {
		if h.filter.acceptingBy(need, w.now) {
			all = all.Or(h.filter.quorum.own[need])
		}
	}
	return balance.Buckets - all.Count()
}
