package vip

import (
	"fmt"
	"net/netip"

	"github.com/muster-ha/muster/internal/delivery"
	"github.com/muster-ha/muster/internal/system"
)

// Receive makes the host take in what clients send to a VIP in a mode: frames to the cluster's MAC, or to the group whose membership brings
// that MAC along. The card's own MAC is left alone, and nothing is sent from the cluster's: no switch learns it.
func Receive(j *system.Journal, t delivery.Target, iface string) error {
	var err error
	switch {
	case t.Group.IsValid():
		err = j.Join(iface, t.Group)
	case t.MAC != nil:
		err = j.Receive(iface, t.MAC)
	}
	if err != nil {
		return fmt.Errorf("deliver by %v: %w", t.Mode, err)
	}
	return nil
}

// Received gives the modes in which the journal has the host take in packets for an address: those of the configuration, and one of
// before that an earlier process has left. An address with the same last bytes looks the same.
func Received(j *system.Journal, addr netip.Addr, iface string) []delivery.Mode {
	var modes []delivery.Mode
	for _, c := range j.Changes() {
		if c.Link != iface {
			continue
		}
		for _, t := range delivery.All(addr) {
			if c.Kind == system.KindReception && t.Mode != delivery.IGMP && t.MAC.String() == c.MAC ||
				c.Kind == system.KindMembership && t.Group == c.Prefix.Addr() {
				modes = append(modes, t.Mode)
			}
		}
	}
	return modes
}

// Reception says whether a change in the journal is one of Receive's.
func Reception(c system.Change) bool {
	return c.Kind == system.KindReception || c.Kind == system.KindMembership
}
