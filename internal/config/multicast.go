package config

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/muster-ha/muster/internal/multicast"
)

// multicastPath is where a network's multicast settings stand in the file.
func multicastPath(network string) string { return "/heartbeat/networks/" + network + "/multicast/" }

// groups judges each network's group address and range: an address that is no group is an error, or, if the file is lenient, a
// warning; a range that is none is always a warning.
func (v *validator) groups() {
	for _, name := range sorted(v.f.Heartbeat.Networks) {
		path, m := multicastPath(name), v.f.Heartbeat.Networks[name].Multicast
		_, good := group(m.Address)
		switch {
		case m.Address == "" || good:
		case m.Lenient:
			v.warn(path+"address", flaw{quote(m.Address) + " is no group address: the hosts choose one", "write one from 224.0.0.0 to 239.255.255.255, or an IPv6 one of link-local scope or wider, or remove it"})
		default:
			v.wrong(path+"address", flaw{quote(m.Address) + " is no group address", "write one from 224.0.0.0 to 239.255.255.255, for example `239.255.7.9`, or an IPv6 one of link-local scope or wider, for example `ff05::7:9`, or add `lenient: true` to have one chosen"})
		}
		if _, why := groupRange(m.Range); why != "" {
			v.warn(path+"range", flaw{why, "write two group addresses, the lower one first, for example `[239.255.0.0, 239.255.254.255]`"})
		}
	}
	v.clashes()
}

// clashes finds two networks' addresses that reach the same network cards. They are used all the same: it costs a little work.
func (v *validator) clashes() {
	first := map[uint64]string{}
	for _, name := range v.inOrder("/heartbeat/networks/", sorted(v.f.Heartbeat.Networks)) {
		a, good := group(v.f.Heartbeat.Networks[name].Multicast.Address)
		if !good {
			continue
		}
		if other, twice := first[multicast.MAC(a)]; twice {
			v.warn(multicastPath(name)+"address", flaw{
				fmt.Sprintf("%v has the Ethernet address of network %s's group: where both networks meet, cards and switches cannot tell them apart", a, quote(other)),
				"write one that differs in the last 23 bits, of IPv6 in the last 32"})
			continue
		}
		first[multicast.MAC(a)] = name
	}
}

// warn notes what of the file is not followed, or will hardly be meant. The file is good all the same.
func (v *validator) warn(path string, f flaw) {
	if at := v.values[path]; len(v.warnings) < maxProblems {
		v.warnings = append(v.warnings, Problem{File: v.file, Line: at.line, Column: at.column, Message: f.message, Remedy: f.remedy})
	}
}

// group reads a group address.
func group(text string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(text)
	return a, err == nil && multicast.IsGroup(a)
}

// groupRange reads a range; why says why the default is used instead. No range is the default without a reason.
func groupRange(ends []string) (r multicast.Range, why string) {
	if len(ends) != 2 {
		return multicast.DefaultRange(), ""
	}
	r.First, _ = group(ends[0])
	r.Last, _ = group(ends[1])
	if !r.First.IsMulticast() && !r.Last.IsMulticast() {
		return multicast.DefaultRange(), "no end of the range is a group address: the default range is used"
	}
	return r.Usable()
}

// buildMulticast makes a network's settings; has says whether the file has a key of them.
func buildMulticast(cluster bool, f FileMulticast, has func(key string) bool) Multicast {
	network := multicast.NotSet
	switch {
	case has("disabled") && f.Disabled:
		network = multicast.Yes
	case has("disabled"):
		network = multicast.No
	}
	r, why := groupRange(f.Range)
	m := Multicast{Disabled: multicast.Disabled(cluster, network), Own: network, Lenient: f.Lenient, First: r.First, Last: r.Last,
		Ranged: has("range") && why == "", NoMADCAP: has("madcap") && !f.MADCAP}
	var warnings []string
	if a, good := group(f.Address); good {
		m.Address = a
	} else if f.Address != "" {
		warnings = append(warnings, "address "+f.Address+" is no group address: the hosts choose one")
	}
	if why != "" {
		warnings = append(warnings, why)
	}
	m.Warning = strings.Join(warnings, "; ")
	return m
}
