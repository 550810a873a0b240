package doctor

import (
	"fmt"
	"maps"
	"slices"

	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/delivery"
)

// longest is the frame that the longest heartbeat makes: 1,472 bytes of datagram, and the headers of UDP and IPv4.
const longest = 1500

// virtual are drivers of cards whose switch is a hypervisor's: it knows which MACs its machines have, and gives them no others.
func virtual() map[string]string {
	return map[string]string{
		"virtio_net": "KVM", "vmxnet3": "VMware", "hv_netvsc": "Hyper-V", "xen-netfront": "Xen", "vif": "Xen", "ena": "AWS", "gve": "Google Cloud", "mana": "Azure",
	}
}

// places is where VIPs are and whether clients can be there.
func (f *findings) places(cfg *config.Config, facts Facts) {
	for i, p := range facts.Places {
		if p.Err != nil {
			f.add(CheckInterface, "VIP "+cfg.VIPs[i].Name, p.Err.Error(), "give every host such an interface, or correct the file")
			continue
		}
		switch link, known := facts.Links[p.Link.Name]; {
		case !p.Link.Up:
			f.add(CheckInterface, "interface "+p.Link.Name, "it is switched off", "run `ip link set "+p.Link.Name+" up`")
		case known && !link.Carrier:
			f.add(CheckInterface, "interface "+p.Link.Name, "it has no carrier", "see the cable and the port of the switch")
		}
	}
}

// sizes is what does not fit.
func (f *findings) sizes(facts Facts) {
	for _, name := range slices.Sorted(maps.Keys(facts.Links)) {
		if l := facts.Links[name]; l.MTU > 0 && l.MTU < longest {
			f.note(CheckMTU, "interface "+name, fmt.Sprintf("its MTU is %d: the longest heartbeats make packets of %d bytes and go in fragments, each of which can be lost", l.MTU, longest),
				fmt.Sprintf("run `ip link set %s mtu %d` on every host if the network carries it; if not, see that all hosts have the same", name, longest))
		}
	}
}

// tunnels is what grows too large when it is wrapped. It works all the same: clients are told to send less, or datagrams are cut.
func (f *findings) tunnels(facts Facts) {
	whole := 0 // the largest packet that a client's network brings
	for _, p := range facts.Places {
		whole = max(whole, facts.Links[p.Link.Name].MTU)
	}
	for _, t := range facts.Tunnels {
		switch {
		case t.Err != nil:
			f.note(CheckMTU, "tunnel to host "+t.Host, "how large packets the way takes is not known: "+t.Err.Error(), "see that the host is up and reached")
		case t.Takes < whole+t.Adds:
			f.note(CheckMTU, "tunnel to host "+t.Host, fmt.Sprintf("the way takes packets of %d bytes, which leaves %d for what is wrapped, and clients send up to %d", t.Takes, t.Takes-t.Adds, whole),
				fmt.Sprintf("make the MTU between the hosts %d or more; until then clients are told to send less", whole+t.Adds))
		}
	}
}

// paths is what the network between the hosts loses.
func (f *findings) paths(facts Facts) {
	for _, p := range facts.Paths {
		switch {
		case p.Small && !p.Full:
			f.add(CheckPath, "host "+p.Host, fmt.Sprintf("%s answers a short ping and none of %d bytes: something between loses what is long, and with it the longest heartbeats", p.Address, longest),
				"make the MTU of every switch port, tunnel and VLAN between the hosts as large as that of their interfaces, or that of the interfaces smaller")
		case !p.Small:
			f.note(CheckPath, "host "+p.Host, fmt.Sprintf("%s answers no ping", p.Address), "see that it is up; if it is, and refuses pings, this cannot be tested from here")
		}
	}
}

