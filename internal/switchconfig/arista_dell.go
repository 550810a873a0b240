package switchconfig

import "fmt"

// aristaEOS is Arista. Source: EOS User Manual, chapters "Data Transfer" (a static multicast entry with several interfaces) and "IGMP and IGMP
// Snooping" (the querier of a VLAN), not compared word by word: all counts as not verified.
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
				return []string{"mld snooping", "   vlan " + r.vlan()}, Unverified
			}
			return []string{"ip igmp snooping", "ip igmp snooping vlan " + r.vlan(), "ip igmp snooping vlan " + r.vlan() + " querier",
				"ip igmp snooping vlan " + r.vlan() + " querier address " + querierHole}, Unverified
		},
	}
}

// dellPowerConnect is PowerConnect 5400 and 5500, with its bridge multicast groups. Source: PowerConnect 54xx CLI Reference Guide ("bridge multicast filtering", "bridge
// multicast address", "ip igmp snooping"); members of the group set by hand are how such a switch is set up for Windows NLB in practice, but the lines were not verified. Models differ in
// how interfaces are named and whether they route.
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
			"with members set by hand the querier is not needed; leave unregistered multicast at forwarding"},
	}
}

// dellOS10 is SmartFabric OS10. The forms are those of its User Guide ("ip arp", "mac address-table static", "ip igmp snooping querier"); that they take a multicast
// MAC with several ports was not verified.
func dellOS10() vendor {
	return vendor{
		name: "dell-os10", comment: "!",
		neighbour: func(r *Request, t target) ([]string, Trust) {
			in := "interface vlan" + r.vlan()
			if t.v6() {
				return []string{in, fmt.Sprintf(" ipv6 neighbor %v %s", t.Address, colons(t.mac))}, Unverified
			}
			return []string{in, fmt.Sprintf(" ip arp %v %s", t.Address, colons(t.mac))}, Unverified
		},
		table: func(r *Request, t target) ([]string, Trust) {
			if !t.multicast() {
				return nil, ""
			}
			return []string{fmt.Sprintf("mac address-table static multicast %s vlan %s range %s", colons(t.mac), r.vlan(), r.ports(","))}, Unverified
		},
		snooping: func(r *Request, v6 bool) ([]string, Trust) {
			if v6 {
				return []string{"ipv6 mld snooping enable", "interface vlan" + r.vlan(), " ipv6 mld snooping", " ipv6 mld snooping querier"}, Unverified
			}
			return []string{"ip igmp snooping enable", "interface vlan" + r.vlan(), " ip igmp snooping", " ip igmp snooping querier"}, Unverified
		},
	}
}
