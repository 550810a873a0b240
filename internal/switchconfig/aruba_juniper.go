package switchconfig

import (
	"fmt"

	"github.com/muster-ha/muster/internal/delivery"
)

// hpeAruba is ArubaOS-CX. Sources: "AOS-CX 10.06 IP Services Guide" (arp ipv4 mac, with a MAC of 01:00:5e as its example; ipv6 neighbor mac, with a unicast one), "ArubaOS-CX Multicast Guide" for 10.01
// and 10.03 (both protocols off by default, the querier needs an address on the interface, a static group is flooded), AOS-CX 10.06, "Network Load Balancing" (of the modes with a multicast MAC igmp alone), and
// 10.02, static-mac, which takes one port. Lines of MLD were not seen. Of ArubaOS-Switch: its 16.07 and 16.08 guides (querier on, lookup by MAC).
func hpeAruba() vendor {
	return vendor{
		name: "hpe-aruba", comment: "!",
		neighbour: func(r *Request, t target) ([]string, Trust) {
			in := "interface vlan " + r.vlan()
			switch {
			case t.Mode == delivery.Multicast:
				return nil, "" // no MAC of IANA's range, and a CX takes no other
			case t.v6():
				return []string{in, fmt.Sprintf("  ipv6 neighbor %v mac %s", t.Address, colons(t.mac))}, Unverified
			}
			return []string{in, fmt.Sprintf("  arp ipv4 %v mac %s", t.Address, colons(t.mac))}, Documented
		},
		snooping: func(r *Request, v6 bool) ([]string, Trust) {
			if v6 {
				return []string{"vlan " + r.vlan(), "  ipv6 mld snooping enable", "interface vlan " + r.vlan(), "  ipv6 mld enable", "  ipv6 mld querier"}, Unverified
			}
			return []string{"vlan " + r.vlan(), "  ip igmp snooping enable", "interface vlan " + r.vlan(), "  ip igmp enable", "  ip igmp querier"}, Documented
		},
		notes: []string{
			"the lines are those of AOS-CX; ArubaOS-Switch has `ip arp-mcast-replies` for routers that shall take a multicast MAC from answers, and in the VLAN `ip igmp`, with a querier and a lookup by MAC unless they were changed",
			"the interface of the VLAN needs an address, or it is no querier",
			"a CX as router sends to a cluster by igmp alone: a static entry takes a multicast MAC of IANA's range (01:00:5e) and no other, so what is delivered by multicast needs another router",
			"a static MAC has one port here: what is delivered by multicast is flooded in the VLAN",
		},
	}
}

// juniper is EX and QFX with irb interfaces. Sources: Juniper, statements "arp (Interfaces)" with multicast-mac, "Configuring Static ARP Entries" (QFX), "igmp-snooping" and "l2-querier" (QFX with ELS, Junos 13.2),
// "igmp-querier" (QFX before, 12.3), "static (IGMP Snooping)", "static (MLD Snooping)" and "mld-snooping", which has no querier; "passive (MLD)" for the hierarchy of a router's. Others have
// shown that an EX2200 takes the ARP entry and refuses a static one for a multicast MAC. Not verified: a querier on an EX before ELS, and the neighbour entry of IPv6.
func juniper() vendor {
	return vendor{
		name: "juniper", comment: "#",
		neighbour: func(r *Request, t target) ([]string, Trust) {
			in := "set interfaces irb unit " + r.vlan()
			if t.v6() {
				return []string{fmt.Sprintf("%s family inet6 address %s ndp %v multicast-mac %s", in, routerHole, t.Address, colons(t.mac))}, Unverified
			}
			return []string{fmt.Sprintf("%s family inet address %s arp %v multicast-mac %s", in, routerHole, t.Address, colons(t.mac))}, Documented
		},
		snooping: func(r *Request, v6 bool) ([]string, Trust) {
			if v6 {
				return []string{"set protocols mld-snooping vlan " + nameHole}, Documented
			}
			return []string{"set protocols igmp-snooping vlan " + nameHole, "set protocols igmp-snooping vlan " + nameHole + " l2-querier source-address " + querierHole}, Documented
		},
		member: juniperMember,
		notes: []string{"an EX takes no multicast MAC in its table: what is delivered by multicast is flooded in the VLAN",
			"switches before ELS say `vlan` instead of `irb`; a QFX before ELS says `igmp-querier source-address` instead of `l2-querier source-address`, and of an EX before ELS no querier is known",
			"IPv6 with igmp: MLD snooping has no querier of its own. The router in the VLAN asks for memberships: `set protocols mld interface irb.N`"},
	}
}

// juniperMember makes the hosts' ports members of the group for good, so that a missing querier takes nothing away.
func juniperMember(r *Request, t target) ([]string, Trust) {
	protocol := "igmp-snooping"
	if t.v6() {
		protocol = "mld-snooping"
	}
	ports := r.Ports
	if len(ports) == 0 {
		ports = []string{portsHole}
	}
	var lines []string
	for _, p := range ports {
		lines = append(lines, fmt.Sprintf("set protocols %s vlan %s interface %s static group %v", protocol, nameHole, p, t.group))
	}
	return lines, Documented
}
