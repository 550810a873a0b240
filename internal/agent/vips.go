package agent

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/filter"
	"github.com/muster-ha/muster/internal/heartbeat"
	"github.com/muster-ha/muster/internal/vip"
)

// carried is a VIP on this host.
type carried struct {
	link      vip.Interface
	announcer *vip.Announcer
	port      *vip.Port
	cancel    context.CancelFunc
	done      chan struct{}
}

func (c *carried) announce(on bool) { c.announcer.Direct(on) }

// close stops announcing.
func (c *carried) close() {
	c.cancel()
	<-c.done
	c.port.Close()
}

// carry makes the host carry a configuration's VIPs, all of them or, on an error, none that were not there before. The filter
// guards an interface before an address appears behind it.
func (h *host) carry(cfg *config.Config) error {
	links, err := findLinks(cfg)
	if err != nil {
		return err
	}
	if err := h.filter.Configure(setup(cfg, uint8(h.self), links)); err != nil {
		return fmt.Errorf("configure filter: %w", err)
	}
	h.changes.Unclaim(vip.Carried) // what the configuration still names is claimed again below
	old := h.vips
	h.vips = nil
	for i, v := range cfg.VIPs {
		if err := h.filter.Attach(links[i].Index); err != nil {
			return fmt.Errorf("arm filter on %s for VIP %s: %w", links[i].Name, v.Name, err)
		}
		if err := vip.Carry(h.changes, v.Address.Addr(), links[i].Name); err != nil {
			return err
		}
		c, err := h.announcing(v.Address.Addr(), links[i])
		if err != nil {
			return fmt.Errorf("announce VIP %s: %w", v.Name, err)
		}
		h.vips = append(h.vips, c)
	}
	for _, c := range old {
		c.close()
	}
	if err := h.changes.ReleaseUnclaimed(); err != nil { // addresses go while their filter is still there
		return err
	}
	return h.disarmOthers(links)
}

// disarmOthers takes the filter off interfaces that no VIP is on any more, also those of an earlier agent.
func (h *host) disarmOthers(links []vip.Interface) error {
	armed, err := h.filter.Interfaces()
	if err != nil {
		return fmt.Errorf("list interfaces with the filter: %w", err)
	}
	for _, index := range armed {
		if slices.ContainsFunc(links, func(l vip.Interface) bool { return l.Index == index }) {
			continue
		}
		if err := h.filter.Detach(index); err != nil {
			return err
		}
	}
	return nil
}

// findLinks finds every VIP's interface before anything is changed.
func findLinks(cfg *config.Config) ([]vip.Interface, error) {
	links := make([]vip.Interface, len(cfg.VIPs))
	for i, v := range cfg.VIPs {
		link, err := vip.Find(v.Address, v.Interface)
		if err != nil {
			return nil, fmt.Errorf("VIP %s: %w", v.Name, err)
		}
		links[i] = link
	}
	return links, nil
}

// setup says in the filter's words what the configuration says.
func setup(cfg *config.Config, self uint8, links []vip.Interface) filter.Setup {
	s := filter.Setup{Self: self}
	for i, v := range cfg.VIPs {
		s.VIPs = append(s.VIPs, filter.VIP{Address: v.Address.Addr(), Interface: links[i].Index, MAC: links[i].MAC})
	}
	for _, r := range cfg.Rules {
		rule := filter.Rule{VIP: r.VIP, Protocol: uint8(r.Protocol), ByPort: r.Affinity == config.AffinityNone}
		for _, p := range r.Ports {
			rule.Ports = append(rule.Ports, filter.PortRange{First: p.First, Last: p.Last})
		}
		s.Rules = append(s.Rules, rule)
	}
	return s
}

// announcing starts the announcer of a VIP.
func (h *host) announcing(addr netip.Addr, link vip.Interface) (*carried, error) {
	port, err := vip.OpenPort(link)
	if err != nil {
		return nil, err
	}
	announcer, err := vip.NewAnnouncer(vip.AnnouncerOptions{Address: addr, MAC: link.MAC, Send: port.Send, Log: h.log,
		Allowed: func() bool { return h.filter.Lease() > filter.BootTime() }})
	if err != nil {
		port.Close()
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &carried{link: link, announcer: announcer, port: port, cancel: cancel, done: make(chan struct{})}
	go func() { defer close(c.done); announcer.Run(ctx) }()
	return c, nil
}

func (h *host) stopAnnouncing() {
	for _, c := range h.vips {
		c.close()
	}
}

// linkAddresses tells the others where to forward to.
func (h *host) linkAddresses() []heartbeat.LinkAddr {
	list := make([]heartbeat.LinkAddr, len(h.vips))
	for i, c := range h.vips {
		list[i] = heartbeat.LinkAddr{VIP: uint8(i), MAC: [6]byte(c.link.MAC)}
	}
	return list
}
