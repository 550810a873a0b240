package agent

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/balance"
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/member"
)

// Explain says which host gets a client, and why.
func (h *host) Explain(ctx context.Context, r api.ExplainRequest) (api.Explanation, error) {
	var e api.Explanation
	var failed error
	if !h.do(ctx, func() { e, failed = h.explain(r) }) {
		return e, fmt.Errorf("%w: the agent is stopping", api.ErrConflict)
	}
	return e, failed
}

func (h *host) explain(r api.ExplainRequest) (api.Explanation, error) {
	rule, err := findRule(h.config, r)
	if err != nil {
		return api.Explanation{}, err
	}
	cfg := &h.config.Rules[rule]
	view := h.shares.view
	e := api.Explanation{
		Client: r.Client.String(), VIP: h.config.VIPs[cfg.VIP].Name, Rule: cfg.Name(), Affinity: cfg.Affinity.String(),
		Epoch: view.Epoch, HeldBy: []string{}, Path: []string{},
	}
	if r.Port != 0 {
		e.Client = netip.AddrPortFrom(r.Client, r.Port).String()
	}
	if cfg.Affinity == config.AffinityNone && r.Port == 0 && cfg.Handling == config.Shared {
		e.Why = "the rule's affinity is none: the client's port decides too; give it as CLIENT:PORT"
		return e, nil
	}
	bucket := int(hashOf(*cfg).Bucket(r.Client, r.Port))
	e.Bucket = &bucket
	if view.Epoch == 0 {
		e.Why = "this host is in no view: what the others do is not known here; ask on another host"
		return e, nil
	}
	h.explainOwner(&e, rule, bucket)
	return e, nil
}

// explainOwner fills in what the view says of a bucket.
func (h *host) explainOwner(e *api.Explanation, rule, bucket int) {
	share := &h.shares.rules[rule]
	owner := share.table[bucket]
	e.HeldBy = h.heldBy(share, owner, bucket)
	if owner == balance.Nobody {
		h.explainNobody(e, rule, bucket)
		return
	}
	e.Owner = h.name(member.ID(owner))
	vip := h.config.Rules[rule].VIP
	director := h.shares.directors[vip]
	if director != balance.Nobody && director != owner && !h.config.VIPs[vip].Delivery.Shared() {
		e.Path = append(e.Path, h.name(member.ID(director)))
	}
	e.Path = append(e.Path, e.Owner)
	e.Why = h.whyOwner(e, rule, bucket)
	e.AnswerIfNew = "accepted by host " + e.Owner
	if first := h.asksFirst(share, owner, bucket); h.config.Rules[rule].Remember > 0 && len(first) > 0 {
		e.AnswerIfNew += fmt.Sprintf(", unless host %s has served the client within %v: it is asked first", strings.Join(first, " or "), h.config.Rules[rule].Remember)
	}
	e.AnswerIfEstablished = "goes on at host " + e.Owner + "; if that does not know it, its client is reset"
	if len(e.HeldBy) > 0 {
		e.AnswerIfEstablished = fmt.Sprintf("goes on where it is: at host %s or else %s", e.Owner, strings.Join(e.HeldBy, " or "))
	}
	if !h.shares.installed {
		e.Why += "; the view is being handed over: until every host has released, new connections wait"
	}
}

// whyOwner says how the owner of a bucket came to it.
func (h *host) whyOwner(e *api.Explanation, rule, bucket int) string {
	r := &h.config.Rules[rule]
	if r.Handling == config.Single {
		what := "one host gets all clients of this rule"
		if r.Rest() {
			what = "no rule names the port, and one host gets all such clients"
		}
		return fmt.Sprintf("%s: of %s, host %s is the first that serves in view %d", what, strings.Join(ruleSays(h.config, rule).Priority, ", "), e.Owner, e.Epoch)
	}
	table := h.shares.rules[rule].table
	return fmt.Sprintf("the client's %s fall into bucket %d, which host %s owns in view %d (%d of 4096 buckets)",
		decisive(r), bucket, e.Owner, e.Epoch, countOwned(table, table[bucket]))
}

