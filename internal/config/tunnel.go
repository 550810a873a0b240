package config

import (
	"fmt"

	"github.com/muster-ha/muster/internal/delivery"
)

// Tunnel is what carries a VIP's packets between hosts that are no neighbours.
type Tunnel uint8

// The tunnels.
const (
	NoTunnel Tunnel = iota // every host is on the VIP's subnet
	VXLAN                  // RFC 7348
)

// defaultTunnelPort is that of VXLAN (RFC 7348, section 8), which network cards know.
const defaultTunnelPort = 4789

// String is the word of the file.
func (t Tunnel) String() string {
	if t == VXLAN {
		return "vxlan"
	}
	return "none"
}

func tunnelOf(word string) Tunnel {
	if word == "vxlan" {
		return VXLAN
	}
	return NoTunnel
}

// Near reports whether a host is on the network of a VIP's clients: it may answer for the address, and other such hosts reach it at layer 2. All
// hosts know this of each other from the file alone, so they agree on who may direct before any of them has been heard.
func (c *Config) Near(vip, host int) bool {
	v := c.VIPs[vip]
	return v.Tunnel == NoTunnel || v.Address.Contains(c.Hosts[host].Address)
}

// Tunnelled reports whether any VIP has a tunnel.
func (c *Config) Tunnelled() bool {
	for _, v := range c.VIPs {
		if v.Tunnel != NoTunnel {
			return true
		}
	}
	return false
}

// tunnels finds VIPs that no host could answer for: a witness does not.
func (v *validator) tunnels() {
	for _, name := range sorted(v.f.VIPs) {
		path, vip := "/vips/"+name, v.f.VIPs[name]
		if vip.Tunnel != "vxlan" || !vip.Address.IsValid() || len(v.f.Hosts) == 0 {
			continue
		}
		switch vip.Delivery {
		case delivery.Directed.String():
		case delivery.Routed.String():
			continue // the routers know the hosts
		default:
			v.wrong(path+"/tunnel", flaw{fmt.Sprintf("delivery `%s` gives each packet to the hosts on the network and to no other", vip.Delivery), "write `delivery: directed` for a tunnel, or remove `tunnel`"})
			continue
		}
		in := 0
		for _, h := range v.f.Hosts {
			if h.Role != roleWitness && h.Address.IsValid() && vip.Address.Contains(h.Address) {
				in++
			}
		}
		if in == 0 {
			v.wrong(path+"/address", flaw{fmt.Sprintf("no host has its address in %v, so with a tunnel none can answer for %s", vip.Address.Masked(), quote(vip.Address.Addr().String())),
				"correct the address or its prefix length, or write into `hosts` the addresses that hosts have there"})
		}
	}
}
