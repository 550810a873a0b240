package vip

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Whereabouts says in words where a MAC is, as far as this host can tell: on which interface, at which port if that is a bridge, and by which
// other address it is known. ours are addresses that do not count.
func Whereabouts(index int, mac net.HardwareAddr, ours func(netip.Addr) bool) string {
	link, err := netlink.LinkByIndex(index)
	if err != nil {
		return "on an interface that is gone"
	}
	where := "on " + link.Attrs().Name
	if link.Type() == "bridge" {
		if port := portOf(index, mac); port != "" {
			where += ", at its port " + port
		}
	}
	if also := otherAddress(index, mac, ours); also != "" {
		where += ", known there as " + also
	}
	return where
}

// portOf finds the port of a bridge behind which it has learnt a MAC; empty: not known.
func portOf(bridge int, mac net.HardwareAddr) string {
	entries, err := dump(func() ([]netlink.Neigh, error) { return netlink.NeighList(0, unix.AF_BRIDGE) })
	if err != nil {
		return ""
	}
	for _, e := range entries {
		if e.MasterIndex != bridge || !bytes.Equal(e.HardwareAddr, mac) {
			continue
		}
		if port, err := netlink.LinkByIndex(e.LinkIndex); err == nil {
			return port.Attrs().Name
		}
	}
	return ""
}

// otherAddress finds an address that the kernel has met at a MAC.
func otherAddress(index int, mac net.HardwareAddr, ours func(netip.Addr) bool) string {
	var found []string
	for _, n := range neighbours(index) {
		if a, ok := netip.AddrFromSlice(n.IP); ok && bytes.Equal(n.HardwareAddr, mac) && !ours(a.Unmap()) && !a.IsLinkLocalUnicast() {
			found = append(found, a.Unmap().String())
		}
	}
	if len(found) > maxNamed {
		found = append(found[:maxNamed], fmt.Sprintf("and %d more", len(found)-maxNamed))
	}
	return strings.Join(found, ", ")
}

// Neighbours gives the MACs at which the kernel has met the addresses that are wanted, and those of all interfaces of this host.
func Neighbours(wanted func(netip.Addr) bool) (macs []net.HardwareAddr) {
	links, err := list()
	if err != nil {
		return nil
	}
	for _, l := range links {
		if len(l.MAC) == 6 && !l.loopback {
			macs = append(macs, l.MAC)
		}
	}
	for _, n := range neighbours(0) {
		if a, ok := netip.AddrFromSlice(n.IP); ok && len(n.HardwareAddr) == 6 && wanted(a.Unmap()) {
			macs = append(macs, n.HardwareAddr)
		}
	}
	return macs
}

// neighbours are those of an interface, or of all.
func neighbours(index int) (all []netlink.Neigh) {
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		found, err := dump(func() ([]netlink.Neigh, error) { return netlink.NeighList(index, family) })
		if err == nil {
			all = append(all, found...)
		}
	}
	return all
}
