package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/heartbeat"
	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/standing"
)

// OrderHost gives an order to a host, wherever it is asked for, and waits until every host that is heard knows it.
func (h *host) OrderHost(ctx context.Context, r api.HostOrder) (api.OrderAnswer, error) {
	var failed error
	travels := true
	if !h.do(ctx, func() { travels, failed = h.orderHost(r) }) {
		return api.OrderAnswer{}, fmt.Errorf("%w: the agent is stopping", api.ErrConflict)
	}
	if failed != nil {
		return api.OrderAnswer{}, failed
	}
	if !travels {
		return api.OrderAnswer{State: standing.Draining.String(), Have: []string{h.opt.Host}}, nil
	}
	return h.spreadOrder(ctx, func() string { return h.standing.Host(r.Host).State.String() })
}

// spreadOrder waits for the other hosts, and says how things stand then.
func (h *host) spreadOrder(ctx context.Context, state func() string) (api.OrderAnswer, error) {
	s, err := h.awaitSettings(ctx)
	answer := api.OrderAnswer{Have: s.Have, Lacking: s.Lacking, Silent: s.Silent, NotKept: s.NotKept}
	if err != nil {
		return answer, err
	}
	if !h.do(ctx, func() { answer.State = state() }) {
		return answer, fmt.Errorf("%w: the agent is stopping", api.ErrConflict)
	}
	return answer, nil
}

// orderHost makes a host's order a common value. travels is false where some host has a version that knows of none: the order then goes as
// older versions gave it.
func (h *host) orderHost(r api.HostOrder) (travels bool, err error) {
	id, known := h.config.Host(r.Host)
	switch {
	case !known && h.takesBack(r):
		return true, h.setHost(r.Host, standing.Host{})
	case !known:
		return false, fmt.Errorf("%w host %q: the hosts are %s", api.ErrUnknown, r.Host, hostNames(h.config))
	case h.config.Hosts[id].Witness:
		return false, fmt.Errorf("%w: host %s is a witness: it serves nothing that could be given away", api.ErrConflict, r.Host)
	}
	before := h.standing.Host(r.Host)
	next, err := before.After(standing.Verb(r.Verb), r.Deadline)
	if errors.Is(err, standing.ErrSuspended) {
		return false, fmt.Errorf("%w: host %s is suspended, %s, and takes no other order: `muster host resume %s` ends that", api.ErrConflict, r.Host, h.givenBy(before.Set), r.Host)
	} else if err != nil {
		return false, fmt.Errorf("%w: %w", api.ErrInvalid, err)
	}
	if older, _ := h.incapable(); older != "" && member.ID(id) != h.self {
		return false, h.orderOld(member.ID(id), next, older)
	}
	return true, h.setHost(r.Host, next)
}

// takesBack reports whether a request takes an order back that is there: that is possible also for a host that the file does not name any more.
func (h *host) takesBack(r api.HostOrder) bool {
	return !h.standing.Host(r.Host).Serves() && (r.Verb == api.ResumeHost || r.Verb == api.StartHost)
}

// setHost keeps a host's order and tells the others.
func (h *host) setHost(name string, next standing.Host) error {
	key := standing.HostKey(name)
	err := h.registers.Delete(key)
	if next.State != standing.Started {
		err = h.registers.Set(key, next.Value())
	}
	if err != nil {
		return fmt.Errorf("%w: keep the order: %w; take back overrides and orders that are not needed any more: `muster params` shows them", api.ErrConflict, err)
	}
	h.speak()
	return nil
}

// orderOld gives an order to another host while one has a version without common values. Such a host knows of draining and nothing else.
func (h *host) orderOld(to member.ID, next standing.Host, older string) error {
	verbs := map[standing.HostState]heartbeat.Verb{standing.Draining: heartbeat.DrainHost, standing.Started: heartbeat.ResumeHost}
	verb, can := verbs[next.State]
	switch {
	case !can || next.Deadline > 0:
		return fmt.Errorf("%w: host %s has a version that knows of no such order: upgrade it first, or give the order on host %s itself", api.ErrConflict, older, h.name(to))
	case !h.machine.Hears(to):
		return fmt.Errorf("%w: host %s is not heard, and host %s has a version that cannot keep an order for it: upgrade that first", api.ErrConflict, h.name(to), older)
	}
	h.orders.give(to, verb, time.Now())
	h.speak()
	return nil
}

