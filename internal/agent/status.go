package agent

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/balance"
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/heartbeat"
	"github.com/muster-ha/muster/internal/member"
)

// peer is what another host said last.
type peer struct {
	last heartbeat.Message
	at   time.Time // zero: never heard

	learnt []heartbeat.LinkAddr // taken into the filter, by the configuration in use
}

// Status says how the cluster looks from this host.
func (h *host) Status(ctx context.Context) (api.Status, error) {
	var s api.Status
	if !h.do(ctx, func() { s = h.status(time.Now()) }) {
		return s, fmt.Errorf("%w: the agent is stopping", api.ErrConflict)
	}
	// Counters and clients come from the kernel: not in the loop's time.
	s.Filter.Counters = h.filterCounters()
	h.countClients(&s)
	return s, nil
}

func (h *host) status(now time.Time) api.Status {
	view := h.shares.view
	s := api.Status{
		Cluster:  h.config.Cluster,
		Host:     h.name(h.self),
		Version:  h.opt.Version,
		Language: h.language(),
		Epoch:    view.Epoch,
		View:     api.ViewStatus{Epoch: view.Epoch, Members: []string{}},
		Config:   api.ConfigStatus{Path: h.opt.ConfigPath, Digest: h.config.Digest.Short()},
		Checks:   h.checks.status(),
		Filter:   h.filterStatus(now),
		Networks: h.networks(now),
		Timer:    h.late.status(h.scheduling),
		BGP:      h.bgpStatus(),
	}
	s.Datagrams = totals(s.Networks)
	if view.Epoch > 0 {
		s.View.Proposer = h.name(view.Proposer)
	}
	for _, m := range view.Members {
		s.View.Members = append(s.View.Members, h.name(m.ID))
	}
	if h.pending != nil {
		s.Config.Pending = h.pending.Digest.Short()
	}
	for id := range h.config.Hosts {
		s.Hosts = append(s.Hosts, h.hostStatus(member.ID(id), s.Networks, now))
	}
	for i := range h.config.VIPs {
		s.VIPs = append(s.VIPs, h.vipStatus(i))
	}
	over := h.overrides()
	s.Parameters, s.Overrides = h.clusterParameters(over), overrideStatus(over)
	for i := range s.Networks {
		s.Networks[i].Parameters = h.parametersOf(&h.castings[i], over)
	}
	s.State, s.Why = s.Hosts[h.self].State, s.Hosts[h.self].Why
	s.Duplicates = h.duplicateStatus(now)
	s.Problems = h.problems(s)
	return s
}

// hostStatus is one host as this one knows it: what is not known stays unknown.
func (h *host) hostStatus(id member.ID, networks []api.NetworkStatus, now time.Time) api.HostStatus {
	s := api.HostStatus{
		Name:    h.name(id),
		Address: h.config.Hosts[id].Address.String(),
		Directs: h.directs(id),
		Shares:  h.sharesOf(id),
		Speaks:  h.speaks(id),
		Order:   h.hostOrderStatus(h.name(id)),
	}
	s.Connections = h.connectionsOf(id)
	m, in := memberOf(h.shares.view, id)
	if in {
		s.Weight = int(m.Weight)
		s.Boot = strconv.FormatUint(uint64(m.Boot), 16)
	}
	if id == h.self {
		h.selfStatus(&s, in, m)
		return s
	}
	p := h.peers[id]
	if p.at.IsZero() {
		s.State, s.Why = api.StateUnknown, "not heard since this agent started"
		if why, _, apart := h.apartBecause(id, now); apart {
			s.Why = why
		}
		return s
	}
	ago := float64(now.Sub(p.at)) / float64(time.Millisecond)
	s.HeardAgoMS = &ago
	s.LossPercent, s.DelayMS = quality(s.Name, networks)
	s.Version = p.last.Version
	s.ConfigDigest = config.Digest(p.last.Digest).Short()
	differs := p.last.Digest != [32]byte(h.config.Digest)
	s.ConfigDiffers = &differs
	s.Boot = strconv.FormatUint(uint64(p.last.Boot), 16)
	s.State, s.Why = h.peerState(id, p, in, m)
	if why, _, apart := h.apartBecause(id, now); apart {
		s.Why = why
	}
	s.Holds = h.holds(id)
	return s
}

func (h *host) selfStatus(s *api.HostStatus, in bool, m member.Member) {
	s.Version = h.opt.Version
	s.Boot = strconv.FormatUint(uint64(h.boot), 16)
	s.ConfigDigest = h.config.Digest.Short()
	same := false
	s.ConfigDiffers = &same
	switch {
	case h.leaving:
		s.State = api.StateLeaving
	case !in:
		s.State, s.Why = api.StateJoining, h.joiningBecause()
	case h.isWitness():
		s.State, s.Why = api.StateWitness, witnessWhy(m)
	case m.Weight == 0:
		s.State, s.Why = h.idleBecause(s.Name)
	default:
		s.State = api.StateServing
	}
	s.Holds = h.holds(h.self)
}

