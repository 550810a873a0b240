package switchconfig

import "fmt"

// ciscoIOS is Catalyst with IOS and IOS XE. Sources: Cisco, "Configure Catalyst Switches for Microsoft NLB" (documents 107995 and 216092): static ARP with a multicast MAC, the
// static entry with several interfaces; both were also shown by others on a 3750 with IOS 15. Snooping, querier and the neighbour entry of IPv6 have the form of
// the command references and were not verified.
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
				return []string{"ipv6 mld snooping", "ipv6 mld snooping vlan " + r.vlan()}, Unverified
			}
			return []string{"ip igmp snooping", "ip igmp snooping vlan " + r.vlan(), "ip igmp snooping querier"}, Unverified
		},
		notes: []string{
			"older IOS writes mac-address-table with a hyphen",
			"Catalyst 4500 and 4900: let another switch be the querier, or the processor forwards every packet to the cluster",
			"IPv6 with igmp: a router in the VLAN has to ask for memberships (MLD querier); the switch's own is not in every release",
		},
	}
}

// ciscoNXOS is Nexus. Source: Cisco, "Configure Microsoft NLB on Nexus 7000" (document 116150, NX-OS 5.2 and later): static ARP at the interface, lookup of multicast by MAC, the
// querier of a VLAN's configuration, the static multicast MAC. The document names these steps; its lines were not compared word by word, so all count as not verified.
func ciscoNXOS() vendor {
	return vendor{
		name: "cisco-nxos", comment: "!",
		neighbour: func(r *Request, t target) ([]string, Trust) {
			in := "interface Vlan" + r.vlan()
			if t.v6() {
				return []string{in, fmt.Sprintf("  ipv6 neighbor %v %s", t.Address, dots(t.mac))}, Unverified
			}
			return []string{in, fmt.Sprintf("  ip arp %v %s", t.Address, dots(t.mac))}, Unverified
		},
		table: func(r *Request, t target) ([]string, Trust) {
			if !t.multicast() {
				return nil, ""
			}
			return []string{fmt.Sprintf("mac address-table multicast %s vlan %s interface %s", dots(t.mac), r.vlan(), r.ports(" "))}, Unverified
		},
		snooping: func(r *Request, v6 bool) ([]string, Trust) {
			if v6 {
				return []string{"ipv6 mld snooping"}, Unverified
			}
			return []string{"vlan configuration " + r.vlan(), "  layer-2 multicast lookup mac", "  ip igmp snooping", "  ip igmp snooping querier " + querierHole}, Unverified
		},
		notes: []string{"without `layer-2 multicast lookup mac` a Nexus looks for the address in the packet, which is no group, and floods"},
	}
}
