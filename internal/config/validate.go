package config

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/muster-ha/muster/internal/delivery"
)

// validator judges what takes more than one value to judge. Values with a problem of their own are left out, so that one
// mistake gives one message.
type validator struct {
	*decoder
	f *File
}

func (v *validator) all() {
	v.heartbeat()
	v.networks()
	v.groups()
	v.checks()
	v.subnets()
	v.tunnels()
	v.uniqueAddresses()
	v.oneFamily()
	v.witnesses()
	v.ruleCount()
	v.routing()
	for _, name := range sorted(v.f.VIPs) {
		v.rules("/vips/"+name+"/rules", v.f.VIPs[name].Rules)
		v.hostList("/vips/"+name+"/default", v.f.VIPs[name].Default)
	}
}

// sorted gives a map's keys in order.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func (v *validator) heartbeat() {
	profile, interval, tolerance := v.has("/heartbeat/profile"), v.has("/heartbeat/interval"), v.has("/heartbeat/tolerance")
	switch {
	case profile && (interval || tolerance):
		v.wrong("/heartbeat/profile", flaw{"`profile` and settings of its own exclude each other", "remove `profile`, or `interval` and `tolerance`"})
	case interval && !tolerance:
		v.wrong("/heartbeat/interval", flaw{"`interval` needs a `tolerance` beside it", "add for example `tolerance: 15`"})
	case tolerance && !interval:
		v.wrong("/heartbeat/tolerance", flaw{"`tolerance` needs an `interval` beside it", "add for example `interval: 20ms`"})
	}
}

// networks finds two networks on one interface.
func (v *validator) networks() {
	first := map[string]string{}
	for _, name := range v.inOrder("/heartbeat/networks/", sorted(v.f.Heartbeat.Networks)) {
		path, n := "/heartbeat/networks/"+name+"/interface", v.f.Heartbeat.Networks[name]
		if n.Interface == "" {
			continue
		}
		if other, twice := first[n.Interface]; twice {
			v.wrong(path, flaw{fmt.Sprintf("network %s has the interface of network %s", quote(name), quote(other)), "give each its own interface, or remove one of them"})
			continue
		}
		first[n.Interface] = name
	}
}

// inOrder sorts names by their places in the file.
func (v *validator) inOrder(below string, names []string) []string {
	slices.SortStableFunc(names, func(a, b string) int { return v.order(below+a, below+b) })
	return names
}

func (v *validator) checks() {
	for _, name := range sorted(v.f.Checks) {
		path, c := "/checks/"+name, v.f.Checks[name]
		if v.has(path+"/http") && v.has(path+"/tcp") {
			v.missing(path+"/tcp", flaw{"check " + quote(name) + " has two probes", "keep `http` or `tcp`, and make a second check of the other"})
		}
		if !v.has(path+"/http") && !v.has(path+"/tcp") && !v.spoiled[path] {
			v.missing(path, flaw{"check " + quote(name) + " has no probe", "add `http: {url: \"http://127.0.0.1/\"}` or `tcp: {address: \"127.0.0.1:21\"}`"})
		}
		if c.Interval > 0 && c.Timeout > c.Interval {
			v.wrong(path+"/timeout", flaw{fmt.Sprintf("timeout %v is longer than the interval of %v", c.Timeout, c.Interval), fmt.Sprintf("write at most `%v`, or make the interval longer", c.Interval)})
		}
	}
}

// subnets finds VIPs whose subnet does not hold the hosts.
func (v *validator) subnets() {
	for _, name := range sorted(v.f.VIPs) {
		path, vip := "/vips/"+name, v.f.VIPs[name]
		if !vip.Address.IsValid() || v.has(path+"/interface") || vip.Tunnel == "vxlan" || vip.Delivery == delivery.Routed.String() {
			continue // a routed one may be of any network: the routers know where it is
		}
		in, out := v.split(vip.Address)
		remedy := "correct the address or its prefix length, or name the network with `interface:`"
		switch {
		case len(out) == 0:
		case in == 0:
			v.wrong(path+"/address", flaw{fmt.Sprintf("%s is outside every host's subnet", quote(vip.Address.String())), remedy})
		default:
			h := out[0]
			v.wrong(path+"/address", flaw{fmt.Sprintf("the subnet %v does not hold host %s (%v)", vip.Address.Masked(), quote(h), v.f.Hosts[h].Address), remedy})
		}
	}
}

// split counts the hosts inside a prefix and names those outside. A host of the other family may have an address there that the file does not tell:
// its agent looks when it starts.
func (v *validator) split(p netip.Prefix) (in int, out []string) {
	for _, name := range sorted(v.f.Hosts) {
		a := v.f.Hosts[name].Address
		switch {
		case !a.IsValid() || a.Is4() != p.Addr().Is4():
		case p.Contains(a):
			in++
		default:
			out = append(out, name)
		}
	}
	return in, out
}

// owner is a host or VIP with its address.
type owner struct {
	what string
	path string
	a    netip.Addr
}

// uniqueAddresses finds hosts and VIPs with one and the same address.
func (v *validator) uniqueAddresses() {
	var all []owner
	for name, h := range v.f.Hosts {
		all = append(all, owner{"host " + quote(name), "/hosts/" + name + "/address", h.Address})
	}
	for name, p := range v.f.VIPs {
		all = append(all, owner{"VIP " + quote(name), "/vips/" + name + "/address", p.Address.Addr()})
	}
	all = slices.DeleteFunc(all, func(o owner) bool { return !o.a.IsValid() })
	slices.SortFunc(all, func(a, b owner) int { return cmp.Or(v.order(a.path, b.path), cmp.Compare(a.path, b.path)) })
	first := map[netip.Addr]owner{}
	for _, o := range all {
		before, twice := first[o.a]
		if !twice {
			first[o.a] = o
			continue
		}
		v.wrong(o.path, flaw{
			fmt.Sprintf("%s has the address %v of %s on line %d", o.what, o.a, before.what, v.values[before.path].line),
			"give each its own address",
		})
	}
}

// order compares two values' places in the file.
func (v *validator) order(a, b string) int {
	p, q := v.values[a], v.values[b]
	return cmp.Or(cmp.Compare(p.line, q.line), cmp.Compare(p.column, q.column))
}
