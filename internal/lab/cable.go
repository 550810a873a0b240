package lab

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// Cable joins two hosts without a switch: the interface eth1, or with another number, of each is one end. Their addresses are
// those that a network of that number would have. It ends with the lab, or with the power of one of the two.
func (l *Lab) Cable(first, second string, number int) error {
	if number < 1 || number <= l.networks || number > maxNetworks {
		return fmt.Errorf("cable as network %d: the lab has %d with switches, and %d at most", number, l.networks, maxNetworks)
	}
	a, b := l.Host(first), l.Host(second)
	if a == nil || b == nil || first == second {
		return fmt.Errorf("cable from %q to %q: want two hosts of the lab", first, second)
	}
	far, err := netns.GetFromName(b.Namespace())
	if err != nil {
		return fmt.Errorf("find namespace %s: %w", b.Namespace(), err)
	}
	defer far.Close()
	nodes := [2]node{{Name: first, Address: a.Address()}, {Name: second, Address: b.Address()}}
	err = a.Do(func() error { return addCable(nodes, number, far) })
	return errors.Join(err, a.Do(func() error { return configureCard(nodes[0], number) }), b.Do(func() error { return configureCard(nodes[1], number) }))
}

// addCable makes both ends; it runs on the first host.
func addCable(nodes [2]node, number int, far netns.NsHandle) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.HardwareAddr = cardOf(number), mac(addressOn(nodes[0].Address, number))
	cable := netlink.NewVeth(attrs)
	cable.PeerName, cable.PeerHardwareAddr, cable.PeerNamespace = cardOf(number), mac(addressOn(nodes[1].Address, number)), netlink.NsFd(far)
	if err := netlink.LinkAdd(cable); err != nil {
		return fmt.Errorf("add cable from %s to %s: %w", nodes[0].Name, nodes[1].Name, err)
	}
	return nil
}
