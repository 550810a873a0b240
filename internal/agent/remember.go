package agent

import (
	"net/netip"

	"github.com/muster-ha/muster/internal/balance"
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/filter"
)

// memory is where this host's kernel remembers clients of rules with an affinity timeout.
type memory interface {
	Remember(rule int, clients []netip.Addr) error
	Clients() ([]filter.Client, error)
}

// chains fills in where first packets of a rule go. In no view nobody is known to serve. It follows from the same table and holdings as
// slots, and is to be filled in whenever those are.
func (s *shares) chains(rule int, out *[balance.Buckets]uint16) {
	r := &s.rules[rule]
	if s.view.Epoch == 0 {
		word := balance.Chain{First: balance.Nobody, Next: balance.Nobody}.Word()
		for b := range out {
			out[b] = word
		}
		return
	}
	balance.Chains(s.self, r.table, r.may, r.mine, r.others, out)
}

// remembers reports whether this host serves clients of a rule because it remembers them. It may do so as soon as it has released for a view in
// which it is eligible: a client that it remembers is nobody else's, whoever owns the bucket.
func (s *shares) remembers(rule int) bool {
	return s.config.Rules[rule].Remember > 0 && s.view.Epoch > 0 && s.rules[rule].may.Has(s.self)
}

// fillChains carries what a rule that remembers clients needs into the filter.
func (h *host) fillChains(rule int) {
	if h.config.Rules[rule].Remember == 0 {
		return
	}
	var chains [balance.Buckets]uint16
	h.shares.chains(rule, &chains)
	h.filter.SetRemembers(rule, h.shares.remembers(rule))
	h.filter.SetChains(rule, &chains)
}

// recall adds the buckets in which this host remembers clients to those in which it has connections. Clients with a connection are noted
// again: it may have been silent for longer than they are remembered.
func recall(m memory, cfg *config.Config, connected map[int][]netip.Addr, found []balance.Holding) error {
	for rule, clients := range connected {
		if err := m.Remember(rule, clients); err != nil {
			return err
		}
	}
	clients, err := m.Clients()
	if err != nil {
		return err
	}
	for _, c := range clients {
		if c.Rule < len(cfg.Rules) && cfg.Rules[c.Rule].Remember > 0 {
			found[c.Rule].Buckets.Set(int(hashOf(cfg.Rules[c.Rule]).Bucket(c.Address, 0)))
		}
	}
	return nil
}

// remembering reports whether any rule remembers clients.
func remembering(cfg *config.Config) bool {
	for _, r := range cfg.Rules {
		if r.Remember > 0 {
			return true
		}
	}
	return false
}
