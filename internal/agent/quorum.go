package agent

import (
	"fmt"
	"slices"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/quorum"
)

// electorate is who has a say in a configuration.
func electorate(cfg *config.Config) quorum.Electorate {
	var e quorum.Electorate
	for id, host := range cfg.Hosts {
		if host.Witness {
			e.Witnesses = e.Witnesses.With(member.ID(id))
		} else {
			e.Full = e.Full.With(member.ID(id))
		}
	}
	return e
}

// wantsQuorum reports whether any rule needs one: where none does, nobody votes, and views do not change for votes.
func wantsQuorum(cfg *config.Config) bool {
	return slices.ContainsFunc(cfg.Rules, func(r config.Rule) bool { return r.Quorum != config.QuorumNone })
}

func needOf(r config.Rule) member.Need { return member.Need(r.Quorum) }

func (s *shares) hasQuorum(v member.View, rule int) bool {
	return electorate(s.config).Has(needOf(s.config.Rules[rule]), v, v.Set())
}

// renewQuorum moves on until when the kernel may accept what needs a quorum. kernel and now are one moment by two clocks.
func (h *host) renewQuorum(kernel time.Duration, now time.Time) {
	if !wantsQuorum(h.config) {
		return
	}
	for need := member.Majority; need < member.Needs; need++ {
		deadline := h.machine.QuorumLease(need)
		if deadline.IsZero() {
			h.filter.SetQuorum(uint8(need), 0)
			continue
		}
		h.filter.SetQuorum(uint8(need), kernel+deadline.Sub(now))
	}
}

// seeSplit has an installed view judged for an even split. What was won or is over is offered in the next view, after this step.
func (h *host) seeSplit(v member.View) {
	won := h.tie.Won()
	h.tie.View(electorate(h.config), v)
	if h.tie.Won() != won {
		h.later(h.refresh)
	}
}

// tellQuorum tells, once for each need that a rule has, that this host's view has come to a quorum or lost it.
func (h *host) tellQuorum(v member.View) {
	h.tellQuorums(v, func(before, after bool) bool { return before != after })
}

// tellLost tells at a release what is lost by it; what is won is won when it is installed.
func (h *host) tellLost(v member.View) {
	h.tellQuorums(v, func(before, after bool) bool { return before && !after })
}

func (h *host) tellQuorums(v member.View, worth func(before, after bool) bool) {
	e := electorate(h.config)
	for need, has := range e.Needs(v) {
		if !worth(h.quorate[need], has) {
			continue
		}
		h.quorate[need] = has
		if !slices.ContainsFunc(h.config.Rules, func(r config.Rule) bool { return r.Quorum != config.QuorumNone && needOf(r) == member.Need(need) }) {
			continue
		}
		kind, text := "quorum_lost", "rules with quorum "+config.Quorum(need).String()+" accept nothing new here: "
		if has {
			kind, text = "quorum_won", "rules with quorum "+config.Quorum(need).String()+" are served: "
		}
		text += e.Explain(member.Need(need), v)
		h.record(api.Event{At: time.Now(), Kind: kind, Host: h.opt.Host, Text: text})
		h.log.Warn(kind, "epoch", v.Epoch, "why", text)
	}
}

// lacks says what keeps a rule from being served in the present view.
func (h *host) lacks(rule int) string {
	return fmt.Sprintf("view %d has %s", h.shares.view.Epoch, electorate(h.config).Explain(needOf(h.config.Rules[rule]), h.shares.view))
}

// quorumStatus says of a rule what it needs and whether the view has it.
func (h *host) quorumStatus(s *api.RuleStatus, rule int) {
	s.Quorum, s.HasQuorum = h.config.Rules[rule].Quorum.String(), h.shares.hasQuorum(h.shares.view, rule)
	if h.config.Rules[rule].Quorum != config.QuorumNone {
		s.QuorumWhy = electorate(h.config).Explain(needOf(h.config.Rules[rule]), h.shares.view)
	}
}

// quorumProblem says that a rule is not served here because the cluster has come apart.
func quorumProblem(v api.VIPStatus, r api.RuleStatus) []api.Problem {
	if r.HasQuorum {
		return nil
	}
	return []api.Problem{{About: "VIP " + v.Name, What: fmt.Sprintf("%s %s has no quorum: %s", r.Protocol, r.Ports, r.QuorumWhy),
		Remedy: "bring the silent hosts back, or the network to them; the other half may be serving, so do not weaken the rule before you have looked there"}}
}