// explainNobody says why nobody owns a bucket, and what follows.
func (h *host) explainNobody(e *api.Explanation, rule, bucket int) {
	r := &h.config.Rules[rule]
	e.AnswerIfNew, e.AnswerIfEstablished = "dropped", "dropped, unless the host that receives it has the connection"
	if len(e.HeldBy) > 0 {
		e.AnswerIfEstablished = "goes on where it is: at host " + strings.Join(e.HeldBy, " or ")
	}
	what := fmt.Sprintf("the client's %s fall into bucket %d, which nobody owns: ", decisive(r), bucket)
	switch {
	case r.Handling == config.Refuse:
		e.Why = "the rule's handling is refuse: no host accepts anything new"
	case !h.shares.hasQuorum(h.shares.view, rule):
		e.Why = what + h.lacks(rule)
	default:
		e.Why = fmt.Sprintf("%sno host of view %d is ready for this rule", what, e.Epoch)
	}
}

// decisive is what of a client decides its bucket, in words.
func decisive(r *config.Rule) string {
	switch r.Affinity {
	case config.AffinityClient:
		return "address"
	case config.AffinityNetwork:
		return fmt.Sprintf("network (/%d of IPv4, /%d of IPv6)", r.Net4, r.Net6)
	}
	return "address and port"
}

// heldBy lists the hosts besides the owner that may still have connections in a bucket, or remember clients.
func (h *host) heldBy(r *ruleShare, owner uint8, bucket int) []string {
	names := []string{}
	for _, holding := range append([]balance.Holding{r.mine}, r.others...) {
		if uint8(holding.ID) != owner && (holding.Unknown || holding.Buckets.Has(bucket)) {
			names = append(names, h.name(holding.ID))
		}
	}
	slices.Sort(names)
	return names
}

// asksFirst lists those of them that a client's first packet passes.
func (h *host) asksFirst(r *ruleShare, owner uint8, bucket int) []string {
	return slices.DeleteFunc(h.heldBy(r, owner, bucket), func(name string) bool {
		id, ok := h.config.Host(name)
		return !ok || !r.may.Has(member.ID(id))
	})
}

// findRule finds the rule that a request is about.
func findRule(cfg *config.Config, r api.ExplainRequest) (int, error) {
	vip := findVIP(cfg, r.VIP)
	if vip < 0 {
		return 0, fmt.Errorf("%w VIP %q: the VIPs are %s", api.ErrUnknown, r.VIP, vipNames(cfg))
	}
	if of := cfg.VIPs[vip].Address.Addr(); r.Client.Unmap().Is4() != of.Is4() {
		return 0, fmt.Errorf("%w: client %s cannot reach %s, which is an address of the other family", api.ErrInvalid, r.Client, of)
	}
	protocol := config.TCP
	if r.Protocol == config.UDP.String() {
		protocol = config.UDP
	}
	if r.VIPPort == 0 {
		for _, i := range cfg.VIPs[vip].Rules {
			if cfg.Rules[i].Protocol.Has(protocol) {
				return i, nil
			}
		}
		return 0, fmt.Errorf("%w rule for %s on VIP %s", api.ErrUnknown, protocol, cfg.VIPs[vip].Name)
	}
	rule, ok := cfg.RuleFor(vip, protocol, r.VIPPort)
	if !ok {
		return 0, fmt.Errorf("%w rule for %s port %d on VIP %s: such packets are dropped", api.ErrUnknown, protocol, r.VIPPort, cfg.VIPs[vip].Name)
	}
	return rule, nil
}

func hostNames(cfg *config.Config) string {
	var names []string
	for _, h := range cfg.Hosts {
		names = append(names, h.Name)
	}
	return strings.Join(names, ", ")
}

func vipNames(cfg *config.Config) string {
	var names []string
	for _, v := range cfg.VIPs {
		names = append(names, v.Name)
	}
	return strings.Join(names, ", ")
}
