package lab

import (
	"errors"
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// trunk joins the main bridge and another one: its two ends.
const (
	trunkHere  = "trunk-0"
	trunkThere = "trunk-1"
	// farBridge is the switch of another hypervisor. Its name keeps it apart from the bridges of a partition.
	farBridge = "net-far"
)

// Migrate moves the ports of nodes to another switch that is joined to the first one by a trunk, as live migration to another hypervisor
// does, or, with far unset, back. The machines notice nothing: their interfaces, links and MACs are what they were. The switches
// have learnt other ports for those MACs and are not told.
func (l *Lab) Migrate(far bool, nodes ...string) error {
	for _, name := range nodes {
		if l.Node(name) == nil {
			return fmt.Errorf("migrate: no node %q", name)
		}
	}
	return l.sw.do(func() error {
		if err := addFarBridge(); err != nil {
			return err
		}
		to := mainBridge
		if far {
			to = farBridge
		}
		for _, name := range nodes {
			if err := replug(to, name); err != nil {
				return err
			}
		}
		return nil
	})
}

// replug takes a port off its bridge and plugs it into another, or the same: it gets a new number there.
func replug(bridge, port string) error {
	link, err := netlink.LinkByName(port)
	if err != nil {
		return fmt.Errorf("find port %s: %w", port, err)
	}
	if err := netlink.LinkSetNoMaster(link); err != nil {
		return fmt.Errorf("unplug port %s: %w", port, err)
	}
	return movePorts(bridge, []string{port})
}

// addFarBridge makes the second switch and the trunk to it unless they are there.
func addFarBridge() error {
	_, err := netlink.LinkByName(farBridge)
	if err == nil || !errors.As(err, new(netlink.LinkNotFoundError)) {
		return err
	}
	if err := addBridge(farBridge); err != nil {
		return err
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = trunkHere
	cable := netlink.NewVeth(attrs)
	cable.PeerName = trunkThere
	if err := netlink.LinkAdd(cable); err != nil {
		return fmt.Errorf("add trunk: %w", err)
	}
	for end, bridge := range map[string]string{trunkHere: mainBridge, trunkThere: farBridge} {
		link, err := netlink.LinkByName(end)
		if err != nil {
			return fmt.Errorf("find trunk: %w", err)
		}
		if err := errors.Join(netlink.LinkSetUp(link), movePorts(bridge, []string{end})); err != nil {
			return err
		}
	}
	return nil
}

// RemoveCard takes the host's first network interface away, as a hypervisor does that unplugs a card.
func (h *Host) RemoveCard() error { return h.lab.removePort(portOf(h.name, 0)) }

// AddCard puts in another first interface, with the name, the address and the network of the one before, and a MAC of its own unless
// hw is nil. It has another number. The agent is not told.
func (h *Host) AddCard(hw net.HardwareAddr) error {
	s, err := readState(h.lab.name)
	if err != nil {
		return err
	}
	n := *s.node(h.name)
	handle, err := netns.GetFromName(h.Namespace())
	if err != nil {
		return fmt.Errorf("find namespace %s: %w", h.Namespace(), err)
	}
	defer handle.Close()
	if err := h.lab.sw.do(func() error { return addPort(n, 0, handle) }); err != nil {
		return err
	}
	return h.Do(func() error {
		if hw != nil {
			if err := SetMAC(cardOf(0), hw); err != nil {
				return err
			}
		}
		return configureCard(n, 0)
	})
}

// SetMAC gives an interface of the calling thread's namespace another MAC.
func SetMAC(name string, hw net.HardwareAddr) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find %s: %w", name, err)
	}
	if err := netlink.LinkSetHardwareAddr(link, hw); err != nil {
		return fmt.Errorf("set MAC of %s: %w", name, err)
	}
	return nil
}
