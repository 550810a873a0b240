package agent

import (
	"fmt"
	"slices"

	"github.com/muster-ha/muster/internal/balance"
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/member"
)

// rankings are the rankings of hosts by rule. Rules with the same weights share one.
type rankings []*balance.Rankings

// rank makes the hosts' rankings. At 32 hosts that takes longer than a host may be late with a heartbeat: not in the loop.
func rank(cfg *config.Config) rankings {
	list := make(rankings, len(cfg.Rules))
	made := map[string]*balance.Rankings{}
	for i := range cfg.Rules {
		weights := cfg.WeightsOf(i)
		key := fmt.Sprint(weights)
		if made[key] == nil {
			made[key] = balance.NewRankings(weights)
		}
		list[i] = made[key]
	}
	return list
}

// eligible is who may own buckets of a rule: nobody in a view without the quorum that the rule needs, or if the rule refuses everybody; else
// the members that are ready for it and that its weights or its order do not leave out.
func (s *shares) eligible(v member.View, rule int) member.Set {
	r := &s.config.Rules[rule]
	if r.Handling == config.Refuse || !s.hasQuorum(v, rule) {
		return 0
	}
	may := balance.Eligible(v, rule)
	for id := range may.All() {
		if r.Handling == config.Single && !slices.Contains(r.Order, int(id)) || r.Weights != nil && r.Weights[id] == 0 {
			may = may.Without(id)
		}
	}
	return may
}

// tableKey is what a table of shared buckets depends on.
type tableKey struct {
	rankings *balance.Rankings
	may      member.Set
}

// tables are the tables of one view that are made already: many rules have the same.
type tables map[tableKey]*balance.Table

// of is a rule's table among hosts that may own buckets of it.
func (t tables) of(s *shares, rule int, may member.Set) *balance.Table {
	r := &s.config.Rules[rule]
	if r.Handling != config.Shared {
		return balance.Single(r.Order, may)
	}
	key := tableKey{s.rankings[rule], may}
	if t[key] == nil {
		t[key] = key.rankings.Table(may)
	}
	return t[key]
}

// mark says in the slots of a rule what holds for all of them: which quorum the kernel has to ask for wherever it would accept, and whether
// the rule refuses.
func (s *shares) mark(rule int, out *[balance.Buckets]uint32) {
	var flags balance.SlotFlag
	if need := needOf(s.config.Rules[rule]); need != member.NoQuorum {
		flags |= balance.NeedFlag(need)
	}
	if s.config.Rules[rule].Handling == config.Refuse {
		flags |= balance.Refused
	}
	if flags == 0 {
		return
	}
	mark := balance.Slot{Flags: flags}.Word()
	for b := range out {
		out[b] |= mark
	}
}
