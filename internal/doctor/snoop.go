package doctor

import (
	"fmt"
	"strings"

	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/delivery"
)

// bridges is whether this host's own switch lets frames to the cluster's MAC through.
func (f *findings) bridges(cfg *config.Config, facts Facts) {
	for i, v := range cfg.VIPs {
		if i >= len(facts.Places) || facts.Places[i].Err != nil {
			continue
		}
		name := facts.Places[i].Link.Name
		switch b, is := facts.Bridges[name]; {
		case !is:
		case v.Delivery == delivery.Multicast || v.Delivery == delivery.IGMP:
			querier := b.Querier6
			if v.Address.Addr().Is4() {
				querier = b.Querier4 || facts.Queriers[name].Address.IsValid()
			}
			f.snoops(name, b, querier)
		case v.Delivery == delivery.Unicast && b.Ports > 1:
			f.note(CheckBridge, "interface "+name, "it is a bridge, which keeps frames to the cluster's MAC for this host: clients at its other ports reach no other host",
				"write `delivery: directed`, if there are such clients")
		}
	}
}

// snoops is what a bridge does with frames to a multicast MAC whose packets are for no group: it passes them to multicast routers alone, once there is a
// querier.
func (f *findings) snoops(name string, b Bridge, querier bool) {
	var remedy []string
	if !b.Router {
		remedy = append(remedy, fmt.Sprintf("`ip link set %s type bridge mcast_router 2`", name))
	}
	if b.Ports > 1 && (b.Own || !querier) { // at a port where a querier is heard, routers are taken to be
		for _, port := range b.Closed {
			remedy = append(remedy, fmt.Sprintf("`bridge link set dev %s mcast_router 2`", port))
		}
	}
	if !b.Snoops || len(remedy) == 0 {
		return
	}
	do := "run " + strings.Join(remedy, " and ") + ", and set it where the bridge is configured"
	if querier {
		f.add(CheckBridge, "interface "+name, "it is a bridge that snoops, and there is a querier: frames to the cluster's MAC go to multicast routers only, and do not arrive", do)
		return
	}
	f.note(CheckBridge, "interface "+name, "it is a bridge that snoops: once there is a querier, frames to the cluster's MAC go to multicast routers only, and do not arrive", do)
}
