package filter

import (
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

// maxRemember is the longest time that clients are remembered for: what fits into the rule's record is longer than anybody waits.
const maxRemember = 30 * 24 * time.Hour

// The protocols of rules, by their IP numbers.
const (
	ProtocolTCP  uint8 = 6
	ProtocolUDP  uint8 = 17
	ProtocolBoth uint8 = 255 // both of them
)

// Setup is what a filter knows about its cluster, apart from slots, peers and the lease.
type Setup struct {
	Self   uint8 // this host's index
	VIPs   []VIP
	Rules  []Rule
	Tunnel Tunnel       // for the VIPs that have one
	Own    []netip.Addr // this host's own addresses, 64 at most: who else claims one of them is told as well
}

// VIP is a virtual address.
type VIP struct {
	Address   netip.Addr       // IPv4 or IPv6
	Interface int              // index of the interface that it is reached through
	MAC       net.HardwareAddr // of that interface
	// Answer is the MAC that ARP answers name. Nil: the interface's.
	Answer net.HardwareAddr
	// Taken are MACs that every host of the cluster takes in, two at most. What is sent to one of them is accepted or dropped, and only
	// a question goes on to another host: docs/design/0013-delivery.md.
	Taken []net.HardwareAddr
	// Tunnel: hosts that are not known on Interface are reached through the tunnel, and segments of clients shall fit it.
	Tunnel bool
}

// PortRange is a range of ports, both ends included.
type PortRange struct{ First, Last uint16 }

// Rule is a set of ports of a VIP that share slots.
type Rule struct {
	VIP      int         // index into Setup.VIPs
	Ports    []PortRange // none: every port of the VIP that no other rule has; one such rule a VIP
	Protocol uint8
	Hash     Hash
	Remember time.Duration // how long a client is remembered after it was seen, in whole seconds; 0: not at all
}

// Configure installs a setup. What is already so is not touched: a port or an address that stays is there at every moment, and a
// rule that keeps a port keeps its slots until SetSlots. Slots of a new rule, and of one that takes a port from another, say that nobody
// owns its buckets: who has the connections of that port is known only after SetSlots.
func (f *Filter) Configure(s Setup) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.check(s); err != nil {
		return err
	}
	atomic.StoreUint32(&f.host.items[0].self, uint32(s.Self))
	if err := f.writeTunnel(s.Tunnel); err != nil {
		return err
	}
	places := f.placeVIPs(s.VIPs)
	ports := portsOf(s.Rules)
	pages := f.placeRules(s.Rules, ports, places)
	for i, v := range s.VIPs {
		f.writeVIP(places[i], v)
		f.writePorts(places[i], i, s.Rules, ports, pages)
	}
	if err := f.writeAddresses(s.VIPs, places); err != nil {
		return err
	}
	f.vipIndex, f.pages = places, pages
	return f.writeOwn(s.Own)
}

func (f *Filter) check(s Setup) error {
	if len(f.slots.items) == 0 {
		return fmt.Errorf("%w: filter is closed", ErrSetup)
	}
	if len(s.VIPs) > maxVIPs || len(s.Rules) > len(f.slots.items) {
		return fmt.Errorf("%w: %d addresses and %d rules, at most %d and %d", ErrSetup, len(s.VIPs), len(s.Rules), maxVIPs, len(f.slots.items))
	}
	if len(s.Own) > maxOwn {
		return fmt.Errorf("%w: %d addresses of this host, at most %d", ErrSetup, len(s.Own), maxOwn)
	}
	seen := map[netip.Addr]bool{}
	for _, v := range s.VIPs {
		switch {
		case !v.Address.IsValid() || v.Address.Is4In6() || v.Address.Zone() != "":
			return fmt.Errorf("%w: address %s is neither IPv4 nor plain IPv6", ErrSetup, v.Address)
		case seen[v.Address]:
			return fmt.Errorf("%w: address %s is there twice", ErrSetup, v.Address)
		case len(v.MAC) != 6 || v.Interface <= 0:
			return fmt.Errorf("%w: address %s needs an Ethernet interface", ErrSetup, v.Address)
		case len(v.Taken) > maxTaken:
			return fmt.Errorf("%w: address %s has %d cluster MACs, at most %d", ErrSetup, v.Address, len(v.Taken), maxTaken)
		case !areMACs(v.Taken...) || v.Answer != nil && !areMACs(v.Answer):
			return fmt.Errorf("%w: address %s has a cluster MAC that is not an Ethernet address", ErrSetup, v.Address)
		case v.Tunnel && s.Tunnel.Interface == 0:
			return fmt.Errorf("%w: address %s needs a tunnel", ErrSetup, v.Address)
		}
		seen[v.Address] = true
	}
	if err := s.Tunnel.check(); err != nil {
		return err
	}
	return checkRules(s)
}

func checkRules(s Setup) error {
	taken := map[portsKey]*[65536]bool{}
	for i, r := range s.Rules {
		protocols := protocolIndexes(r.Protocol)
		if protocols == nil || r.VIP < 0 || r.VIP >= len(s.VIPs) {
			return fmt.Errorf("%w: rule %d: protocol %d, address %d", ErrSetup, i, r.Protocol, r.VIP)
		}
		if r.Remember < 0 || r.Remember%time.Second != 0 || r.Remember > maxRemember {
			return fmt.Errorf("%w: rule %d: clients remembered for %v", ErrSetup, i, r.Remember)
		}
		for _, protocol := range protocols {
			k := portsKey{r.VIP, protocol}
			if taken[k] == nil {
				taken[k] = new([65536]bool)
			}
			if n, bad := takePorts(taken[k], r.Ports); bad {
				return fmt.Errorf("%w: rule %d: port %d of %s is no range or belongs to another rule", ErrSetup, i, n, s.VIPs[r.VIP].Address)
			}
		}
	}
	return nil
}

// takePorts marks ports and names the first that cannot be had. A rule for all others marks port 0, which nothing else can be about.
func takePorts(taken *[65536]bool, ports []PortRange) (bad uint16, failed bool) {
	if len(ports) == 0 {
		ports = []PortRange{{}}
	}
	for _, p := range ports {
		if p.First > p.Last {
			return p.First, true
		}
		for n := int(p.First); n <= int(p.Last); n++ {
			if taken[n] {
				return uint16(n), true
			}
			taken[n] = true
		}
	}
	return 0, false
}

// SetDirector says whether this host answers ARP or ND for a VIP (an index into Setup.VIPs) and takes its ICMP.
func (f *Filter) SetDirector(vip int, on bool) error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if vip < 0 || vip >= len(f.vipIndex) {
		return fmt.Errorf("%w: address %d is not configured", ErrSetup, vip)
	}
	setFlag(&f.vips.items[f.vipIndex[vip]].flags, flagDirector, on)
	return nil
}