// oldOrder takes an order from a host whose version knows no other way.
func (h *host) oldOrder(verb standing.Verb, from member.ID) {
	next, err := h.standing.Host(h.opt.Host).After(verb, 0)
	if err == nil {
		err = h.setHost(h.opt.Host, next)
	}
	if err != nil {
		h.log.Warn("order not taken", "order", verb, "from", h.name(from), "err", err)
	}
}

// OrderRule gives an order about a rule, on one host or on all.
func (h *host) OrderRule(ctx context.Context, r api.RuleOrder) (api.OrderAnswer, error) {
	var failed error
	var about standing.Rule
	if !h.do(ctx, func() { about, failed = h.orderRule(r) }) {
		return api.OrderAnswer{}, fmt.Errorf("%w: the agent is stopping", api.ErrConflict)
	}
	if failed != nil {
		return api.OrderAnswer{}, failed
	}
	return h.spreadOrder(ctx, func() string {
		return h.standing.RuleOn(r.Host, func(other standing.Rule) bool { return other == about }).State.String()
	})
}

func (h *host) orderRule(r api.RuleOrder) (standing.Rule, error) {
	state, ok := standing.ParseRuleState(r.State)
	if !ok {
		return standing.Rule{}, fmt.Errorf("%w: %q is no state of a rule: it is enabled, drained or disabled", api.ErrInvalid, r.State)
	}
	if _, known := h.config.Host(r.Host); r.Host != "" && !known {
		return standing.Rule{}, fmt.Errorf("%w host %q: the hosts are %s", api.ErrUnknown, r.Host, hostNames(h.config))
	}
	if older, _ := h.incapable(); older != "" && r.Host != h.opt.Host {
		return standing.Rule{}, fmt.Errorf("%w: host %s has a version that knows of no orders about rules: upgrade it first, or name this host with --host", api.ErrConflict, older)
	}
	about, err := h.ruleNamed(r)
	if err != nil {
		return about, err
	}
	for _, c := range h.standing.Changes(about, r.Host, state) {
		if c.Delete {
			err = h.registers.Delete(c.Key)
		} else {
			err = h.registers.Set(c.Key, c.Value)
		}
		if err != nil {
			return about, fmt.Errorf("%w: keep the order: %w; take back overrides and orders that are not needed any more: `muster params` shows them", api.ErrConflict, err)
		}
	}
	h.speak()
	return about, nil
}

// ruleNamed finds the rule that a request names by one of its ports, and names it by the port that an order about it has already, or else by its first.
func (h *host) ruleNamed(r api.RuleOrder) (standing.Rule, error) {
	vip := findVIP(h.config, r.VIP)
	if left := (standing.Rule{VIP: r.VIP, Port: r.Port, UDP: r.UDP}); r.State == standing.Enabled.String() && slices.Contains(h.leftOrders().Rules, left) {
		return left, nil
	}
	if vip < 0 {
		return standing.Rule{}, fmt.Errorf("%w VIP %q: the VIPs are %s", api.ErrUnknown, r.VIP, vipNames(h.config))
	}
	asked := standing.Rule{VIP: h.config.VIPs[vip].Name, Port: r.Port, UDP: r.UDP}
	for _, i := range h.config.VIPs[vip].Rules {
		if !ruleIs(h.config, i, asked) {
			continue
		}
		for _, o := range h.standing.Rules {
			if ruleIs(h.config, i, o.Rule) {
				return o.Rule, nil
			}
		}
		return nameRule(h.config, i), nil
	}
	return asked, fmt.Errorf("%w rule %v: the rules of VIP %s are %s", api.ErrUnknown, asked, asked.VIP, ruleNames(h.config, vip))
}

// nameRule names a rule by its first port; TCP where it has both.
func nameRule(cfg *config.Config, rule int) standing.Rule {
	conf := &cfg.Rules[rule]
	r := standing.Rule{VIP: cfg.VIPs[conf.VIP].Name, UDP: !conf.Protocol.Has(config.TCP)}
	if !conf.Rest() {
		r.Port = conf.Ports[0].First
	}
	return r
}

// findVIP finds a VIP by its name or address; -1: there is none.
func findVIP(cfg *config.Config, name string) int {
	return slices.IndexFunc(cfg.VIPs, func(v config.VIP) bool { return v.Name == name || v.Address.Addr().String() == name })
}

func ruleNames(cfg *config.Config, vip int) string {
	var names []string
	for _, i := range cfg.VIPs[vip].Rules {
		names = append(names, cfg.Rules[i].Name())
	}
	return strings.Join(names, ", ")
}
