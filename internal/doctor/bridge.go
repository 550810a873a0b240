package doctor

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/config"
)

// routerAlways is the setting of a bridge or a port that has multicast passed there which nobody has joined (linux/if_bridge.h).
const routerAlways = 2

// The attributes of what a bridge knows of queriers (linux/if_bridge.h); the kernel has them since 5.16.
const (
	querierOf4 = 1
	querierOf6 = 5
)

// bridges looks at the interfaces of VIPs that are bridges. It asks by netlink, which knows network namespaces; /sys need not.
func bridges(cfg *config.Config, self int, places []Place) map[string]Bridge {
	found := map[string]Bridge{}
	hosts := func(ip []byte) bool {
		a, ok := netip.AddrFromSlice(ip)
		return ok && slices.ContainsFunc(cfg.Hosts, func(h config.Host) bool { return h.Address == a.Unmap() && h.Name != cfg.Hosts[self].Name })
	}
	for _, p := range places {
		if p.Err != nil || !isBridge(p.Link.Index) {
			continue
		}
		if len(found) == 0 {
			tryPaths(cfg, self) // for the answers: by them the kernel learns where the other hosts are
		}
		if b, ok := bridgeAt(p.Link.Index, hosts); ok {
			found[p.Link.Name] = b
		}
	}
	return found
}

func isBridge(index int) bool {
	link, err := netlink.LinkByIndex(index)
	return err == nil && link.Type() == "bridge"
}

// bridgeAt reads the settings of a bridge.
func bridgeAt(index int, hosts func(ip []byte) bool) (b Bridge, ok bool) {
	set, err := linkInfo(index, nl.IFLA_INFO_DATA)
	if err != nil {
		return b, false
	}
	b.Snoops, b.Own = number(set[nl.IFLA_BR_MCAST_SNOOPING]) != 0, number(set[nl.IFLA_BR_MCAST_QUERIER]) != 0
	b.Router = number(set[nl.IFLA_BR_MCAST_ROUTER]) == routerAlways
	heard := attributes(set[unix.IFLA_BR_MCAST_QUERIER_STATE])
	b.Querier4, b.Querier6 = b.Own || heard[querierOf4] != nil, b.Own || heard[querierOf6] != nil
	links, err := netlink.LinkList()
	if err != nil {
		return b, false
	}
	leading := portsToward(index, hosts)
	for _, l := range links {
		if l.Attrs().MasterIndex != index {
			continue
		}
		b.Ports++
		port, err := linkInfo(l.Attrs().Index, nl.IFLA_INFO_SLAVE_DATA)
		if err == nil && number(port[nl.IFLA_BRPORT_MULTICAST_ROUTER]) != routerAlways && slices.Contains(leading, l.Attrs().Index) {
			b.Closed = append(b.Closed, l.Attrs().Name)
		}
	}
	return b, true
}

// portsToward finds the ports of a bridge behind which it has learnt the MACs of hosts. Of hosts that the kernel has not met nothing is known.
func portsToward(bridge int, hosts func(ip []byte) bool) (ports []int) {
	met, err := netlink.NeighList(bridge, netlink.FAMILY_ALL)
	learnt, errLearnt := netlink.NeighList(0, unix.AF_BRIDGE)
	if errors.Join(err, errLearnt) != nil {
		return nil
	}
	for _, n := range met {
		for _, l := range learnt {
			if hosts(n.IP) && l.MasterIndex == bridge && bytes.Equal(l.HardwareAddr, n.HardwareAddr) {
				ports = append(ports, l.LinkIndex)
			}
		}
	}
	return ports
}

// linkInfo reads the settings of an interface that are of its kind, or of it as a port.
func linkInfo(index int, what uint16) (map[uint16][]byte, error) {
	req := nl.NewNetlinkRequest(unix.RTM_GETLINK, unix.NLM_F_ACK)
	ask := nl.NewIfInfomsg(unix.AF_UNSPEC)
	ask.Index = int32(index)
	req.AddData(ask)
	answers, err := req.Execute(unix.NETLINK_ROUTE, 0)
	if err != nil || len(answers) == 0 || len(answers[0]) < unix.SizeofIfInfomsg {
		return nil, errors.Join(fmt.Errorf("ask for settings of interface %d", index), err)
	}
	return attributes(attributes(attributes(answers[0][unix.SizeofIfInfomsg:])[unix.IFLA_LINKINFO])[what]), nil
}

func attributes(b []byte) map[uint16][]byte {
	list, err := nl.ParseRouteAttr(b)
	if err != nil {
		return nil
	}
	found := map[uint16][]byte{}
	for _, a := range list {
		found[a.Attr.Type&^(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER)] = a.Value
	}
	return found
}

// number is the value of an attribute of one byte; zero if it is not there.
func number(b []byte) byte {
	if len(b) == 0 {
		return 0
	}
	return b[0]
}
