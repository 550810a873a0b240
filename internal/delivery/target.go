package delivery

import (
	"net"
	"net/netip"
)

// Target is where clients send frames for an address in a mode.
type Target struct {
	Mode  Mode
	MAC   net.HardwareAddr // that all hosts take in; nil: the director's own
	Group netip.Addr       // that all hosts join, so that switches know where they are; invalid: none
}

// Of gives the target of an address in a mode.
func Of(m Mode, a netip.Addr) Target {
	t := Target{Mode: m}
	a = a.Unmap().WithZone("")
	if !a.IsValid() || a.IsUnspecified() || a.IsMulticast() {
		return t
	}
	all := a.AsSlice()
	last := all[len(all)-4:]
	switch {
	case m == Unicast:
		t.MAC = mac(0x02, 0xbf, last)
	case m == Multicast:
		t.MAC = mac(0x03, 0xbf, last)
	case m == IGMP && a.Is4():
		t.Group = netip.AddrFrom4([4]byte{239, 255, last[2], last[3]})
		t.MAC = net.HardwareAddr{0x01, 0x00, 0x5e, 0x7f, last[2], last[3]} // RFC 1112, 6.4
	case m == IGMP:
		t.Group = group6(last)
		t.MAC = mac(0x33, 0x33, last) // RFC 2464, 7
	}
	return t
}

// All gives the targets of an address in all modes, in their order.
func All(a netip.Addr) []Target {
	var all []Target
	for _, m := range Modes() {
		all = append(all, Of(m, a))
	}
	return all
}

// group6 is a group of an address's last four bytes: not assigned by anybody for good (the 1 of ff1x), of site-local scope, as 239.255.0.0/16
// is (RFC 2365), and, by 00bf, none of those among which hosts choose one for heartbeats.
func group6(last []byte) netip.Addr {
	g := [16]byte{0: 0xff, 1: 0x15, 11: 0xbf}
	copy(g[12:], last)
	return netip.AddrFrom16(g)
}

func mac(first, second byte, last []byte) net.HardwareAddr {
	return append(net.HardwareAddr{first, second}, last...)
}
