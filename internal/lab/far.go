package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
)

// place says where a node is plugged in.
type place string

const (
	near   place = ""       // the main network, with the clients
	far    place = "far"    // the network behind the router
	router place = "router" // both
)

const (
	routedBridge = "far"
	farNumber    = maxNetworks + 3 // 10.88.0.0/24: no other network has it
	routerByte   = 254
	routerName   = "router"
)

// farAway moves the last hosts behind a router, which becomes a node too.
func farAway(nodes []node, o Options) ([]node, error) {
	if o.Far == 0 {
		return nodes, nil
	}
	if o.Far < 0 || o.Far >= o.Hosts {
		return nil, fmt.Errorf("%d of %d hosts behind the router: at least one host stays before it", o.Far, o.Hosts)
	}
	if o.Networks > 0 {
		return nil, errors.New("hosts behind a router and further networks: a lab has one or the other")
	}
	for i := range nodes[o.Hosts-o.Far : o.Hosts] {
		n := &nodes[o.Hosts-o.Far+i]
		n.Place, n.Address = far, addressOn(n.Address, farNumber)
	}
	return append(nodes, node{Name: routerName, Address: address(routerByte), Client: true, Place: router}), nil
}

// routed reports whether the lab has a router.
func (l *Lab) routed() bool { return len(l.nodes) > 0 && l.nodes[len(l.nodes)-1].Place == router }

// bridge is what one of the node's cards is plugged into.
func (n node) bridge(network int) string {
	if n.Place == far || n.Place == router && network > 0 {
		return routedBridge
	}
	return bridgeOf(network)
}

// addressOn is the address of one of the node's cards.
func (n node) addressOn(network int) netip.Addr {
	if n.Place == router && network > 0 {
		return addressOn(n.Address, farNumber)
	}
	return addressOn(n.Address, network)
}

// Router is the node between the main network (eth0, 10.77.0.254) and that of the far hosts (eth1, 10.88.0.254); nil when the lab has no
// far hosts. It forwards what it gets and asks nothing about senders, as routers inside a site do.
func (l *Lab) Router() *Node { return l.Node(routerName) }

// farNetwork is that of the hosts behind the router.
func farNetwork() netip.Prefix {
	return netip.PrefixFrom(addressOn(address(0), farNumber), prefixLength)
}

// configureRoutes makes the router route, and tells the others that it does.
func configureRoutes(n node) error {
	there := addressOn(address(routerByte), farNumber)
	switch n.Place {
	case router:
		return setUpRouter(there)
	case far:
		return errors.Join(addRoute(netip.PrefixFrom(netip.IPv4Unspecified(), 0), there),
			addRoute(netip.PrefixFrom(netip.IPv6Unspecified(), 0), address6(there)))
	}
	network := farNetwork()
	return errors.Join(addRoute(network, address(routerByte)),
		addRoute(netip.PrefixFrom(address6(network.Addr()), prefixLength6), address6(address(routerByte))))
}

// setUpRouter makes the node forward, whoever sends.
func setUpRouter(there netip.Addr) error {
	for _, s := range []struct{ name, value string }{{"ipv4/ip_forward", "1"}, {"ipv4/conf/all/rp_filter", "0"}, {"ipv4/conf/eth0/rp_filter", "0"},
		{"ipv4/conf/eth1/rp_filter", "0"}, {"ipv6/conf/all/forwarding", "1"}} {
		if err := os.WriteFile("/proc/sys/net/"+s.name, []byte(s.value), 0o644); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("set up router: %w", err)
		}
	}
	card, err := netlink.LinkByName(cardOf(1))
	if err != nil {
		return fmt.Errorf("find %s: %w", cardOf(1), err)
	}
	if err := addAddress6(card, there); err != nil {
		return fmt.Errorf("add IPv6 address of router: %w", err)
	}
	return nil
}

// addRoute adds or replaces a route. A kernel without IPv6 has a lab without it.
func addRoute(to netip.Prefix, via netip.Addr) error {
	eth, err := netlink.LinkByName(cardOf(0))
	if err != nil {
		return fmt.Errorf("find %s: %w", cardOf(0), err)
	}
	if _, err := os.Stat("/proc/sys/net/ipv6"); err != nil && via.Is6() {
		return nil
	}
	r := &netlink.Route{LinkIndex: eth.Attrs().Index, Dst: ipNet(to).IPNet, Gw: net.IP(via.AsSlice())}
	if err := netlink.RouteReplace(r); err != nil {
		return fmt.Errorf("add route to %v: %w", to, err)
	}
	return nil
}

// Narrow makes the router's links to the far hosts take packets of so many bytes only, while every host and client still thinks that the way is
// as wide as its own link. The router says so to whoever forbids it to cut a packet.
func (l *Lab) Narrow(mtu int) error {
	if !l.routed() {
		return errors.New("narrow the way to the far hosts: the lab has none")
	}
	return l.Router().Do(func() error {
		for network := range 2 {
			card, err := netlink.LinkByName(cardOf(network))
			if err != nil {
				return fmt.Errorf("find %s of router: %w", cardOf(network), err)
			}
			p := netip.PrefixFrom(addressOn(address(0), network*farNumber), prefixLength)
			r := &netlink.Route{LinkIndex: card.Attrs().Index, Dst: ipNet(p).IPNet, Scope: netlink.SCOPE_LINK, Protocol: 2, // the kernel's own route
				Src: net.IP(addressOn(address(routerByte), network*farNumber).AsSlice()), MTU: mtu, MTULock: true}
			if err := netlink.RouteReplace(r); err != nil {
				return fmt.Errorf("narrow the way to %v: %w", p, err)
			}
		}
		return nil
	})
}
