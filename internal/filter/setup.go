package filter

import (
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
)

// The protocols of rules, by their IP numbers.
const (
	ProtocolTCP uint8 = 6
	ProtocolUDP uint8 = 17
)

// Setup is what a filter knows about its cluster, apart from slots, peers and the lease.
type Setup struct {
	Self  uint8 // this host's index
	VIPs  []VIP
	Rules []Rule
}

// VIP is a virtual address.
type VIP struct {
	Address   netip.Addr       // IPv4
	Interface int              // index of the interface that it is reached through
	MAC       net.HardwareAddr // of that interface
	// Answer is the MAC that ARP answers name. Nil: the interface's.
	Answer net.HardwareAddr
	// Taken are MACs that every host of the cluster takes in, two at most. What is sent to one of them is accepted or dropped, and only
	// a question goes on to another host: docs/design/0013-delivery.md.
	Taken []net.HardwareAddr
}

// PortRange is a range of ports, both ends included.
type PortRange struct{ First, Last uint16 }

// Rule is a set of ports of a VIP that share slots.
type Rule struct {
	VIP      int // index into Setup.VIPs
	Ports    []PortRange
	Protocol uint8
	Hash     Hash
}

// Configure installs a setup. What is already so is not touched: a port or an address that stays is there at every moment, and a
// rule that keeps a port keeps its slots until SetSlots. Slots of a new rule say that nobody owns its buckets.
func (f *Filter) Configure(s Setup) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.check(s); err != nil {
		return err
	}
	atomic.StoreUint32(&f.host.items[0].self, uint32(s.Self))
	places := f.placeVIPs(s.VIPs)
	pages := f.placeRules(s.Rules, places)
	for i, v := range s.VIPs {
		f.writeVIP(places[i], v)
		f.writePorts(places[i], i, s.Rules, pages)
	}
	if err := f.writeAddresses(s.VIPs, places); err != nil {
		return err
	}
	f.vipIndex, f.pages = places, pages
	return nil
}

func (f *Filter) check(s Setup) error {
	if len(f.slots.items) == 0 {
		return fmt.Errorf("%w: filter is closed", ErrSetup)
	}
	if len(s.VIPs) > maxVIPs || len(s.Rules) > len(f.slots.items) {
		return fmt.Errorf("%w: %d addresses and %d rules, at most %d and %d", ErrSetup, len(s.VIPs), len(s.Rules), maxVIPs, len(f.slots.items))
	}
	seen := map[netip.Addr]bool{}
	for _, v := range s.VIPs {
		switch {
		case !v.Address.Is4():
			return fmt.Errorf("%w: address %s is not IPv4", ErrSetup, v.Address)
		case seen[v.Address]:
			return fmt.Errorf("%w: address %s is there twice", ErrSetup, v.Address)
		case len(v.MAC) != 6 || v.Interface <= 0:
			return fmt.Errorf("%w: address %s needs an Ethernet interface", ErrSetup, v.Address)
		case len(v.Taken) > maxTaken:
			return fmt.Errorf("%w: address %s has %d cluster MACs, at most %d", ErrSetup, v.Address, len(v.Taken), maxTaken)
		case !areMACs(v.Taken...) || v.Answer != nil && !areMACs(v.Answer):
			return fmt.Errorf("%w: address %s has a cluster MAC that is not an Ethernet address", ErrSetup, v.Address)
		}
		seen[v.Address] = true
	}
	return checkRules(s)
}

func checkRules(s Setup) error {
	type key struct{ vip, protocol int }
	taken := map[key]*[65536]bool{}
	for i, r := range s.Rules {
		protocol, ok := protocolIndex(r.Protocol)
		if !ok || r.VIP < 0 || r.VIP >= len(s.VIPs) {
			return fmt.Errorf("%w: rule %d: protocol %d, address %d", ErrSetup, i, r.Protocol, r.VIP)
		}
		k := key{r.VIP, protocol}
		if taken[k] == nil {
			taken[k] = new([65536]bool)
		}
		for _, p := range r.Ports {
			if p.First > p.Last {
				return fmt.Errorf("%w: rule %d: ports %d to %d", ErrSetup, i, p.First, p.Last)
			}
			for n := int(p.First); n <= int(p.Last); n++ {
				if taken[k][n] {
					return fmt.Errorf("%w: rule %d: port %d of %s belongs to another rule", ErrSetup, i, n, s.VIPs[r.VIP].Address)
				}
				taken[k][n] = true
			}
		}
	}
	return nil
}

// SetDirector says whether this host answers ARP for a VIP (an index into Setup.VIPs) and takes its ICMP.
func (f *Filter) SetDirector(vip int, on bool) error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if vip < 0 || vip >= len(f.vipIndex) {
		return fmt.Errorf("%w: address %d is not configured", ErrSetup, vip)
	}
	flags := &f.vips.items[f.vipIndex[vip]].flags
	if on {
		atomic.OrUint32(flags, flagDirector)
	} else {
		atomic.AndUint32(flags, ^uint32(flagDirector))
	}
	return nil
}
