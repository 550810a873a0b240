package vip

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Errors of this package.
var (
	ErrNoInterface = errors.New("no interface for the virtual address")
	ErrTaken       = errors.New("the virtual address is already in use")
	ErrNoIPv6      = errors.New("IPv6 is off")
	ErrLoopback    = errors.New("interface lo is down: run `ip link set lo up`")
)

// Interface is the interface on which a VIP's clients are.
type Interface struct {
	Name  string
	Index int
	MAC   net.HardwareAddr
	Up    bool // administratively; the cable may still be out
	// Carrier: the cable is in, as far as the interface can tell.
	Carrier bool
}

// link is an interface as choose sees it.
type link struct {
	Interface
	addresses []netip.Prefix
	loopback  bool
	master    bool // enslaved to a bridge or bond, which has the addresses
}

// maxNamed bounds the addresses that an error names.
const maxNamed = 16

// Find gives the interface with that name, or, if the name is empty, the one with an address in the prefix, which is
// the VIP with its subnet's length.
func Find(prefix netip.Prefix, name string) (Interface, error) {
	links, err := list()
	if err != nil {
		return Interface{}, err
	}
	found, err := choose(links, prefix, name)
	if err == nil && prefix.Addr().Is6() {
		err = speaksIPv6(found.Name)
	}
	return found, err
}

// speaksIPv6 refuses an interface on which the kernel drops every IPv6 packet.
func speaksIPv6(name string) error {
	for _, each := range []string{loopback, name} {
		off, err := os.ReadFile("/proc/sys/net/ipv6/conf/" + each + "/disable_ipv6")
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("%w on %s: this kernel has no IPv6, or the interface an MTU below 1280: use an IPv4 address for the VIP, or raise the MTU", ErrNoIPv6, each)
		case err != nil:
			return fmt.Errorf("look whether %s speaks IPv6: %w", each, err)
		case strings.TrimSpace(string(off)) != "0":
			return fmt.Errorf("%w on %s: run `sysctl -w net.ipv6.conf.%s.disable_ipv6=0`, and set it in /etc/sysctl.d", ErrNoIPv6, each, each)
		}
	}
	return nil
}

// FindAgain is Find for a VIP whose interface was found before: one that the configuration names and that has got another name since is
// still the one that is meant. The zero value of was stands for none.
func FindAgain(prefix netip.Prefix, name string, was Interface) (Interface, error) {
	links, err := list()
	if err != nil {
		return Interface{}, err
	}
	named := slices.ContainsFunc(links, func(l link) bool { return l.Name == name })
	if name != "" && !named && was.Index != 0 {
		for _, l := range links {
			if l.Index == was.Index && !l.master {
				return l.Interface, nil
			}
		}
	}
	return choose(links, prefix, name)
}

func choose(links []link, prefix netip.Prefix, name string) (Interface, error) {
	found := slices.DeleteFunc(slices.Clone(links), func(l link) bool {
		if name != "" {
			return l.Name != name
		}
		return l.loopback || !l.on(prefix)
	})
	switch {
	case len(found) == 0 && name != "":
		return Interface{}, fmt.Errorf("%w %s: this host has no interface %q (it has %s): correct `interface:`", ErrNoInterface, prefix.Addr(), name, names(links))
	case len(found) == 0:
		return Interface{}, fmt.Errorf("%w %s: no interface of this host is on %s (it has %s): give one an address there, or name one with `interface:`",
			ErrNoInterface, prefix.Addr(), prefix.Masked(), addresses(links))
	case len(found) > 1:
		return Interface{}, fmt.Errorf("%w %s: several are on %s (%s): name one with `interface:`", ErrNoInterface, prefix.Addr(), prefix.Masked(), addresses(found))
	case len(found[0].MAC) != 6:
		return Interface{}, fmt.Errorf("%w %s: %s is not an Ethernet interface, and clients find the address by ARP or ND: name another with `interface:`",
			ErrNoInterface, prefix.Addr(), found[0].Name)
	case found[0].master:
		return Interface{}, fmt.Errorf("%w %s: %s is a port of a bridge or bond: name that with `interface:`", ErrNoInterface, prefix.Addr(), found[0].Name)
	}
	return found[0].Interface, nil
}

// on says whether the interface has an address in the VIP's subnet, the VIP itself not counted.
func (l link) on(prefix netip.Prefix) bool {
	return slices.ContainsFunc(l.addresses, func(a netip.Prefix) bool {
		return prefix.Contains(a.Addr()) && a.Addr() != prefix.Addr()
	})
}

