package metrics

import "github.com/muster-ha/muster/internal/api"

func ofShares() []metric {
	rule := []string{"vip", "rule"}
	return []metric{
		{"muster_rule_buckets_owned", "Buckets of a rule that a host owns, of 4096; host is empty for those that nobody owns.", gauge, append(rule, "host"), func(s *api.Status, set setter) {
			rules(s, func(vip, rule string, r api.RuleStatus) {
				for _, o := range r.Owners {
					set(float64(o.Buckets), vip, rule, o.Host)
				}
			})
		}},
		{"muster_rule_ready", "Whether a rule's checks are good on this host.", gauge, rule, func(s *api.Status, set setter) {
			rules(s, func(vip, rule string, r api.RuleStatus) { set(truth(r.Ready), vip, rule) })
		}},
		{"muster_rule_connections_held", "Connections on this host in buckets of a rule that it does not own any more.", gauge, rule, func(s *api.Status, set setter) {
			rules(s, func(vip, rule string, r api.RuleStatus) {
				if r.ConnectionsHeld != nil {
					set(float64(*r.ConnectionsHeld), vip, rule)
				}
			})
		}},
		{"muster_rule_clients_remembered", "Clients, or networks of clients, that this host remembers, of a rule with an affinity timeout.", gauge, rule, func(s *api.Status, set setter) {
			rules(s, func(vip, rule string, r api.RuleStatus) {
				if r.Remembers != nil {
					set(float64(*r.Remembers), vip, rule)
				}
			})
		}},
		{"muster_vip_director", "Always 1; host is the one that answers for a VIP, and is empty when nobody does.", gauge, []string{"vip", "host"}, func(s *api.Status, set setter) {
			for _, v := range s.VIPs {
				if v.Delivery != "routed" { // routers choose
					set(1, v.Name, v.Director)
				}
			}
		}},
	}
}

// rules calls f for every rule with its names.
func rules(s *api.Status, f func(vip, rule string, r api.RuleStatus)) {
	for _, v := range s.VIPs {
		for _, r := range v.Rules {
			f(v.Name, r.Protocol+" "+r.Ports, r)
		}
	}
}

func ofFilter() []metric {
	return []metric{
		{"muster_filter_armed", "Whether the filter is attached and its lease is running: otherwise this host accepts nothing new.", gauge, nil, func(s *api.Status, set setter) {
			set(truth(s.Filter.Armed))
		}},
		{"muster_filter_lease_seconds", "Time for which the kernel still accepts new connections by itself.", gauge, nil, func(s *api.Status, set setter) {
			seconds(set, s.Filter.LeaseMS)
		}},
		{"muster_filter_packets_total", "Packets by the filter's decision since it was loaded.", counter, []string{"decision"}, func(s *api.Status, set setter) {
			for decision, count := range s.Filter.Counters {
				set(float64(count), decision)
			}
		}},
	}
}
