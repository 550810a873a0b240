package agent

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/bgp"
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/delivery"
	"github.com/muster-ha/muster/internal/filter"
	"github.com/muster-ha/muster/internal/vip"
)

const (
	// routeSettle is how long a router may take to stop sending here after it was told so. Software takes milliseconds, the tables of a
	// switch some hundred; until then this host goes on as before, so nobody waits for it.
	routeSettle = time.Second
	// routeStumble is how long a lease may have lapsed before the routers hear of it: they need longer to move than most lapses last.
	routeStumble = 500 * time.Millisecond
)

// routing is this host's part of delivery routed. Its fields belong to the loop.
type routing struct {
	speaker   *bgp.Speaker
	passwords map[string]string // of routers, by name
	prefixes  []netip.Prefix    // of the routed VIPs that this host carries
	stopping  bool              // announce nothing any more
	on        bool              // what was decided last
	good      time.Time         // when the lease was last seen to run
}

// startRouting readies the speaker, which says nothing yet.
func (h *host) startRouting() (err error) {
	if h.routing.passwords, err = loadPasswords(h.config); err != nil {
		return err
	}
	h.routing.speaker = bgp.Start(h.log, func(c bgp.Change) { h.later(func() { h.sessionChanged(c) }) })
	return nil
}

// loadPasswords reads the passwords of a configuration's routers.
func loadPasswords(cfg *config.Config) (map[string]string, error) {
	passwords := map[string]string{}
	for _, n := range cfg.BGP.Neighbors {
		password, err := config.LoadPassword(n.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("router %s: %w", n.Name, err)
		}
		passwords[n.Name] = password
	}
	return passwords, nil
}

// routersInterface is the one interface that a configuration's routers are on; empty: it routes nothing.
func routersInterface(cfg *config.Config) (string, error) {
	if !cfg.Routes() {
		return "", nil
	}
	first := ""
	for _, n := range cfg.BGP.Neighbors {
		name, err := vip.Toward(n.Address)
		if err != nil {
			return "", fmt.Errorf("router %s: %w", n.Name, err)
		}
		if first != "" && name != first {
			return "", fmt.Errorf("router %s is reached by %s and router %s by %s: routed addresses need all on one interface, which the filter guards",
				cfg.BGP.Neighbors[0].Name, first, n.Name, name)
		}
		first = name
	}
	for _, v := range cfg.VIPs {
		if v.Delivery == delivery.Routed && v.Interface != "" && v.Interface != first {
			return "", fmt.Errorf("VIP %s names interface %s, and the routers are reached by %s: correct `interface:`, or the addresses of the routers", v.Name, v.Interface, first)
		}
	}
	return first, nil
}

// route tells the speaker which routers a configuration has. Addresses that cannot be carried are not announced.
func (h *host) route(cfg *config.Config) {
	r := &h.routing
	r.prefixes = nil
	peering := bgp.Peering{AS: uint32(cfg.BGP.AS), RouterID: routerID(cfg.Hosts[h.self].Address)}
	for i, v := range cfg.VIPs {
		if link := h.vips[i].link; v.Delivery == delivery.Routed && link.Index != 0 {
			a := v.Address.Addr()
			r.prefixes = append(r.prefixes, netip.PrefixFrom(a, a.BitLen()))
			peering.Interface = link.Name
		}
	}
	if len(r.prefixes) > 0 {
		for _, n := range cfg.BGP.Neighbors {
			peering.Neighbors = append(peering.Neighbors, bgp.Neighbor{Name: n.Name, Address: n.Address, AS: uint32(n.AS),
				Password: r.passwords[n.Name], HoldTime: n.HoldTime, BFD: n.BFD})
		}
	}
	r.speaker.Set(peering)
}

// routerID is this host's number in BGP: its IPv4 address, or four bytes that stand for its IPv6 one. RFC 6286 wants it unique
// among the hosts and not zero, and no more.
func routerID(a netip.Addr) netip.Addr {
	if a.Is4() {
		return a
	}
	sum := sha256.Sum256(a.AsSlice())
	return netip.AddrFrom4([4]byte{sum[0] | 1, sum[1], sum[2], sum[3]})
}

// herald has the routers told of the addresses that this host may serve.
func (h *host) herald(now time.Time) {
	r := &h.routing
	m, in := memberOf(h.shares.view, h.self)
	lease := h.filter.Lease() > filter.BootTime()
	serves := in && m.Weight > 0 && h.attributes.Weight > 0 && !h.mute() && !r.stopping
	if r.decide(now, serves, h.shares.installed, lease); r.on {
		r.speaker.Announce(r.prefixes)
	} else {
		r.speaker.Announce(nil)
	}
}

// decide says whether to announce. A host that serves begins when its share is installed and its lease runs. It goes on through changes of
// the view, in which it stays, and through short lapses of the lease; it ends at once when it gives its share away.
func (r *routing) decide(now time.Time, serves, installed, lease bool) {
	if lease {
		r.good = now
	}
	switch {
	case !serves:
		r.on = false
	case lease && installed:
		r.on = true
	default:
		r.on = r.on && now.Sub(r.good) < routeStumble
	}
}

// withdrawRoutes takes the routes away before anything else of this host ends, and gives the routers time to move.
func (h *host) withdrawRoutes(ctx context.Context) {
	announced := false
	h.do(ctx, func() {
		announced = h.routing.on && len(h.routing.prefixes) > 0
		h.routing.stopping = true
	})
	if announced {
		pause(ctx, routeSettle)
	}
}

// sessionChanged tells of a session with a router that came or went.
func (h *host) sessionChanged(c bgp.Change) {
	e := api.Event{At: time.Now(), Kind: "router_up", Host: h.opt.Host, Text: "router " + c.Neighbor + " has a session with this host"}
	if !c.Up {
		e.Kind, e.Text = "router_down", "router "+c.Neighbor+" has no session with this host any more: "+c.Why
	}
	h.log.Info(e.Kind, "router", c.Neighbor, "why", c.Why)
	h.record(e)
}

// bgpStatus is how things stand with the routers.
func (h *host) bgpStatus() []api.BGPStatus {
	list := []api.BGPStatus{}
	for _, s := range h.routing.speaker.Sessions() {
		out := api.BGPStatus{Neighbor: s.Neighbor, Address: s.Address.String(), AS: s.AS, Up: s.Up, Why: s.Why, Remedy: s.Remedy, Announced: []string{}}
		if !s.Since.IsZero() {
			out.Since = &s.Since
		}
		for _, p := range s.Announced {
			out.Announced = append(out.Announced, p.String())
		}
		list = append(list, out)
	}
	return list
}

// bgpProblems is which routers do not send clients here.
func bgpProblems(s api.Status) (list []api.Problem) {
	for _, b := range s.BGP {
		if !b.Up && b.Remedy != "" {
			list = append(list, api.Problem{About: "router " + b.Neighbor, What: fmt.Sprintf("%s has no session with host %s: %s", b.Address, s.Host, b.Why), Remedy: b.Remedy})
		}
	}
	return list
}