// IndexOf gives the index of the interface that has an address; false: none.
func IndexOf(a netip.Addr) (int, bool) {
	links, err := list()
	if err != nil {
		return 0, false
	}
	for _, l := range links {
		if slices.ContainsFunc(l.addresses, func(p netip.Prefix) bool { return p.Addr() == a }) {
			return l.Index, true
		}
	}
	return 0, false
}

// SourceOn gives an address of this host to send from to an address of its own on a network: own if that is on it, else one that the interface has. Where
// there is none, packets are from nobody.
func SourceOn(index int, prefix netip.Prefix, own netip.Addr) netip.Addr {
	if prefix.Contains(own) {
		return own
	}
	links, err := list()
	if err != nil {
		links = nil
	}
	return sourceOn(links, index, prefix)
}

func sourceOn(links []link, index int, prefix netip.Prefix) netip.Addr {
	best := netip.IPv4Unspecified()
	if prefix.Addr().Is6() {
		best = netip.IPv6Unspecified()
	}
	for _, l := range links {
		for _, a := range l.addresses {
			if l.Index != index || a.Addr() == prefix.Addr() || a.Addr().Is6() != prefix.Addr().Is6() {
				continue
			}
			if prefix.Contains(a.Addr()) {
				return a.Addr()
			}
			best = a.Addr()
		}
	}
	return best
}

func list() ([]link, error) {
	found, err := dump(netlink.LinkList)
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	addrs, err := dump(func() ([]netlink.Addr, error) { return netlink.AddrList(nil, netlink.FAMILY_ALL) })
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	links := make([]link, 0, len(found))
	for _, f := range found {
		a := f.Attrs()
		l := link{
			Interface: Interface{Name: a.Name, Index: a.Index, MAC: a.HardwareAddr, Up: a.Flags&net.FlagUp != 0, Carrier: a.RawFlags&unix.IFF_LOWER_UP != 0},
			loopback:  a.Flags&net.FlagLoopback != 0,
			master:    a.MasterIndex != 0 && !isVRF(found, a.MasterIndex),
		}
		for _, addr := range addrs {
			if ip, ok := netip.AddrFromSlice(addr.IP); ok && addr.LinkIndex == a.Index {
				bits, _ := addr.Mask.Size()
				l.addresses = append(l.addresses, netip.PrefixFrom(ip.Unmap(), bits))
			}
		}
		links = append(links, l)
	}
	return links, nil
}

// isVRF: an interface in a VRF has a master and is still one with addresses of its own.
func isVRF(links []netlink.Link, index int) bool {
	return slices.ContainsFunc(links, func(l netlink.Link) bool { return l.Attrs().Index == index && l.Type() == "vrf" })
}

// dump asks again when the kernel's list changed while it was read.
func dump[T any](ask func() ([]T, error)) ([]T, error) {
	all, err := ask()
	for range 2 {
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
		all, err = ask()
	}
	return all, err
}

func addresses(links []link) string {
	var all []string
	for _, l := range links {
		for _, a := range l.addresses {
			if !l.loopback && !a.Addr().IsLinkLocalUnicast() {
				all = append(all, l.Name+" "+a.String())
			}
		}
	}
	return some(all, "no address")
}

func names(links []link) string {
	var all []string
	for _, l := range links {
		if !l.loopback {
			all = append(all, l.Name)
		}
	}
	return some(all, "none but lo")
}

func some(all []string, none string) string {
	if len(all) == 0 {
		return none
	}
	if more := len(all) - maxNamed; more > 0 {
		all = append(slices.Clone(all[:maxNamed]), fmt.Sprintf("and %d more", more))
	}
	return strings.Join(all, ", ")
}

// Toward names the interface by which an address on one of this host's networks is reached.
func Toward(addr netip.Addr) (string, error) {
	routes, err := netlink.RouteGet(addr.AsSlice())
	if err != nil {
		return "", fmt.Errorf("%w %s: %w: give this host an address on its network", ErrNoInterface, addr, err)
	}
	for _, r := range routes {
		if r.Gw != nil {
			return "", fmt.Errorf("%w %s: it is behind the router %s: name the router next to this host", ErrNoInterface, addr, r.Gw)
		}
		link, err := netlink.LinkByIndex(r.LinkIndex)
		if err != nil {
			return "", fmt.Errorf("find interface toward %s: %w", addr, err)
		}
		if link.Attrs().Flags&net.FlagLoopback != 0 {
			return "", fmt.Errorf("%w %s: it is this host's own address", ErrNoInterface, addr)
		}
		return link.Attrs().Name, nil
	}
	return "", fmt.Errorf("%w %s: no route to it", ErrNoInterface, addr)
}
