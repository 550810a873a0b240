package agent

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/muster-ha/muster/internal/balance"
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/filter"
	"github.com/muster-ha/muster/internal/member"
)

// kernel is what the agent wants of the filter.
type kernel interface {
	Configure(filter.Setup) error
	Attach(ifindex int) error
	AttachTunnel(ifindex int) error
	Detach(ifindex int) error
	Interfaces() ([]int, error)
	Healthy() error
	Mend() error
	Hook() string
	Accelerate(ifindex int) (put bool, err error)
	Decelerate(ifindex int) error
	Accelerated() ([]int, error)
	Counters() (filter.Counters, error)
	ReadClaims(ctx context.Context, take func(filter.Claim)) error
	SetPeer(ifindex int, id uint8, mac net.HardwareAddr) error
	SetRemote(id uint8, mac net.HardwareAddr, at netip.Addr) error
	SetTunnelMTU(bytes int) error
	SetDirector(vip int, on bool) error
	SetSlots(rule int, slots *[balance.Buckets]uint32)
	SetChains(rule int, chains *[balance.Buckets]uint16)
	SetRemembers(rule int, counts bool)
	memory
	SetLease(deadline time.Duration)
	SetQuorum(need uint8, deadline time.Duration)
	Lease() time.Duration
	Close() error
}

var (
	_ kernel = (*filter.Filter)(nil)
	_ kernel = noKernel{}
)

// noKernel is the filter of a host that serves nothing: a witness loads no programs and attaches to no interface, so it needs no right to.
type noKernel struct{}

func (noKernel) Configure(filter.Setup) error                        { return nil }
func (noKernel) Attach(int) error                                    { return nil }
func (noKernel) AttachTunnel(int) error                              { return nil }
func (noKernel) SetRemote(uint8, net.HardwareAddr, netip.Addr) error { return nil }
func (noKernel) SetTunnelMTU(int) error                              { return nil }
func (noKernel) Detach(int) error                                    { return nil }
func (noKernel) Interfaces() ([]int, error)                          { return nil, nil }
func (noKernel) Healthy() error                                      { return nil }
func (noKernel) Mend() error                                         { return nil }
func (noKernel) Accelerate(int) (bool, error)                        { return false, nil }
func (noKernel) Decelerate(int) error                                { return nil }
func (noKernel) Accelerated() ([]int, error)                         { return nil, nil }
func (noKernel) Hook() string                                        { return "" }
func (noKernel) Counters() (filter.Counters, error)                  { return filter.Counters{}, nil }
func (noKernel) SetPeer(int, uint8, net.HardwareAddr) error          { return nil }
func (noKernel) SetDirector(int, bool) error                         { return nil }
func (noKernel) SetSlots(int, *[balance.Buckets]uint32)              {}
func (noKernel) SetChains(int, *[balance.Buckets]uint16)             {}
func (noKernel) SetRemembers(int, bool)                              {}
func (noKernel) Remember(int, []netip.Addr) error                    { return nil }
func (noKernel) Clients() ([]filter.Client, error)                   { return nil, nil }
func (noKernel) SetLease(time.Duration)                              {}
func (noKernel) SetQuorum(need uint8, deadline time.Duration)        {}
func (noKernel) Lease() time.Duration                                { return 0 }
func (noKernel) Close() error                                        { return nil }

// isWitness reports whether this host only votes. A role changes with a restart only.
func (h *host) isWitness() bool { return h.config.Hosts[h.self].Witness }

// probed is a configuration with the checks that this host has to run: a witness runs none.
func (h *host) probed(cfg *config.Config) *config.Config {
	if !h.isWitness() {
		return cfg
	}
	without := *cfg
	without.Checks = nil
	return &without
}

// witnessWhy says whether a witness has its vote yet.
func witnessWhy(m member.Member) string {
	if !m.Vote {
		return "has no vote yet: it started a moment ago, or no rule asks for one"
	}
	return ""
}
