package agent

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/delivery"
	"github.com/muster-ha/muster/internal/filter"
	"github.com/muster-ha/muster/internal/heartbeat"
	"github.com/muster-ha/muster/internal/system"
	"github.com/muster-ha/muster/internal/vip"
)

// carried is a VIP on this host; the zero value is one that it cannot carry.
type carried struct {
	link      vip.Interface
	way       way
	moved     bool   // to another delivery: announced when all hosts take in its target
	held      string // why this host does not answer for it although it directs it; empty: it does
	asking    vip.Asking
	announcer *vip.Announcer
	port      *vip.Port
	cancel    context.CancelFunc
	done      chan struct{}
}

func (c *carried) announce(on bool) {
	if c.announcer != nil {
		c.announcer.Direct(on)
	}
}

// renew announces again where the VIP is.
func (c *carried) renew() {
	if c.announcer != nil {
		c.announcer.Renew()
	}
}

// close stops announcing, and does not wait for the end of that: closing a raw socket takes the kernel tens of milliseconds.
func (c *carried) close() {
	if c.announcer == nil {
		return
	}
	c.announcer.Direct(false)
	c.cancel()
	go func() {
		<-c.done
		c.port.Close()
	}()
}

// carry makes the host carry a configuration's VIPs, as many as it can: h.vips has an entry for each afterwards. The filter guards an
// interface before an address appears behind it.
func (h *host) carry(cfg *config.Config) error {
	old := h.vips
	defer func() {
		for _, c := range old {
			c.close()
		}
	}()
	h.vips = emptyVIPs(cfg)
	if h.isWitness() {
		return nil // others serve
	}
	links, err := h.findLinks(cfg, h.known)
	if err != nil {
		return err
	}
	h.rehouse(cfg, links)
	ways := h.ways(cfg, links, time.Now())
	h.changes.Unclaim(func(c system.Change) bool { return vip.Carried(c) || ofTunnel(c) }) // what the configuration still names is claimed again below
	end, err := h.openTunnel(cfg)
	if err != nil {
		return err
	}
	if err := h.filter.Configure(setup(cfg, uint8(h.self), links, ways, end)); err != nil {
		return fmt.Errorf("configure filter: %w", err)
	}
	h.useTunnel(cfg, end)
	var errs []error
	for i := range cfg.VIPs {
		errs = append(errs, h.carryOne(cfg, i, links[i], ways[i]))
	}
	errs = append(errs, h.changes.ReleaseUnclaimed(), h.disarmOthers(links)) // addresses go while their filter is still there
	h.route(cfg)
	return errors.Join(errs...)
}

func (h *host) carryOne(cfg *config.Config, i int, link vip.Interface, w way) error {
	v := cfg.VIPs[i]
	if err := h.filter.Attach(link.Index); err != nil {
		return fmt.Errorf("arm filter on %s for VIP %s: %w", link.Name, v.Name, err)
	}
	if err := vip.Carry(h.changes, v.Address.Addr(), link.Name); err != nil {
		return err
	}
	if !cfg.Near(i, int(h.self)) {
		h.vips[i] = &carried{link: link}
		return nil
	}
	if err := w.receive(h.changes, link.Name); err != nil {
		return fmt.Errorf("carry VIP %s: %w", v.Name, err)
	}
	if v.Delivery == delivery.Routed {
		h.vips[i] = &carried{link: link, way: w} // routers are told, and nobody asks by ARP
		return nil
	}
	c, err := h.announcing(v.Address.Addr(), link, w)
	if err != nil {
		return fmt.Errorf("announce VIP %s: %w", v.Name, err)
	}
	c.moved = h.deliveryMoves(v)
	h.vips[i] = c
	return nil
}

// disarmOthers takes the filter off interfaces that no VIP is on any more, also those of an earlier agent.
func (h *host) disarmOthers(links []vip.Interface) error {
	armed, err := h.filter.Interfaces()
	if err != nil {
		return fmt.Errorf("list interfaces with the filter: %w", err)
	}
	for _, index := range armed {
		if index == h.tunnel.index || slices.ContainsFunc(links, func(l vip.Interface) bool { return l.Index == index }) {
			continue
		}
		if err := h.filter.Detach(index); err != nil {
			return err
		}
	}
	return nil
}

