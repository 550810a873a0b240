package vip

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// probes bounds the addresses of a network that are looked up until one is not this host's own.
const probes = 8

// Exit is a route by which answers of VIPs leave. Muster made none of them: it can only say that one is gone.
type Exit struct {
	To      netip.Prefix // a network that the interface has an address of, or everything: the default route
	Link    string       // the interface of VIPs whose answers these are
	There   bool
	Due     bool   // it comes with an address, by the kernel: without it something is wrong, though nobody has seen it here
	Command string // that makes it; empty for a default route that is not there
}

// IsDefault says whether it leads to the clients of other networks.
func (e Exit) IsDefault() bool { return e.To.Bits() == 0 }

// Loss says what is wrong without it, and what to do.
func (e Exit) Loss() (what, remedy string) {
	if e.IsDefault() {
		return fmt.Sprintf("the default route for what VIPs on %s answer is gone: clients of other networks may get no answer", e.Link),
			fmt.Sprintf("run `%s`, unless it was meant to go: then it is forgotten when the agent starts anew", e.Command)
	}
	return fmt.Sprintf("there is no route to %s, which %s has an address of: clients there get no answer, or one by a detour", e.To, e.Link),
		fmt.Sprintf("run `%s`; Muster does not, since it has not made that route: find out who takes it away", e.Command)
}

// Exits looks up the routes by which the VIPs of one family on an interface answer: to each network that it has an address of, and to
// everything else. One that the kernel does not tell is left out, and so are all while the interface has no link: it takes them along.
func Exits(on Interface, six bool) ([]Exit, error) {
	if !on.Up || !on.Carrier {
		return nil, nil
	}
	own, err := ownNetworks(on, six)
	if err != nil || len(own) == 0 {
		return nil, err
	}
	var list []Exit
	for _, a := range own {
		e := Exit{To: a.prefix.Masked(), Link: on.Name, Due: a.routed, Command: connected(a.prefix, on.Name)}
		if slices.ContainsFunc(list, func(other Exit) bool { return other.To == e.To }) {
			continue
		}
		var known bool
		if e.There, known = leads(on, a.prefix); known {
			list = append(list, e)
		}
	}
	if e, known := elsewhere(on, own[0].prefix.Addr()); known {
		list = append(list, e)
	}
	return list, nil
}

// elsewhere is the default route of what leaves with a source.
func elsewhere(on Interface, source netip.Addr) (e Exit, known bool) {
	to := netip.MustParseAddr("192.0.2.1") // for documentation (RFC 5737 and 3849): no route but the default one leads there
	if source.Is6() {
		to = netip.MustParseAddr("2001:db8::1")
	}
	route, found, known := lookUp(to, &netlink.RouteGetOptions{SrcAddr: source.AsSlice(), FIBMatch: true})
	if !known || found && bitsOf(route) > 0 {
		return e, false
	}
	e = Exit{To: netip.PrefixFrom(source, 0).Masked(), Link: on.Name, There: found}
	if found {
		e.Command = byDefault(route, source.Is6())
	}
	return e, true
}

// ownAddress is an address of an interface; routed: the kernel makes the route to its network.
type ownAddress struct {
	prefix netip.Prefix
	routed bool
}

// ownNetworks are the addresses of an interface that stand for a network. What a router's advertisement brings may come without a route.
func ownNetworks(on Interface, six bool) (list []ownAddress, err error) {
	family := netlink.FAMILY_V4
	if six {
		family = netlink.FAMILY_V6
	}
	link := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: on.Index, Name: on.Name}}
	all, err := dump(func() ([]netlink.Addr, error) { return netlink.AddrList(link, family) })
	if err != nil {
		return nil, fmt.Errorf("list addresses of %s: %w", on.Name, err)
	}
	for _, each := range all {
		a, ok := netip.AddrFromSlice(each.IP)
		bits, _ := each.Mask.Size()
		if a = a.Unmap(); !ok || bits == a.BitLen() || a.IsLinkLocalUnicast() || each.Peer != nil && !each.Peer.IP.Equal(each.IP) {
			continue
		}
		list = append(list, ownAddress{netip.PrefixFrom(a, bits), each.Flags&unix.IFA_F_NOPREFIXROUTE == 0 && (!six || each.Flags&unix.IFA_F_PERMANENT != 0)})
	}
	return list, nil
}

// leads says whether a route leads to the network of an address by its interface, and not only one that leads to more.
func leads(on Interface, own netip.Prefix) (there, known bool) {
	at := own.Masked().Addr()
	for range probes {
		if at = at.Next(); !own.Contains(at) {
			break
		}
		route, found, known := lookUp(at, &netlink.RouteGetOptions{SrcAddr: own.Addr().AsSlice(), OifIndex: on.Index, FIBMatch: true})
		if !known || found && route.Type == unix.RTN_LOCAL {
			continue
		}
		return found && bitsOf(route) >= own.Bits(), true
	}
	return false, false
}

// lookUp asks the kernel for the entry of its tables by which a packet would leave. It costs the same however many routes there are.
func lookUp(to netip.Addr, options *netlink.RouteGetOptions) (route netlink.Route, found, known bool) {
	routes, err := netlink.RouteGetWithOptions(to.AsSlice(), options)
	switch {
	case errors.Is(err, unix.ENETUNREACH) || errors.Is(err, unix.EHOSTUNREACH):
		return route, false, true
	case err != nil || len(routes) == 0 || routes[0].Dst == nil:
		return route, false, false
	}
	return routes[0], true, true
}

func bitsOf(r netlink.Route) int {
	bits, _ := r.Dst.Mask.Size()
	return bits
}

// connected is the command for the route that the kernel makes with an address.
func connected(own netip.Prefix, link string) string {
	if own.Addr().Is6() {
		return fmt.Sprintf("ip -6 route add %s dev %s proto kernel metric 256", own.Masked(), link)
	}
	return fmt.Sprintf("ip route add %s dev %s proto kernel scope link src %s", own.Masked(), link, own.Addr())
}

// byDefault is the command for a default route that is there.
func byDefault(r netlink.Route, six bool) string {
	words := []string{"ip route add default"}
	if six {
		words = []string{"ip -6 route add default"}
	}
	if r.Priority > 0 {
		words = append(words, fmt.Sprintf("metric %d", r.Priority))
	}
	hops := r.MultiPath
	if len(hops) == 0 {
		hops = []*netlink.NexthopInfo{{LinkIndex: r.LinkIndex, Gw: r.Gw}}
	}
	for _, hop := range hops {
		if len(hops) > 1 {
			words = append(words, "nexthop")
		}
		if hop.Gw != nil {
			words = append(words, "via "+hop.Gw.String())
		}
		if link, err := netlink.LinkByIndex(hop.LinkIndex); err == nil {
			words = append(words, "dev "+link.Attrs().Name)
		}
	}
	return strings.Join(words, " ")
}
