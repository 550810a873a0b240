package config

import (
	"fmt"
	"net/netip"
)

// hostAddressFlaw says why no host can have an address.
func hostAddressFlaw(a netip.Addr) *flaw {
	return linkLocalFlaw(a, "use a global or unique local address; networks besides the first can do with link-local ones")
}

// addressFlaw says why an address can be no VIP.
func addressFlaw(a netip.Addr) *flaw {
	return linkLocalFlaw(a, "use a global or unique local address, for example of fd00::/8")
}

// linkLocalFlaw says why an address is none that a file can name, with the remedy for link-local ones.
func linkLocalFlaw(a netip.Addr, remedy string) *flaw {
	switch {
	case a.Is4In6():
		return &flaw{quote(a.String()) + " is an IPv4 address in disguise", "write `" + a.Unmap().String() + "`"}
	case a.Is6() && a.IsLinkLocalUnicast():
		return &flaw{quote(a.String()) + " is a link-local address, which means nothing on another interface", remedy}
	}
	return unreachableFlaw(a)
}

// unreachableFlaw says why other hosts cannot reach an address.
func unreachableFlaw(a netip.Addr) *flaw {
	if a.IsUnspecified() || a.IsLoopback() || a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return &flaw{quote(a.String()) + " cannot be reached from another host", "use an address of the network that the hosts share"}
	}
	return nil
}

// oneFamily finds hosts that cannot send each other anything, since one has an IPv4 address and the other an IPv6 one.
func (v *validator) oneFamily() {
	first := ""
	for _, name := range v.inOrder("/hosts/", sorted(v.f.Hosts)) {
		a := v.f.Hosts[name].Address
		switch {
		case !a.IsValid():
		case first == "":
			first = name
		case a.Is4() != v.f.Hosts[first].Address.Is4():
			v.wrong("/hosts/"+name+"/address", flaw{
				fmt.Sprintf("host %s (%v) and host %s (%v) have addresses of two families", quote(name), a, quote(first), v.f.Hosts[first].Address),
				"give all hosts IPv4 addresses, or all IPv6 addresses"})
			return
		}
	}
}
