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
