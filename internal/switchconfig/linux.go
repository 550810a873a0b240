package switchconfig

import (
	"fmt"
	"strings"

	"github.com/muster-ha/muster/internal/delivery"
)

// linuxBridge is a bridge of Linux, also of Proxmox and KVM. It looks in its multicast database for the address in the packet, which is the VIP and no group, so
// no entry of `bridge mdb` or `bridge fdb` keeps it from flooding; a rule of nftables for the cluster's MAC does, in every mode. Once it snoops and hears a querier, its own
// or another, it passes what it does not find to the ports of multicast routers alone: so the hosts' ports have to be such, or the address is gone.
func linuxBridge() vendor {
	return vendor{
		name: "linux-bridge", comment: "#",
		neighbour: func(_ *Request, t target) ([]string, Trust) {
			return []string{fmt.Sprintf("ip neigh replace %v lladdr %s dev %s nud permanent", t.Address, colons(t.mac), ifaceHole)}, Tested
		},
		table: func(r *Request, t target) ([]string, Trust) {
			lines, trust := keepAway(r, t)
			return append(routerPorts(r, t), lines...), trust
		},
		member: func(r *Request, t target) ([]string, Trust) {
			lines, trust := keepAway(r, t)
			snoop := fmt.Sprintf("ip link set %s type bridge mcast_snooping 1 mcast_querier 1", r.bridge())
			return append(append(routerPorts(r, t), snoop), lines...), trust
		},
		notes: []string{
			"a Linux router takes the cluster's MAC from answers by itself: the static entry is for one that must not believe them",
			"the rules of nftables last until the next boot: keep them in /etc/nftables.conf; they are of all bridges of the machine",
		},
	}
}

// routerPorts makes the hosts' ports those of multicast routers, for frames to a multicast MAC.
func routerPorts(r *Request, t target) []string {
	if !t.multicast() {
		return nil
	}
	if len(r.Ports) == 0 {
		return []string{fmt.Sprintf("for p in %s; do bridge link set dev $p mcast_router 2; done", portsHole)}
	}
	var lines []string
	for _, port := range r.Ports {
		lines = append(lines, fmt.Sprintf("bridge link set dev %s mcast_router 2", port))
	}
	return lines
}

// keepAway drops packets to the VIP in frames to the cluster's MAC at every port but the hosts'. Reports of memberships, which have the group's MAC too, pass.
func keepAway(r *Request, t target) ([]string, Trust) {
	ports := portsHole
	if len(r.Ports) > 0 {
		ports = `"` + strings.Join(r.Ports, `", "`) + `"`
	}
	family := "ip"
	if t.v6() {
		family = "ip6"
	}
	return []string{
		"nft add table bridge muster",
		"nft 'add chain bridge muster forward { type filter hook forward priority 0; policy accept; }'",
		fmt.Sprintf(`nft 'add rule bridge muster forward ether daddr %s %s daddr %v oifname != { %s } drop'`, colons(t.mac), family, t.Address, ports),
	}, Tested
}

// Hypervisors names all of them.
func Hypervisors() []string { return []string{"vmware", "hyper-v", "proxmox"} }

// On says what to set on a hypervisor that runs hosts. They are settings of virtual machines and switches, told in words; only Proxmox has lines.
func On(name string, r Request) (Answer, error) {
	switch name {
	case "proxmox":
		a, err := For("linux-bridge", r)
		a.For = name
		a.Notes = append(a.Notes, hypervisorNotes(name, &r)...)
		return a, err
	case "vmware", "hyper-v":
		return Answer{For: name, Comment: "#", Sections: []Section{}, Fill: []Hole{}, Notes: append(modeNotes(&r), hypervisorNotes(name, &r)...)}, nil
	}
	return Answer{}, fmt.Errorf("%w hypervisor %q: the hypervisors are %s", ErrUnknown, name, strings.Join(Hypervisors(), ", "))
}

// hypervisorNotes are about each mode in use. Sources: Broadcom KB 1006525 (multicast), 1006778 and 1556 (unicast: notify switches, which makes ESXi send RARP; here the card's own MAC stays,
// so that does no harm); Microsoft, Set-VMNetworkAdapter (MacAddressSpoofing). The frame of a foreign unicast MAC to a virtual machine was not verified on either.
func hypervisorNotes(name string, r *Request) []string {
	all := map[string]map[delivery.Mode]string{
		"vmware": {
			delivery.Unicast:   "port group: promiscuous mode accept, or MAC learning on a distributed switch (6.7 and later), for a virtual machine gets no frame for a MAC that is not its own; forged transmits and MAC changes stay rejected: hosts send with their own MAC (not verified)",
			delivery.Multicast: "port group: nothing; the virtual switch passes multicast MACs to every virtual machine that wants them. On the physical switch the ports of all ESXi hosts are the hosts' ports",
			delivery.IGMP:      "distributed switch: multicast filtering mode IGMP/MLD snooping looks for the address in the packet and would keep frames away: use basic (not verified)",
		},
		"hyper-v": {
			delivery.Unicast:   "Set-VMNetworkAdapter -VMName NAME -MacAddressSpoofing On, or the virtual switch passes no frame for a MAC that is not the machine's own (not verified)",
			delivery.Multicast: "nothing; on the physical switch the ports of all Hyper-V hosts, as a team if they are one, are the hosts' ports",
			delivery.IGMP:      "nothing; after a live migration the new port is known with the next report of the host",
		},
		"proxmox": {
			delivery.Unicast:   "firewall of the virtual machine: MAC filter stays on; hosts send with their own MAC",
			delivery.Multicast: "firewall of the virtual machine: it passes multicast MACs",
			delivery.IGMP:      "the ports are the tap interfaces of the virtual machines (tapIDiN), which change with a live migration: give the rule on every node the names that it may have there",
		},
	}
	var notes []string
	for _, m := range delivery.Modes() {
		for _, v := range r.VIPs {
			if text := all[name][m]; v.Mode == m && text != "" {
				notes = append(notes, fmt.Sprintf("%s, %v: %s", name, m, text))
				break
			}
		}
	}
	return notes
}
