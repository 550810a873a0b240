package switchconfig

import "fmt"

// aristaEOS is Arista. Sources: Arista's AVD (eos_cli_config_gen, templates ip-igmp-snooping, arp, mac-address-table-static-entries, and its ipv6-static-neighbors) for the form of all lines but those of MLD, which
// are in the STIG for Arista MLS EOS 4.2x (ARST-L2-000130). None of them has a multicast MAC in an entry, or two interfaces; the EOS User Manual was not seen.
func aristaEOS() vendor {
	return vendor{
		name: "arista-eos", comment: "!",
		neighbour: func(r *Request, t target) ([]string, Trust) {
			if t.v6() {
				return []string{fmt.Sprintf("ipv6 neighbor %v Vlan%s %s", t.Address, r.vlan(), dots(t.mac))}, Unverified
			}
			return []string{fmt.Sprintf("arp %v %s arpa", t.Address, dots(t.mac))}, Unverified
		},
		table: func(r *Request, t target) ([]string, Trust) {
			if !t.multicast() {
				return nil, ""
			}
			return []string{fmt.Sprintf("mac address-table static %s vlan %s interface %s", dots(t.mac), r.vlan(), r.ports(" "))}, Unverified
		},
		snooping: func(r *Request, v6 bool) ([]string, Trust) {
			if v6 {
				return []string{"mld snooping", "   vlan " + r.vlan()}, Documented
			}
			return []string{"ip igmp snooping", "ip igmp snooping vlan " + r.vlan(), "ip igmp snooping vlan " + r.vlan() + " querier",
				"ip igmp snooping vlan " + r.vlan() + " querier address " + querierHole}, Documented
		},
		notes: []string{"IPv6 with igmp: a router in the VLAN has to ask for memberships (MLD querier); no line is known with which the switch does"},
	}
}

// dellPowerConnect is PowerConnect 5400 and 5500, with its bridge multicast groups: that groups of MACs may be entered with their ports is in the User Guide of the 55xx ("MAC Multicast Support"). The CLI Reference
// Guide was not seen; of the same commands on another make (Angora Networks, "Address Table") are `bridge multicast filtering` and the mode. Members of the group set by hand are how such a switch is
// set up for Windows NLB in practice. Models differ in how interfaces are named and whether they route.
func dellPowerConnect() vendor {
	group := func(r *Request, t target) ([]string, Trust) {
		if !t.multicast() {
			return nil, ""
		}
		return []string{"bridge multicast filtering", "interface vlan " + r.vlan(),
			fmt.Sprintf("  bridge multicast address %s add %s", colons(t.mac), r.ports(",")), "  exit"}, Unverified
	}
	return vendor{
		name: "dell-powerconnect", comment: "!",
		neighbour: func(r *Request, t target) ([]string, Trust) {
			if t.v6() {
				return []string{fmt.Sprintf("ipv6 neighbor %v vlan %s %s", t.Address, r.vlan(), colons(t.mac))}, Unverified
			}
			return []string{fmt.Sprintf("arp %v %s", t.Address, colons(t.mac))}, Unverified
		},
		table: group,
		snooping: func(r *Request, v6 bool) ([]string, Trust) {
			if v6 {
				return []string{"ipv6 mld snooping", "ipv6 mld snooping vlan " + r.vlan()}, Unverified
			}
			return []string{"ip igmp snooping", "interface vlan " + r.vlan(), "  ip igmp snooping", "  ip igmp snooping querier enable", "  exit"}, Unverified
		},
		member: group,
		notes: []string{"name ports with their kind, as in `ethernet g1-g4` or `port-channel 1`",
			"with members set by hand the querier is not needed; leave unregistered multicast at forwarding",
			"where there is a `bridge multicast mode`, leave it at mac-group: the others look for the address in the packet (not verified)"},
	}
}

// dellOS10 is SmartFabric OS10. Source: its User Guide, "IGMP snooping" and "MLD snooping" (the querier is the VLAN interface's, both are on from 10.4.3.0), and "Configure static ARP entries", which
// has a unicast MAC. "Static MAC Address" (10.2 to 10.5) has one interface and no word for a multicast MAC, which OS9 had (`multicast ... range-output`): so there is no line for its table.
func dellOS10() vendor {
	return vendor{
		name: "dell-os10", comment: "!",
		neighbour: func(r *Request, t target) ([]string, Trust) {
			in := "interface vlan " + r.vlan()
			if t.v6() {
				return []string{in, fmt.Sprintf(" ipv6 neighbor %v %s", t.Address, colons(t.mac))}, Unverified
			}
			return []string{in, fmt.Sprintf(" ip arp %v %s", t.Address, colons(t.mac))}, Unverified
		},
		snooping: func(r *Request, v6 bool) ([]string, Trust) {
			in := "interface vlan " + r.vlan()
			if v6 {
				return []string{"ipv6 mld snooping enable", in, " ipv6 mld snooping", " ipv6 mld snooping querier"}, Documented
			}
			return []string{"ip igmp snooping enable", in, " ip igmp snooping", " ip igmp snooping querier"}, Documented
		},
		notes: []string{
			"a static MAC has one interface here: what is delivered by multicast is flooded in the VLAN",
			"from 10.4.3.0 on multicast that no port asked for is held back: if frames to the cluster do not arrive, `no multicast snooping flood-restrict` (whether it holds back such frames is not verified)",
		},
	}
}
