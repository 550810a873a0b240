package agent

import (
	"slices"

	"github.com/muster-ha/muster/internal/balance"
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/delivery"
	"github.com/muster-ha/muster/internal/heartbeat"
	"github.com/muster-ha/muster/internal/member"
)

// shares is what this host knows of who owns and who holds each rule's buckets. It does no I/O: the loop carries its
// slots into the filter. docs/design/0001-views.md says why each step is as it is.
type shares struct {
	self      member.ID
	config    *config.Config
	rankings  rankings
	view      member.View // released for, or installed; zero: none
	installed bool
	rules     []ruleShare
	directors []uint8    // by VIP, of view
	directs   []bool     // by VIP: this host answers for it now
	ghosts    member.Set // hosts whose agent was killed a moment ago: their kernels still have their connections
}

// ruleShare is one rule's part of shares.
type ruleShare struct {
	table  *balance.Table    // owners by shares.view
	may    member.Set        // who may own buckets of it in that view
	own    balance.Bitmap    // buckets in which this host accepts new connections now
	mine   balance.Holding   // where it still has connections of others' buckets
	others []balance.Holding // what the other members of the view have announced
}

// newShares starts with nothing owned. Rules that old has unchanged keep what they accept now, so that a new configuration
// moves nothing that need not move.
func newShares(self member.ID, cfg *config.Config, rankings rankings, old *shares) *shares {
	s := &shares{self: self, config: cfg, rankings: rankings, rules: make([]ruleShare, len(cfg.Rules))}
	s.withdraw()
	if old == nil {
		return s
	}
	for i, v := range cfg.VIPs {
		j := slices.IndexFunc(old.config.VIPs, func(o config.VIP) bool { return o.Address == v.Address })
		s.directs[i] = j >= 0 && old.directs[j]
	}
	for i := range cfg.Rules {
		if j := old.ruleLike(cfg, i); j >= 0 && old.config.Rules[j].Quorum == cfg.Rules[i].Quorum {
			s.rules[i].own = old.rules[j].own
		}
	}
	return s
}

// ruleLike finds the rule of s that is the same as rule i of cfg, or -1.
func (s *shares) ruleLike(cfg *config.Config, i int) int {
	key := cfg.RuleKey(i)
	for j := range s.rules {
		if s.config.RuleKey(j) == key {
			return j
		}
	}
	return -1
}

// withdraw gives everything up: this host is in no view.
func (s *shares) withdraw() {
	s.view, s.installed = member.View{}, false
	s.directors, s.directs = nil, make([]bool, len(s.config.VIPs))
	for i := range s.rules {
		s.rules[i] = ruleShare{mine: balance.Holding{ID: s.self, Unknown: true}}
	}
}

// release takes the view's tables and keeps only what is own by them and was accepted before. What anyone holds is
// unknown until looked up after this moment.
func (s *shares) release(v member.View) {
	s.view, s.installed = v, false
	s.directors = s.directorsIn(v)
	for i := range s.directs {
		s.directs[i] = s.directs[i] && s.directors[i] == uint8(s.self)
	}
	tables := tables{}
	for i := range s.rules {
		r := &s.rules[i]
		r.may = s.eligible(v, i)
		r.table = tables.of(s, i, r.may)
		r.own = r.own.And(balance.OwnBitmap(r.table, s.self))
		r.mine = balance.Holding{ID: s.self, Unknown: true}
		r.others = s.unknownHoldings()
	}
}

// directorsIn gives the director of each VIP in a view. A routed one has none: the routers choose.
func (s *shares) directorsIn(v member.View) []uint8 {
	directors := balance.Directors(v, near(s.config))
	for i, vip := range s.config.VIPs {
		if vip.Delivery == delivery.Routed {
			directors[i] = balance.Nobody
		}
	}
	return directors
}

// haunt sets the ghosts and reports whether that changes anything.
func (s *shares) haunt(ghosts member.Set) bool {
	if s.ghosts == ghosts {
		return false
	}
	s.ghosts = ghosts
	for i := range s.rules {
		r := &s.rules[i]
		r.others = slices.DeleteFunc(r.others, func(h balance.Holding) bool { return h.Ghost })
		r.others = append(r.others, s.ghostHoldings()...)
	}
	return true
}

