package agent

import (
	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/config"
)

// ruleSays is what the configuration says of a rule.
func ruleSays(cfg *config.Config, i int) api.RuleStatus {
	r := &cfg.Rules[i]
	s := api.RuleStatus{Protocol: r.Protocol.String(), Ports: r.PortNames(), Handling: r.Handling.String(), Priority: []string{},
		Affinity: r.Affinity.String(), AffinityTimeout: r.Remember.Seconds(), Owners: []api.OwnerShare{}}
	for _, id := range r.Order {
		s.Priority = append(s.Priority, cfg.Hosts[id].Name)
	}
	if r.Affinity == config.AffinityNetwork {
		s.AffinityIPv4, s.AffinityIPv6 = r.Net4, r.Net6
	}
	return s
}

// countClients fills in how many clients of each rule this host remembers. When the kernel cannot say, that is not known.
func (h *host) countClients(s *api.Status) {
	clients, err := h.filter.Clients()
	if err != nil {
		h.log.Warn("cannot read which clients are remembered", "err", err)
		return
	}
	count := map[int]int{}
	for _, c := range clients {
		count[c.Rule]++
	}
	rule := 0
	for v := range s.VIPs { // rules are numbered in this order
		for r := range s.VIPs[v].Rules {
			if s.VIPs[v].Rules[r].AffinityTimeout > 0 {
				n := count[rule]
				s.VIPs[v].Rules[r].Remembers = &n
			}
			rule++
		}
	}
}
