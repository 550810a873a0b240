package config

import (
	"slices"
	"time"

	"github.com/muster-ha/muster/internal/delivery"
)

func (c *Config) addVIP(name string, f FileVIP) {
	mode, _ := delivery.Parse(f.Delivery) // one of those that the file may have
	vip := VIP{Name: name, Address: f.Address, Interface: f.Interface, Delivery: mode, Accelerate: f.Accelerate, Tunnel: tunnelOf(f.Tunnel),
		Yields: f.Duplicates == "yield"}
	add := func(r Rule) {
		vip.Rules = append(vip.Rules, len(c.Rules))
		c.Rules = append(c.Rules, r)
	}
	for _, r := range f.Rules {
		add(c.buildRule(len(c.VIPs), r))
	}
	if len(f.Default) > 0 {
		add(Rule{VIP: len(c.VIPs), Protocol: Both, Handling: Single, Order: c.hostsNamed(f.Default)})
	}
	c.VIPs = append(c.VIPs, vip)
}

// buildRule makes a rule. What its handling and affinity do not use is left out, so that it does not count as a change.
func (c *Config) buildRule(vip int, f FileRule) Rule {
	r := Rule{VIP: vip, Ports: joinPorts(f.Ports), Protocol: protocolOf(f.Protocol), Affinity: affinityOf(f.Affinity),
		Quorum: quorumOf(f.Quorum), Handling: handlingOf(f.Handling)}
	for i, check := range c.Checks {
		if slices.Contains(f.Check, check.Name) {
			r.Checks = append(r.Checks, i)
		}
	}
	switch r.Handling {
	case Shared:
		r.Weights = c.ruleWeights(f.Weights)
	case Single:
		r.Order = c.orderOf(f.Priority)
	}
	if r.Affinity == AffinityNetwork {
		r.Net4, r.Net6 = f.AffinityNetwork.IPv4, f.AffinityNetwork.IPv6
	}
	if r.Handling != Refuse {
		r.Remember = f.AffinityTimeout.Truncate(time.Second) // the filter counts seconds
	}
	return r
}

// hostsNamed are the indexes of hosts, in the order given.
func (c *Config) hostsNamed(names []string) []int {
	var list []int
	for _, name := range names {
		if i, ok := c.Host(name); ok {
			list = append(list, i)
		}
	}
	return list
}

// orderOf is every host that serves, those named first.
func (c *Config) orderOf(first []string) []int {
	order := c.hostsNamed(first)
	for i, h := range c.Hosts {
		if !h.Witness && !slices.Contains(order, i) {
			order = append(order, i)
		}
	}
	return order
}

// ruleWeights is a rule's own weights; nil when they are the hosts' own.
func (c *Config) ruleWeights(own map[string]RuleWeight) []int {
	weights, differ := make([]int, len(c.Hosts)), false
	for i, h := range c.Hosts {
		weights[i] = h.Weight
		if w, ok := own[h.Name]; ok {
			differ = differ || int(w) != h.Weight
			weights[i] = int(w)
		}
	}
	if !differ {
		return nil
	}
	return weights
}

// protocolOf reads a rule's protocol.
func protocolOf(word string) Protocol {
	switch word {
	case "udp":
		return UDP
	case wordBoth:
		return Both
	}
	return TCP
}

// affinityOf reads a rule's affinity.
func affinityOf(word string) Affinity {
	switch word {
	case "client":
		return AffinityClient
	case "network":
		return AffinityNetwork
	}
	return AffinityNone
}

// handlingOf reads a rule's handling.
func handlingOf(word string) Handling {
	switch word {
	case "single":
		return Single
	case "refuse":
		return Refuse
	}
	return Shared
}

// quorumOf reads a rule's quorum.
func quorumOf(word string) Quorum {
	switch word {
	case "majority":
		return QuorumMajority
	case "witness":
		return QuorumWitness
	}
	return QuorumNone
}
