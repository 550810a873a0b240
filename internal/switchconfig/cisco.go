package switchconfig

import "fmt"

// ciscoIOS is Catalyst with IOS and IOS XE. Sources: Cisco, "Configure Catalyst Switches for Microsoft NLB" (documents 107995 and 216092) for static ARP with a multicast MAC and the
// static entry with several interfaces; both were also shown by others on a 3750 with IOS 15, and VMware has them (KB 1006525). For snooping, its VLAN and a querier's address Cisco's
// pyATS, genielibs for IOS XE ("Common configure functions for IGMP snooping"); a querier asks nothing without an address (Catalyst 3850, "Prerequisites for IGMP Snooping"). For MLD
// Catalyst 4500, "Configuring IPv6 MLD Snooping": off as a whole, on in each VLAN. The neighbour entry of IPv6 was shown by others, but with a unicast MAC.
func ciscoIOS() vendor {
	return vendor{
		name: "cisco-ios", comment: "!",
		neighbour: func(r *Request, t target) ([]string, Trust) {
			if t.v6() {
				return []string{fmt.Sprintf("ipv6 neighbor %v Vlan%s %s", t.Address, r.vlan(), dots(t.mac))}, Unverified
			}
			return []string{fmt.Sprintf("arp %v %s ARPA", t.Address, dots(t.mac))}, Documented
		},
		table: func(r *Request, t target) ([]string, Trust) {
			if !t.multicast() {
				return nil, "" // a unicast MAC has one port
			}
			return []string{fmt.Sprintf("mac address-table static %s vlan %s interface %s", dots(t.mac), r.vlan(), r.ports(" "))}, Documented
		},
		snooping: func(r *Request, v6 bool) ([]string, Trust) {
			if v6 {
				return []string{"ipv6 mld snooping", "ipv6 mld snooping vlan " + r.vlan()}, Documented
			}
			return []string{"ip igmp snooping", "ip igmp snooping vlan " + r.vlan(), "ip igmp snooping querier",
				"ip igmp snooping vlan " + r.vlan() + " querier address " + querierHole}, Documented
		},
		notes: []string{
			"older IOS writes mac-address-table with a hyphen",
			"`ip igmp snooping querier` is for all VLANs; without an address for the VLAN it takes that of its SVI, then the one of `ip igmp snooping querier address`, and it is silent where PIM runs on the SVI",
			"Catalyst 4500 and 4900: let another switch be the querier, or the processor forwards every packet to the cluster",
			"Catalyst 9000 snoops by the address in the packet: frames of igmp flood the VLAN there (Cisco, document 220657), so give the hosts a VLAN of their own",
			"IPv6 with igmp: a router in the VLAN has to ask for memberships (MLD querier); the switch's own is not in every release. Catalyst 3750 needs `sdm prefer dual-ipv4-and-ipv6 default` first",
		},
	}
}

// ciscoNXOS is Nexus. Sources: Cisco, "Configure Microsoft NLB on Nexus 7000" (document 116150, NX-OS 5.2 and later) for static ARP at the interface with a multicast MAC and for the lookup by
// MAC, which both modes need; Nexus 9000 VXLAN Configuration Guide 10.3, "Configuring Tenant Routed Multicast", for the querier in a VLAN's configuration; snooping is on (Nexus 7000 Multicast
// Routing Guide, "Configuring IGMP Snooping"). That guide and 116150 (option 2A) name a static multicast MAC, but its line was not seen. Nor were lines of IPv6.
func ciscoNXOS() vendor {
	lookup := func(r *Request) []string {
		return []string{"vlan configuration " + r.vlan(), "  layer-2 multicast lookup mac"}
	}
	return vendor{
		name: "cisco-nxos", comment: "!",
		neighbour: func(r *Request, t target) ([]string, Trust) {
			in := "interface Vlan" + r.vlan()
			if t.v6() {
				return []string{in, fmt.Sprintf("  ipv6 neighbor %v %s", t.Address, dots(t.mac))}, Unverified
			}
			return []string{in, fmt.Sprintf("  ip arp %v %s", t.Address, dots(t.mac))}, Documented
		},
		table: func(r *Request, t target) ([]string, Trust) {
			if !t.multicast() {
				return nil, ""
			}
			return append(lookup(r), "  exit",
				fmt.Sprintf("mac address-table multicast %s vlan %s interface %s", dots(t.mac), r.vlan(), r.ports(" "))), Unverified
		},
		snooping: func(r *Request, v6 bool) ([]string, Trust) {
			if v6 {
				return []string{"ipv6 mld snooping"}, Unverified
			}
			return append(lookup(r), "  ip igmp snooping querier "+querierHole), Documented
		},
		notes: []string{
			"without `layer-2 multicast lookup mac` a Nexus looks for the address in the packet, which is no group, and floods",
			"the querier is for a VLAN without PIM; where the router has `ip pim sparse-mode` on the interface, as in Cisco's document, it asks itself",
			"Nexus 3000 and 5000: a multicast MAC is a static entry, which takes several interfaces, `mac address-table static` (form not verified)",
			"Nexus 9000 routes to a multicast MAC from NX-OS 9.2(1) on (Cisco, document 118951)",
		},
	}
}
