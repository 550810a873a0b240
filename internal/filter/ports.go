package filter

// portsKey is one protocol of a VIP, by the indexes of a Setup and of a portTable.
type portsKey struct{ vip, protocol int }

// portsOf lists the ports of each rule, by protocol: those that it names, or all that no other rule of its VIP does. The two protocols may
// differ: what one rule names for TCP only is left to the rest for UDP.
func portsOf(rules []Rule) [][2][]PortRange {
	lists := make([][2][]PortRange, len(rules))
	named := map[portsKey]*[65536]bool{}
	for i, r := range rules {
		for _, protocol := range protocolIndexes(r.Protocol) {
			k := portsKey{r.VIP, protocol}
			if named[k] == nil {
				named[k] = new([65536]bool)
			}
			lists[i][protocol] = r.Ports
			for _, p := range r.Ports {
				for n := int(p.First); n <= int(p.Last); n++ {
					named[k][n] = true
				}
			}
		}
	}
	for i, r := range rules {
		if len(r.Ports) > 0 {
			continue
		}
		for _, protocol := range protocolIndexes(r.Protocol) {
			lists[i][protocol] = others(named[portsKey{r.VIP, protocol}])
		}
	}
	return lists
}

// others is the ports from 1 on that are not named, as ranges.
func others(named *[65536]bool) (list []PortRange) {
	for n := 1; n < len(named); n++ {
		switch {
		case named[n]:
		case len(list) > 0 && int(list[len(list)-1].Last) == n-1:
			list[len(list)-1].Last = uint16(n)
		default:
			list = append(list, PortRange{uint16(n), uint16(n)})
		}
	}
	return list
}

// each calls f with every port of the lists until it says no.
func each(lists [2][]PortRange, f func(protocol, port int) bool) {
	for protocol, list := range lists {
		for _, p := range list {
			for n := int(p.First); n <= int(p.Last); n++ {
				if !f(protocol, n) {
					return
				}
			}
		}
	}
}
