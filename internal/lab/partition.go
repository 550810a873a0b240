package lab

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
)

// Partition divides the network: each group of nodes gets a bridge of its own. Nodes in no group, clients too, stay
// with the first group. The links stay up: nobody is told.
func (l *Lab) Partition(groups ...[]string) error {
	if err := l.checkGroups(groups); err != nil {
		return err
	}
	return l.sw.do(func() error {
		if err := mergeBridges(); err != nil {
			return err
		}
		for i, group := range groups {
			if i == 0 {
				continue
			}
			bridge := fmt.Sprintf("br%d", i)
			if err := addBridge(bridge); err != nil {
				return err
			}
			if err := movePorts(bridge, group); err != nil {
				return err
			}
		}
		return nil
	})
}

// Heal makes one network again, after Partition or Divide.
func (l *Lab) Heal() error {
	if err := l.sw.do(mergeBridges); err != nil {
		return err
	}
	return l.mend()
}

func (l *Lab) checkGroups(groups [][]string) error {
	var seen []string
	for _, name := range slices.Concat(groups...) {
		if l.Node(name) == nil {
			return fmt.Errorf("divide network: no node %q", name)
		}
		if slices.Contains(seen, name) {
			return fmt.Errorf("divide network: %s is in two groups", name)
		}
		seen = append(seen, name)
	}
	return nil
}

// mergeBridges moves every port of the first network to the main bridge and removes the other bridges of it.
func mergeBridges() error {
	links, err := netlink.LinkList()
	if err != nil {
		return fmt.Errorf("list ports: %w", err)
	}
	var ports []string
	var others []netlink.Link
	for _, link := range links {
		switch {
		case ofOtherNetwork(link.Attrs().Name):
		case link.Type() == "veth":
			ports = append(ports, link.Attrs().Name)
		case link.Type() == "bridge":
			if link.Attrs().Name != mainBridge {
				others = append(others, link)
			}
		}
	}
	err = movePorts(mainBridge, ports)
	for _, bridge := range others {
		err = errors.Join(err, netlink.LinkDel(bridge))
	}
	return err
}

func movePorts(bridge string, ports []string) error {
	to, err := netlink.LinkByName(bridge)
	if err != nil {
		return fmt.Errorf("find bridge %s: %w", bridge, err)
	}
	for _, name := range ports {
		port, err := netlink.LinkByName(name)
		if err != nil {
			return fmt.Errorf("find port %s: %w", name, err)
		}
		if port.Attrs().MasterIndex == to.Attrs().Index {
			continue // leaving and entering a bridge makes it forget what it learnt
		}
		if err := netlink.LinkSetMasterByIndex(port, to.Attrs().Index); err != nil {
			return fmt.Errorf("move port %s to %s: %w", name, bridge, err)
		}
	}
	return nil
}

// ParseGroups reads groups of nodes as a person writes them: a,b/c.
func ParseGroups(text string) [][]string {
	var groups [][]string
	for part := range strings.SplitSeq(text, "/") {
		groups = append(groups, strings.Split(part, ","))
	}
	return groups
}
