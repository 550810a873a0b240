package lab

import (
	"errors"
	"fmt"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Learned gives the MACs that the switch of the first network has learnt at a node's port, its own left out.
func (l *Lab) Learned(node string) (macs []string, err error) {
	err = l.sw.do(func() error {
		port, err := netlink.LinkByName(node)
		if err != nil {
			return fmt.Errorf("find port %s: %w", node, err)
		}
		list, err := forwarding()
		if err != nil {
			return fmt.Errorf("list what the switch has learnt: %w", err)
		}
		for _, n := range list {
			if n.LinkIndex == port.Attrs().Index && n.State&netlink.NUD_PERMANENT == 0 {
				macs = append(macs, n.HardwareAddr.String())
			}
		}
		return nil
	})
	slices.Sort(macs)
	return slices.Compact(macs), err
}

// forwarding lists the forwarding tables of all bridges. One that changes while it is read is read again.
func forwarding() ([]netlink.Neigh, error) {
	const attempts = 3
	var err error
	for range attempts {
		var list []netlink.Neigh
		list, err = netlink.NeighList(0, unix.AF_BRIDGE)
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			return list, err
		}
	}
	return nil, err
}
