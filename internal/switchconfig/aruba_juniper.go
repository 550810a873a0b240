package switchconfig

import "fmt"

// hpeAruba is ArubaOS-CX. Sources: AOS-CX 10.01 and 10.02 guides at support.hpe.com/techhub (snooping stands in the VLAN's context, `ip igmp` in its interface's). The lines, and that its
// ARP table takes a multicast MAC, were not verified. ArubaOS-Switch (ProCurve) has other words: see the notes.
func hpeAruba() vendor {
	return vendor{
		name: "hpe-aruba", comment: "!",
		neighbour: func(r *Request, t target) ([]string, Trust) {
			in := "interface vlan " + r.vlan()
			if t.v6() {
				return []string{in, fmt.Sprintf("  ipv6 neighbor %v mac %s", t.Address, colons(t.mac))}, Unverified
			}
			return []string{in, fmt.Sprintf("  arp ipv4 %v mac %s", t.Address, colons(t.mac))}, Unverified
		},
		snooping: func(r *Request, v6 bool) ([]string, Trust) {
			if v6 {
				return []string{"vlan " + r.vlan(), "  ipv6 mld snooping enable", "interface vlan " + r.vlan(), "  ipv6 mld enable", "  ipv6 mld querier"}, Unverified
			}
			return []string{"vlan " + r.vlan(), "  ip igmp snooping enable", "interface vlan " + r.vlan(), "  ip igmp enable", "  ip igmp querier"}, Unverified
		},
		notes: []string{
			"the lines are those of AOS-CX; ArubaOS-Switch has `ip arp-mcast-replies` for routers that shall take a multicast MAC from answers, and in the VLAN `ip igmp` and `ip igmp querier`",
			"no line is known that gives a multicast MAC several ports: what is delivered by multicast is flooded in the VLAN",
		},
	}
}

// juniper is EX and QFX with irb interfaces. Sources: Juniper, statement "arp (Interfaces)" with multicast-mac, "Configuring Static ARP Entries" (QFX), "static (IGMP
// Snooping)"; others have shown that an EX refuses a static entry for a multicast MAC. Not verified: the querier's statement on older EX.
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
				return []string{"set protocols mld-snooping vlan " + nameHole}, Unverified
			}
			return []string{"set protocols igmp-snooping vlan " + nameHole, "set protocols igmp-snooping vlan " + nameHole + " l2-querier source-address " + querierHole}, Unverified
		},
		member: func(r *Request, t target) ([]string, Trust) {
			if t.v6() {
				return nil, ""
			}
			ports := r.Ports
			if len(ports) == 0 {
				ports = []string{portsHole}
			}
			var lines []string
			for _, p := range ports {
				lines = append(lines, fmt.Sprintf("set protocols igmp-snooping vlan %s interface %s static group %v", nameHole, p, t.group))
			}
			return lines, Documented
		},
		notes: []string{"an EX takes no multicast MAC in its table: what is delivered by multicast is flooded in the VLAN",
			"switches before ELS say `vlan` instead of `irb`"},
	}
}