// joiningBecause says what this host waits for.
func (h *host) joiningBecause() string {
	for id, p := range h.peers {
		if p.at.IsZero() || p.last.View.Epoch == 0 || p.last.Digest == [32]byte(h.config.Digest) {
			continue
		}
		return fmt.Sprintf("its configuration %s differs from %s on host %s", h.config.Digest.Short(),
			config.Digest(p.last.Digest).Short(), h.name(member.ID(id)))
	}
	return "waiting to be taken into a view"
}

func (h *host) peerState(id member.ID, p peer, in bool, m member.Member) (api.State, string) {
	switch {
	case !h.machine.Hears(id):
		return api.StateSilent, "no heartbeat within the tolerance"
	case p.last.State == member.Leaving:
		return api.StateLeaving, ""
	case !in && p.last.Digest != [32]byte(h.config.Digest):
		return api.StateJoining, "its configuration differs"
	case !in:
		return api.StateJoining, "not in a view with this host"
	case h.config.Hosts[id].Witness:
		return api.StateWitness, witnessWhy(m)
	case m.Weight == 0:
		return h.idleBecause(h.name(id))
	}
	return api.StateServing, ""
}

func memberOf(v member.View, id member.ID) (member.Member, bool) {
	i := slices.IndexFunc(v.Members, func(m member.Member) bool { return m.ID == id })
	if i < 0 {
		return member.Member{}, false
	}
	return v.Members[i], true
}

// directs lists the VIPs that a host answers for.
func (h *host) directs(id member.ID) []string {
	names := []string{}
	for v, d := range h.shares.directors {
		if d == uint8(id) {
			names = append(names, h.config.VIPs[v].Name)
		}
	}
	return names
}

// sharesOf lists a host's part of every rule.
func (h *host) sharesOf(id member.ID) []api.Share {
	list := []api.Share{}
	for i, r := range h.shares.rules {
		if r.table == nil {
			continue
		}
		n := countOwned(r.table, uint8(id))
		list = append(list, api.Share{VIP: h.config.VIPs[h.config.Rules[i].VIP].Name, Rule: h.config.Rules[i].Name(),
			Buckets: n, Percent: percent(n)})
	}
	return list
}

func countOwned(t *balance.Table, owner uint8) int {
	n := 0
	for _, o := range t {
		if o == owner {
			n++
		}
	}
	return n
}

func percent(buckets int) float64 { return 100 * float64(buckets) / balance.Buckets }

// holds counts the buckets, not its own, in which a host still has connections.
func (h *host) holds(id member.ID) *int {
	total := 0
	for _, r := range h.shares.rules {
		holding := r.mine
		if id != h.self {
			i := slices.IndexFunc(r.others, func(o balance.Holding) bool { return o.ID == id })
			if i < 0 {
				return nil
			}
			holding = r.others[i]
		}
		if holding.Unknown {
			return nil
		}
		total += holding.Buckets.Count()
	}
	return &total
}

func (h *host) vipStatus(i int) api.VIPStatus {
	v := h.config.VIPs[i]
	s := api.VIPStatus{Name: v.Name, Address: v.Address.String(), Interface: h.vips[i].link.Name, Rules: []api.RuleStatus{}}
	h.deliveryStatus(&s, i)
	if v.Tunnel != config.NoTunnel {
		s.TunnelFits = int(h.tunnelFits.Load())
	}
	if i < len(h.shares.directors) && h.shares.directors[i] != balance.Nobody {
		s.Director = h.name(member.ID(h.shares.directors[i]))
	}
	for _, rule := range v.Rules {
		s.Rules = append(s.Rules, h.ruleStatus(rule))
	}
	return s
}

func (h *host) ruleStatus(i int) api.RuleStatus {
	s := ruleSays(h.config, i)
	s.Ready, s.Orders = !h.isWitness() && ready(h.config, h.checks.running)&(1<<i) != 0, h.ruleOrderStatus(i)
	h.quorumStatus(&s, i)
	table := h.shares.rules[i].table
	if table == nil {
		return s
	}
	for id := range h.config.Hosts {
		if n := countOwned(table, uint8(id)); n > 0 {
			s.Owners = append(s.Owners, api.OwnerShare{Host: h.name(member.ID(id)), Buckets: n, Percent: percent(n)})
		}
	}
	if n := countOwned(table, balance.Nobody); n > 0 {
		s.Owners = append(s.Owners, api.OwnerShare{Buckets: n, Percent: percent(n)})
	}
	s.ConnectionsHeld = h.connectionsHeld(i)
	return s
}

func (h *host) name(id member.ID) string {
	if int(id) >= len(h.config.Hosts) {
		return ""
	}
	return h.config.Hosts[id].Name
}