// ghostHoldings are of hosts that are in no view and may still have connections everywhere.
func (s *shares) ghostHoldings() []balance.Holding {
	var out []balance.Holding
	for id := range s.ghosts.All() {
		if _, in := s.view.Member(id); !in && id != s.self {
			out = append(out, balance.Holding{ID: id, Unknown: true, Ghost: true})
		}
	}
	return out
}

// unknownHoldings takes every other member of the view to hold everything, and the ghosts too.
func (s *shares) unknownHoldings() []balance.Holding {
	var out []balance.Holding
	for _, m := range s.view.Members {
		if m.ID != s.self {
			out = append(out, balance.Holding{ID: m.ID, Unknown: true})
		}
	}
	return append(out, s.ghostHoldings()...)
}

// install takes the whole share: every member of the view has released.
func (s *shares) install() {
	s.installed = true
	for i := range s.directs {
		s.directs[i] = s.directors[i] == uint8(s.self)
	}
	for i := range s.rules {
		s.rules[i].own = balance.OwnBitmap(s.rules[i].table, s.self)
	}
}

// hear takes in what another member announced of its holdings and reports which rules changed.
func (s *shares) hear(from member.ID, announced []heartbeat.Holding) (changed []int) {
	for _, a := range announced {
		i := int(a.Rule)
		if i >= len(s.rules) || a.Stamp != s.view.ViewID || a.Config != s.view.Config {
			continue // of another time: what we assume now is the safer
		}
		j := slices.IndexFunc(s.rules[i].others, func(h balance.Holding) bool { return h.ID == from })
		if j < 0 {
			continue
		}
		now := balance.Holding{ID: from, Unknown: a.Kind == heartbeat.HoldsAll, Buckets: a.Buckets}
		if s.rules[i].others[j] != now {
			s.rules[i].others[j] = now
			changed = append(changed, i)
		}
	}
	return changed
}

// held takes in this host's own look at its connections, made after the release for the view.
func (s *shares) held(at member.ViewID, rules []balance.Holding) (changed []int) {
	if at != s.view.ViewID || len(rules) != len(s.rules) {
		return nil
	}
	for i := range s.rules {
		now := rules[i]
		now.ID = s.self
		if s.view.Epoch > 0 {
			now.Buckets = now.Buckets.AndNot(balance.OwnBitmap(s.rules[i].table, s.self))
		}
		if s.rules[i].mine != now {
			s.rules[i].mine = now
			changed = append(changed, i)
		}
	}
	return changed
}

// announcements are this host's holdings for its heartbeats.
func (s *shares) announcements() []heartbeat.Holding {
	if s.view.Epoch == 0 {
		return nil
	}
	out := make([]heartbeat.Holding, len(s.rules))
	for i, r := range s.rules {
		out[i] = heartbeat.Holding{Rule: uint8(i), Config: s.view.Config, Stamp: s.view.ViewID, Kind: heartbeat.HoldsSome, Buckets: r.mine.Buckets}
		switch {
		case r.mine.Unknown:
			out[i].Kind, out[i].Buckets = heartbeat.HoldsAll, balance.Bitmap{}
		case !r.mine.Buckets.Any():
			out[i].Kind = heartbeat.HoldsNone
		}
	}
	return out
}

// holding reports whether this host may still have connections in others' buckets.
func (s *shares) holding() bool {
	return slices.ContainsFunc(s.rules, func(r ruleShare) bool { return r.mine.Unknown || r.mine.Buckets.Any() })
}

// slots fills in what the filter has to know of a rule.
func (s *shares) slots(rule int, out *[balance.Buckets]uint32) {
	r := &s.rules[rule]
	if s.view.Epoch == 0 {
		// In no view, our own connections go on, and what we do not know we leave in silence: a host that is in the view
		// may have it.
		word := balance.Slot{Owner: balance.Nobody, Second: balance.Nobody, Third: balance.Nobody, Flags: balance.Ask}.Word()
		for b := range out {
			out[b] = word
		}
		return
	}
	balance.Slots(s.self, r.table, r.own, r.mine, r.others, out)
	if !s.installed {
		balance.NoLast(out)
	}
	s.mark(rule, out)
}

// directing reports whether this host answers for a VIP: as a share, that is given up at the release and taken at the install.
func (s *shares) directing(vip int) bool { return s.directs[vip] }