// carriable says what would keep this host from carrying a configuration's VIPs.
func (h *host) carriable(cfg *config.Config) error {
	if h.isWitness() {
		return nil
	}
	_, err := h.findLinks(cfg, nil)
	errs := []error{err}
	for _, v := range cfg.VIPs {
		errs = append(errs, vip.Free(v.Address.Addr()))
	}
	return errors.Join(errs...)
}

// findLinks finds every VIP's interface before anything is changed. known is where they were, by VIP.
func (h *host) findLinks(cfg *config.Config, known map[string]vip.Interface) ([]vip.Interface, error) {
	links := make([]vip.Interface, len(cfg.VIPs))
	routers, err := routersInterface(cfg)
	if err != nil {
		return nil, err
	}
	for i, v := range cfg.VIPs {
		name, err := h.interfaceOf(cfg, i)
		if err != nil {
			return nil, fmt.Errorf("VIP %s: %w", v.Name, err)
		}
		if v.Delivery == delivery.Routed {
			name = routers
		}
		link, err := vip.FindAgain(v.Address, name, known[v.Name])
		if err != nil {
			return nil, fmt.Errorf("VIP %s: %w", v.Name, err)
		}
		links[i] = link
	}
	return links, nil
}

// setup says in the filter's words what the configuration says.
func setup(cfg *config.Config, self uint8, links []vip.Interface, ways []way, end filter.Tunnel) filter.Setup {
	s := filter.Setup{Self: self, Own: []netip.Addr{cfg.Hosts[self].Address}, Tunnel: end}
	for i, v := range cfg.VIPs {
		s.VIPs = append(s.VIPs, filter.VIP{Address: v.Address.Addr(), Interface: links[i].Index, MAC: links[i].MAC,
			Answer: ways[i].now.MAC, Taken: ways[i].macs(), Tunnel: v.Tunnel != config.NoTunnel})
	}
	for _, r := range cfg.Rules {
		rule := filter.Rule{VIP: r.VIP, Protocol: uint8(r.Protocol), Hash: hashOf(r), Remember: r.Remember}
		for _, p := range r.Ports {
			rule.Ports = append(rule.Ports, filter.PortRange{First: p.First, Last: p.Last})
		}
		s.Rules = append(s.Rules, rule)
	}
	return s
}

// hashOf says what of a client decides its bucket in a rule.
func hashOf(r config.Rule) filter.Hash {
	return filter.Hash{ByPort: r.Affinity == config.AffinityNone, Net4: r.Net4, Net6: r.Net6}
}

// announcing starts the announcer of a VIP.
func (h *host) announcing(addr netip.Addr, link vip.Interface, w way) (*carried, error) {
	port, err := vip.OpenPort(link)
	if err != nil {
		return nil, err
	}
	announcer, err := vip.NewAnnouncer(vip.AnnouncerOptions{Address: addr, MAC: w.told(link), Card: link.MAC, Send: port.Send, Log: h.log,
		Allowed: func() bool { return h.filter.Lease() > filter.BootTime() }})
	if err != nil {
		port.Close()
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &carried{link: link, way: w, announcer: announcer, port: port, cancel: cancel, done: make(chan struct{})}
	c.asking.Begin(time.Now())
	go func() { defer close(c.done); announcer.Run(ctx) }()
	return c, nil
}

func (h *host) stopAnnouncing() {
	h.tunnel.close()
	h.probing.close()
	for _, c := range h.vips {
		c.close()
	}
}

// linkAddresses tells the others where to forward to.
func (h *host) linkAddresses() []heartbeat.LinkAddr {
	list := make([]heartbeat.LinkAddr, 0, len(h.vips))
	for i, c := range h.vips {
		if len(c.link.MAC) == 6 && h.config.Near(i, int(h.self)) { // it is carried, where others can send frames to
			list = append(list, heartbeat.LinkAddr{VIP: uint8(i), MAC: [6]byte(c.link.MAC)})
		}
	}
	if len(h.tunnel.MAC) == 6 {
		list = append(list, heartbeat.LinkAddr{VIP: heartbeat.TunnelLink, MAC: [6]byte(h.tunnel.MAC)})
	}
	return list
}
