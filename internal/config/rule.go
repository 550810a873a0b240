package config

import "time"

// Protocol is a rule's transport protocol, by its IP protocol number.
type Protocol uint8

// The protocols of rules.
const (
	TCP  Protocol = 6
	UDP  Protocol = 17
	Both Protocol = 255 // TCP and UDP; a number that is reserved and in no packet
)

// Has reports whether a rule of protocol p is about packets of protocol q, TCP or UDP.
func (p Protocol) Has(q Protocol) bool { return p == q || p == Both }

// Affinity says what of a client decides its bucket.
type Affinity uint8

// The affinities.
const (
	AffinityNone    Affinity = iota // source address and port
	AffinityClient                  // source address
	AffinityNetwork                 // leading bits of the source address
)

// Handling says what is done with a rule's clients.
type Handling uint8

// The handlings.
const (
	Shared Handling = iota // each host gets its share
	Single                 // the first live host of an order gets all
	Refuse                 // nobody gets anything new
)

// PortRange is a range of ports, both ends included.
type PortRange struct{ First, Last uint16 }

// Rule is a set of ports of a VIP and how they are shared. What is not used is left out of the digest, so that hosts of a version which
// does not know it yet agree about files without it.
type Rule struct {
	VIP      int         // index into Config.VIPs
	Ports    []PortRange // none: those of the VIP that no other rule has; the VIP's last rule
	Protocol Protocol
	Affinity Affinity
	Checks   []int         // indexes into Config.Checks: all must be good for a host to get a share
	Quorum   Quorum        `json:",omitempty"`
	Handling Handling      `json:",omitempty"`
	Order    []int         `json:",omitempty"` // of Single: indexes into Config.Hosts; hosts that are not there get nothing
	Weights  []int         `json:",omitempty"` // of Shared: by host, in place of the hosts' own; nil: their own
	Net4     int           `json:",omitempty"` // of AffinityNetwork: bits of an IPv4 address that count
	Net6     int           `json:",omitempty"` // and of an IPv6 address
	Remember time.Duration `json:",omitempty"` // how long a client's host is remembered after it was seen; 0: not at all
}

// Rest reports whether the rule is for the ports that no other rule of its VIP has.
func (r *Rule) Rest() bool { return len(r.Ports) == 0 }

// HasPort reports whether the rule names a port.
func (r *Rule) HasPort(port uint16) bool {
	for _, p := range r.Ports {
		if p.Contains(port) {
			return true
		}
	}
	return false
}

// RuleFor finds the rule for packets to a port of a VIP: the one that names it, else the one for the rest.
func (c *Config) RuleFor(vip int, p Protocol, port uint16) (int, bool) {
	for _, i := range c.VIPs[vip].Rules { // the one for the rest is the last
		r := &c.Rules[i]
		if r.Protocol.Has(p) && (r.HasPort(port) || r.Rest()) {
			return i, true
		}
	}
	return 0, false
}

// WeightsOf are the weights of all hosts in a rule, by index.
func (c *Config) WeightsOf(rule int) []int {
	if w := c.Rules[rule].Weights; w != nil {
		return w
	}
	w := make([]int, len(c.Hosts))
	for i, h := range c.Hosts {
		w[i] = h.Weight
	}
	return w
}
