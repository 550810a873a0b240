package config

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Short is the first 12 hex digits, for people.
func (d Digest) Short() string { return hex.EncodeToString(d[:6]) }

// ID is the first eight bytes, for datagrams and views, which take zero for "none".
func (d Digest) ID() uint64 { return max(1, binary.BigEndian.Uint64(d[:])) }

// meaning is everything that has to be the same on every host. Paths are a host's own business. Its JSON is canonical: fields
// in this order, lists sorted by build, no maps, addresses and times in one notation. Renaming a field of it changes every
// digest, and then hosts of two versions do not share a view; so what is new is left out where it is not used.
type meaning struct {
	Version     int
	Cluster     string
	Hosts       []Host
	Heartbeat   Heartbeat
	Networks    []Network
	NoMulticast bool
	KeyAge      time.Duration `json:",omitempty"` // nothing for the default, as in versions before this setting
	VIPs        []VIP
	Rules       []Rule
	Checks      []Check
	Witnesses   *Witnesses `json:",omitempty"`
	BGP         *BGP       `json:",omitempty"`
	TunnelPort  uint16     `json:",omitempty"` // nothing where no VIP has a tunnel
}

func (c *Config) digest() Digest {
	age := c.KeyAge
	if age == defaultKeyAge {
		age = 0
	}
	m := meaning{1, c.Cluster, c.Hosts, c.Heartbeat, c.Networks, c.NoMulticast, age, c.VIPs, c.Rules, c.Checks, nil, nil, c.TunnelPort}
	if c.Witnesses.Any() {
		m.Witnesses = &c.Witnesses
	}
	if c.BGP.AS > 0 {
		m.BGP = &c.BGP
	}
	b, err := json.Marshal(m)
	if err != nil {
		panic(err) // plain data without floats, channels or functions: cannot happen
	}
	return sha256.Sum256(b)
}

// Host gives the index of a host, which is its number everywhere in the cluster.
func (c *Config) Host(name string) (int, bool) {
	for i, h := range c.Hosts {
		if h.Name == name {
			return i, true
		}
	}
	return 0, false
}

// RuleKey identifies the i-th rule across configurations: two rules with the same key spread the same clients over the same buckets, so
// connections of one may live on under the other. It reads like "10.77.0.100 tcp 80,443 affinity none". The rule for the rest is another
// one whenever what it is the rest of changes.
func (c *Config) RuleKey(i int) string {
	r := c.Rules[i]
	key := fmt.Sprintf("%v %s affinity %v", c.VIPs[r.VIP].Address.Addr(), r.Name(), r.Affinity)
	if r.Affinity == AffinityNetwork {
		key += fmt.Sprintf(" /%d /%d", r.Net4, r.Net6)
	}
	for _, other := range c.VIPs[r.VIP].Rules {
		if r.Rest() && other != i {
			key += " without " + c.Rules[other].Name()
		}
	}
	return key
}

// Name is a rule's protocol and ports as people know them: "tcp 80,443", or "both rest".
func (r *Rule) Name() string { return r.Protocol.String() + " " + r.PortNames() }

// PortNames writes a rule's ports as the file has them; "rest" for those that no other rule has.
func (r *Rule) PortNames() string {
	if r.Rest() {
		return "rest"
	}
	ports := make([]string, len(r.Ports))
	for i, p := range r.Ports {
		ports[i] = p.String()
	}
	return strings.Join(ports, ",")
}
