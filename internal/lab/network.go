package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

const (
	mainBridge   = "br0"
	otherBridges = "net" // and the number of the network
	switchSuffix = "-sw"
)

func (l *Lab) switchName() string           { return l.name + switchSuffix }
func (l *Lab) spaceName(node string) string { return l.name + "-" + node }

// The parts of a network: its bridge, a node's port of that, and the node's interface.
func bridgeOf(network int) string {
	if network == 0 {
		return mainBridge
	}
	return otherBridges + strconv.Itoa(network)
}

func portOf(node string, network int) string {
	if network == 0 {
		return node
	}
	return node + "-" + strconv.Itoa(network)
}

func cardOf(network int) string { return "eth" + strconv.Itoa(network) }

// ofOtherNetwork says whether a bridge or port is of another network than the first.
func ofOtherNetwork(name string) bool {
	return strings.HasPrefix(name, otherBridges) || strings.Contains(name, "-")
}

// addressOn is a node's address on a network: 10.77.0.1 on the first is 10.78.0.1 on the next.
func addressOn(a netip.Addr, network int) netip.Addr {
	b := a.As4()
	b[1] += byte(network)
	return netip.AddrFrom4(b)
}

// buildSwitch makes the bridges in their own namespace.
func (l *Lab) buildSwitch() error {
	if err := l.sw.create(); err != nil {
		return err
	}
	return l.sw.do(func() error {
		// The switch itself says nothing: no router solicitations from the bridge or its ports.
		tune("ipv6/conf/all/disable_ipv6", "1")
		tune("ipv6/conf/default/disable_ipv6", "1")
		// Nor is it a firewall: where the kernel hands bridged frames to iptables, each would cost what no switch takes.
		for _, table := range []string{"iptables", "ip6tables", "arptables"} {
			tune("bridge/bridge-nf-call-"+table, "0")
		}
		for network := range l.networks + 1 {
			if err := addBridge(bridgeOf(network)); err != nil {
				return err
			}
		}
		if l.routed() {
			return addBridge(routedBridge)
		}
		return nil
	})
}

// tune sets a parameter of the network. A kernel that does not have it does not do what it is about either.
func tune(name, value string) { _ = os.WriteFile("/proc/sys/net/"+name, []byte(value), 0o644) }

// addBridge makes a bridge without spanning tree, so that a port forwards from the moment that it is up, and without
// multicast snooping, which would lose group traffic while nobody asks for memberships.
func addBridge(name string) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	snooping := false
	bridge := &netlink.Bridge{LinkAttrs: attrs, MulticastSnooping: &snooping}
	if err := netlink.LinkAdd(bridge); err != nil {
		return fmt.Errorf("add bridge %s: %w", name, err)
	}
	if err := netlink.LinkSetUp(bridge); err != nil {
		return fmt.Errorf("set bridge %s up: %w", name, err)
	}
	return nil
}

// buildNode makes the namespace of a host or client and plugs it into the main bridge.
func (l *Lab) buildNode(n node) error {
	sp := l.spaces[n.Name]
	if err := sp.create(); err != nil {
		return err
	}
	handle, err := netns.GetFromName(sp.name)
	if err != nil {
		return fmt.Errorf("find namespace %s: %w", sp.name, err)
	}
	defer handle.Close()
	for network := range l.networksOf(n) {
		if err := l.sw.do(func() error { return addPort(n, network, handle) }); err != nil {
			return err
		}
	}
	return sp.do(func() error {
		for network := range l.networksOf(n) {
			if err := configureCard(n, network); err != nil {
				return err
			}
		}
		if l.routed() {
			if err := configureRoutes(n); err != nil {
				return err
			}
		}
		return configureNode(n)
	})
}

// networksOf is how many networks a node is plugged into: clients only into the first.
func (l *Lab) networksOf(n node) int {
	switch {
	case n.Place == router:
		return 2
	case n.Client || n.Place == far:
		return 1
	}
	return l.networks + 1
}

// addPort makes the cable: one end is the bridge's port, named after the node, the other the node's interface.
func addPort(n node, network int, peer netns.NsHandle) error {
	bridge, err := netlink.LinkByName(n.bridge(network))
	if err != nil {
		return fmt.Errorf("find bridge: %w", err)
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MasterIndex = portOf(n.Name, network), bridge.Attrs().Index
	cable := netlink.NewVeth(attrs)
	cable.PeerName, cable.PeerHardwareAddr, cable.PeerNamespace = cardOf(network), mac(n.addressOn(network)), netlink.NsFd(peer)
	if err := netlink.LinkAdd(cable); err != nil {
		return fmt.Errorf("add port %s: %w", attrs.Name, err)
	}
	if err := netlink.LinkSetUp(cable); err != nil {
		return fmt.Errorf("set port %s up: %w", attrs.Name, err)
	}
	return nil
}

// configureCard gives an interface its addresses: that of IPv6 only on the first network, where the clients are.
func configureCard(n node, network int) error {
	name := cardOf(network)
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find %s of %s: %w", name, n.Name, err)
	}
	if err := netlink.AddrAdd(link, ipNet(netip.PrefixFrom(n.addressOn(network), prefixLength))); err != nil {
		return fmt.Errorf("add address of %s: %w", n.Name, err)
	}
	if network == 0 {
		if err := addAddress6(link, n.Address); err != nil {
			return fmt.Errorf("add IPv6 address of %s: %w", n.Name, err)
		}
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("set %s of %s up: %w", name, n.Name, err)
	}
	return nil
}

// addAddress6 gives an interface the IPv6 address beside an IPv4 one, at once: nobody else has it. A kernel without IPv6 has a lab without it.
func addAddress6(link netlink.Link, a netip.Addr) error {
	addr := ipNet(netip.PrefixFrom(address6(a), prefixLength6))
	addr.Flags = unix.IFA_F_NODAD
	err := netlink.AddrAdd(link, addr)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EAFNOSUPPORT) {
		return nil
	}
	return err
}

// configureNode sets what is of the whole machine.
func configureNode(n node) error {
	if !n.Client {
		return nil
	}
	// A load of many short connections leaves many ports in TIME_WAIT; the usual 28,000 would be used up in a minute.
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_local_port_range", []byte("1024 65535"), 0o644); err != nil {
		return fmt.Errorf("widen port range of %s: %w", n.Name, err)
	}
	return nil
}

func ipNet(p netip.Prefix) *netlink.Addr {
	return &netlink.Addr{IPNet: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}}
}

// removePort pulls a cable out for good, the node's interface included.
func (l *Lab) removePort(name string) error {
	return l.sw.do(func() error {
		link, err := netlink.LinkByName(name)
		if errors.As(err, new(netlink.LinkNotFoundError)) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("find port %s: %w", name, err)
		}
		return netlink.LinkDel(link)
	})
}

// setPort switches the port of a node up or down: the node loses its carrier, as with a pulled cable.
func (l *Lab) setPort(name string, up bool) error {
	return l.sw.do(func() error {
		link, err := netlink.LinkByName(name)
		if err != nil {
			return fmt.Errorf("find port %s: %w", name, err)
		}
		if up {
			return netlink.LinkSetUp(link)
		}
		return netlink.LinkSetDown(link)
	})
}

// unmountBelow unmounts everything that is mounted in or below a directory, the newest mounts first.
func unmountBelow(dir string) error {
	points, err := mountsBelow(dir)
	if err != nil {
		return err
	}
	var all error
	for i := len(points) - 1; i >= 0; i-- {
		if err := unix.Unmount(points[i], unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
			all = errors.Join(all, fmt.Errorf("unmount %s: %w", points[i], err))
		}
	}
	return all
}
