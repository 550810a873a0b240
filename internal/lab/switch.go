package lab

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Snooping is how the lab's switch treats multicast. The zero value is a switch that copies it to every port, as the lab begins.
type Snooping struct {
	On      bool          // look who has joined which group (RFC 4541)
	Querier bool          // ask for memberships, so that the switch knows all of them
	Every   time.Duration // between two questions, 1 s at least; zero: the kernel's 125 s. Unanswered, a membership lasts three of them
}

// clockTick is the unit in which bridges take times: the kernel's USER_HZ, 100 a second everywhere.
const clockTick = 10 * time.Millisecond

// Snoop changes how the switch of the first network treats multicast.
func (l *Lab) Snoop(s Snooping) error {
	return l.sw.do(func() error {
		bridge, err := netlink.LinkByName(mainBridge)
		if err != nil {
			return fmt.Errorf("find bridge: %w", err)
		}
		req := nl.NewNetlinkRequest(unix.RTM_NEWLINK, unix.NLM_F_ACK)
		msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
		msg.Index = int32(bridge.Attrs().Index)
		req.AddData(msg)
		info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
		info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated("bridge"))
		s.attributes(info.AddRtAttr(nl.IFLA_INFO_DATA, nil))
		req.AddData(info)
		if _, err := req.Execute(unix.NETLINK_ROUTE, 0); err != nil {
			return fmt.Errorf("set snooping of bridge: %w", err)
		}
		return nil
	})
}

// attributes writes the settings as the bridge takes them. A new querier counts only after the time in which hosts may answer.
func (s Snooping) attributes(data *nl.RtAttr) {
	flag := map[bool][]byte{false: {0}, true: {1}}
	if s.Every > 0 {
		for attribute, d := range map[int]time.Duration{
			nl.IFLA_BR_MCAST_QUERY_INTVL:          s.Every,
			nl.IFLA_BR_MCAST_STARTUP_QUERY_INTVL:  s.Every,
			nl.IFLA_BR_MCAST_QUERY_RESPONSE_INTVL: s.Every / 2,
			nl.IFLA_BR_MCAST_MEMBERSHIP_INTVL:     3 * s.Every,
			nl.IFLA_BR_MCAST_QUERIER_INTVL:        3 * s.Every,
		} {
			data.AddRtAttr(attribute, binary.NativeEndian.AppendUint64(nil, uint64(d/clockTick)))
		}
	}
	data.AddRtAttr(nl.IFLA_BR_MCAST_SNOOPING, flag[s.On])
	data.AddRtAttr(nl.IFLA_BR_MCAST_QUERIER, flag[s.Querier])
}

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

// Members gives the nodes at whose ports the switch of the first network has heard a membership of a group that has not run out.
func (l *Lab) Members(group netip.Addr) (nodes []string, err error) {
	err = l.sw.do(func() error {
		req := nl.NewNetlinkRequest(unix.RTM_GETMDB, unix.NLM_F_DUMP)
		req.AddData(nl.NewIfInfomsg(unix.AF_BRIDGE))
		dump, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_GETMDB) // the type of the answers too
		if err != nil {
			return fmt.Errorf("list memberships that the switch has heard: %w", err)
		}
		for _, message := range dump {
			for _, index := range memberPorts(message, group) {
				port, err := netlink.LinkByIndex(index)
				if err != nil {
					return fmt.Errorf("find port %d: %w", index, err)
				}
				nodes = append(nodes, port.Attrs().Name)
			}
		}
		return nil
	})
	slices.Sort(nodes)
	return slices.Compact(nodes), err
}

// Sizes of struct br_port_msg and struct br_mdb_entry, where the group's address is in the latter, and the nesting of their attributes: of
// all groups, of a group, of a port that has joined it.
const (
	portMessage  = 8
	memberEntry  = 28
	memberGroup  = 8
	memberFamily = 24
	nestings     = 3
)

// memberPorts picks the ports that have joined a group out of a message about memberships.
func memberPorts(message []byte, group netip.Addr) []int {
	if len(message) < portMessage {
		return nil
	}
	level := [][]byte{message[portMessage:]}
	for range nestings {
		var inner [][]byte
		for _, b := range level {
			attributes, err := nl.ParseRouteAttr(b)
			if err != nil {
				continue // another kind of attribute, with something else inside
			}
			for _, a := range attributes {
				inner = append(inner, a.Value)
			}
		}
		level = inner
	}
	family, want := uint16(unix.ETH_P_IPV6), group.AsSlice()
	if group.Is4() {
		family = unix.ETH_P_IP
	}
	var ports []int
	for _, e := range level {
		if len(e) >= memberEntry && binary.BigEndian.Uint16(e[memberFamily:]) == family && bytes.Equal(e[memberGroup:memberGroup+len(want)], want) {
			ports = append(ports, int(binary.NativeEndian.Uint32(e)))
		}
	}
	return ports
}

// Withhold makes the switch keep frames to a MAC from a node, or pass them on again: what a switch that snoops by MAC address does at ports that
// have not joined. Linux bridges look groups up by the packet's IP address instead.
func (l *Lab) Withhold(node string, to net.HardwareAddr, on bool) error {
	return l.sw.do(func() error {
		if err := removeDrop(node, Received, withholdPriority); err != nil || !on {
			return err
		}
		return addDrop(node, Received, withholdPriority, drop{percent: 100, destination: to})
	})
}

// FloodMulticast says whether the switch copies multicast that nobody has joined to a node: what `bridge link set dev PORT mcast_flood` does.
func (l *Lab) FloodMulticast(node string, on bool) error {
	value := byte(0)
	if on {
		value = 1
	}
	return l.setPortOption(node, nl.IFLA_BRPORT_MCAST_FLOOD, value)
}

// How a port is taken for one behind which a multicast router is.
const (
	routerIfHeard = 1
	routerAlways  = 2
)

// RouterPort makes the switch hand multicast that nobody has joined to a node also when it snoops, as if a multicast router were there: what
// `bridge link set dev PORT mcast_router 2` does.
func (l *Lab) RouterPort(node string, on bool) error {
	value := byte(routerIfHeard)
	if on {
		value = routerAlways
	}
	return l.setPortOption(node, nl.IFLA_BRPORT_MULTICAST_ROUTER, value)
}

func (l *Lab) setPortOption(node string, attribute int, value byte) error {
	return l.sw.do(func() error {
		port, err := netlink.LinkByName(node)
		if err != nil {
			return fmt.Errorf("find port %s: %w", node, err)
		}
		req := nl.NewNetlinkRequest(unix.RTM_SETLINK, unix.NLM_F_ACK)
		msg := nl.NewIfInfomsg(unix.AF_BRIDGE)
		msg.Index = int32(port.Attrs().Index)
		req.AddData(msg)
		info := nl.NewRtAttr(unix.IFLA_PROTINFO|unix.NLA_F_NESTED, nil)
		info.AddRtAttr(attribute, []byte{value})
		req.AddData(info)
		if _, err := req.Execute(unix.NETLINK_ROUTE, 0); err != nil {
			return fmt.Errorf("set an option of port %s: %w", node, err)
		}
		return nil
	})
}