// reverse is whether the kernel takes clients' packets for forged.
func (f *findings) reverse(cfg *config.Config, facts Facts) {
	for i, p := range facts.Places {
		name := p.Link.Name
		if p.Err != nil || !cfg.VIPs[i].Address.Addr().Is4() || facts.Links[name].Reverse != 1 || facts.Default4 == name {
			continue
		}
		way := "there is no default route"
		if facts.Default4 != "" {
			way = "the default route leaves by " + facts.Default4
		}
		say := f.note
		if cfg.VIPs[i].Delivery == delivery.Routed {
			say = f.add // no client is on this network
		}
		say(CheckFilter, "interface "+name, fmt.Sprintf("clients of other networks come in here, %s, and rp_filter is 1 (strict): the kernel drops the packets of those that it has no route to by this interface", way),
			fmt.Sprintf("run `sysctl net.ipv4.conf.%s.rp_filter=2` (loose; keep it in /etc/sysctl.d), or give this host a default route by %s", name, name))
	}
}

// exits is whether the host has a route to its own networks. A running agent says it too, and of a default route that it has seen.
func (f *findings) exits(facts Facts) {
	for _, e := range facts.Exits {
		if !e.There && e.Due {
			what, remedy := e.Loss()
			f.add(CheckRoute, "interface "+e.Link, what, remedy)
		}
	}
}

// igmp is whether somebody keeps the switches' tables of groups.
func (f *findings) igmp(cfg *config.Config, facts Facts) {
	for i, v := range cfg.VIPs {
		if v.Delivery != delivery.IGMP || i >= len(facts.Places) || facts.Places[i].Err != nil || !v.Address.Addr().Is4() {
			continue
		}
		name := facts.Places[i].Link.Name
		switch q, asked := facts.Queriers[name]; {
		case !asked:
		case q.Err != nil:
			f.add(CheckIGMP, "interface "+name, "nobody could listen for an IGMP querier: "+q.Err.Error(), "run this as root")
		case !q.Address.IsValid():
			f.add(CheckIGMP, "interface "+name, "no IGMP querier was heard: a switch that snoops forgets the hosts after a few minutes, and clients with them",
				"switch a querier on in the router or the switch of this VLAN (`muster switch` has the lines), or listen for longer than its interval with `muster doctor --only igmp --listen 130s`")
		}
	}
}

// unicast is whether frames to a MAC that nobody has reach the hosts.
func (f *findings) unicast(cfg *config.Config, facts Facts) {
	for i, v := range cfg.VIPs {
		if v.Delivery != delivery.Unicast || i >= len(facts.Places) || facts.Places[i].Err != nil {
			continue
		}
		name := facts.Places[i].Link.Name
		if maker := virtual()[facts.Links[name].Driver]; maker != "" {
			f.add(CheckUnicast, "VIP "+v.Name, fmt.Sprintf("delivery is unicast, and %s is a card of a virtual machine (%s): its switch gives a machine no frames for a MAC that it does not have", name, maker),
				"write `delivery: directed`; or allow promiscuous mode for the ports of all hosts on the hypervisor")
		}
		if mac := facts.Foreign[name]; mac != "" {
			f.add(CheckUnicast, "VIP "+v.Name, fmt.Sprintf("somebody sends frames from %s, the cluster's MAC: switches learn it, and then no host but that one gets the clients' frames", mac),
				"find that machine (a host of the former cluster, or one that was given this MAC by hand) and take the MAC from it")
		}
	}
}

// routed is whether the routers can be spoken to.
func (f *findings) routed(facts Facts) {
	first := ""
	for _, r := range facts.Routers {
		switch {
		case r.Err != nil:
			f.add(CheckRouted, "router "+r.Name, r.Err.Error(), "BGP sessions go over one network only: name a router next to the hosts")
		case first == "":
			first = r.Interface
		case first != r.Interface:
			f.add(CheckRouted, "router "+r.Name, fmt.Sprintf("it is reached by %s and the first one by %s", r.Interface, first), "name routers on one interface: the filter guards that one")
		}
	}
}
