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
	cfg := h.config.Rules[rule]
	view := h.shares.view
	e := api.Explanation{
		Client: r.Client.String(), VIP: h.config.VIPs[cfg.VIP].Name, Rule: ruleName(cfg), Affinity: cfg.Affinity.String(),
		Epoch: view.Epoch, HeldBy: []string{}, Path: []string{},
	}
	if r.Port != 0 {
		e.Client = netip.AddrPortFrom(r.Client, r.Port).String()
	}
	if cfg.Affinity == config.AffinityNone && r.Port == 0 {
		e.Why = "the rule's affinity is none: the client's port decides too; give it as CLIENT:PORT"
		return e, nil
	}
	bucket := int(hashOf(cfg).Bucket(r.Client, r.Port))
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
	what := "address and port"
	if e.Affinity == config.AffinityClient.String() {
		what = "address"
	}
	if owner == balance.Nobody {
		e.Why = fmt.Sprintf("the client's %s fall into bucket %d, which nobody owns: no host of view %d is ready for this rule", what, bucket, e.Epoch)
		e.AnswerIfNew, e.AnswerIfEstablished = "dropped", "dropped, unless the host that receives it has the connection"
		if !h.shares.hasQuorum(h.shares.view, rule) {
			e.Why = fmt.Sprintf("the client's %s fall into bucket %d, which nobody owns: %s", what, bucket, h.lacks(rule))
		}
		return
	}
	e.Owner = h.name(member.ID(owner))
	director := h.shares.directors[h.config.Rules[rule].VIP]
	if director != balance.Nobody && director != owner {
		e.Path = append(e.Path, h.name(member.ID(director)))
	}
	e.Path = append(e.Path, e.Owner)
	e.Why = fmt.Sprintf("the client's %s fall into bucket %d, which host %s owns in view %d (%d of 4096 buckets)", what, bucket, e.Owner, e.Epoch,
		countOwned(share.table, owner))
	e.AnswerIfNew = "accepted by host " + e.Owner
	e.AnswerIfEstablished = "goes on at host " + e.Owner + "; if that does not know it, its client is reset"
	if len(e.HeldBy) > 0 {
		e.AnswerIfEstablished = fmt.Sprintf("goes on where it is: at host %s or else %s", e.Owner, strings.Join(e.HeldBy, " or "))
	}
	if !h.shares.installed {
		e.Why += "; the view is being handed over: until every host has released, new connections wait"
	}
}

// heldBy lists the hosts besides the owner that may still have connections in a bucket.
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

// findRule finds the rule that a request is about.
func findRule(cfg *config.Config, r api.ExplainRequest) (int, error) {
	vip := slices.IndexFunc(cfg.VIPs, func(v config.VIP) bool { return v.Name == r.VIP || v.Address.Addr().String() == r.VIP })
	if vip < 0 {
		return 0, fmt.Errorf("%w VIP %q: the VIPs are %s", api.ErrUnknown, r.VIP, vipNames(cfg))
	}
	if !r.Client.Unmap().Is4() {
		return 0, fmt.Errorf("%w: client %s is not an IPv4 address", api.ErrInvalid, r.Client)
	}
	for _, i := range cfg.VIPs[vip].Rules {
		rule := cfg.Rules[i]
		if rule.Protocol.String() != r.Protocol {
			continue
		}
		if r.VIPPort == 0 || slices.ContainsFunc(rule.Ports, func(p config.PortRange) bool { return p.Contains(r.VIPPort) }) {
			return i, nil
		}
	}
	if r.VIPPort == 0 {
		return 0, fmt.Errorf("%w rule for %s on VIP %s", api.ErrUnknown, r.Protocol, cfg.VIPs[vip].Name)
	}
	return 0, fmt.Errorf("%w rule for %s port %d on VIP %s: such packets are dropped", api.ErrUnknown, r.Protocol, r.VIPPort, cfg.VIPs[vip].Name)
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
