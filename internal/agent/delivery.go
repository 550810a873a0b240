package agent

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/delivery"
	"github.com/muster-ha/muster/internal/system"
	"github.com/muster-ha/muster/internal/vip"
)

// keepFormer is how long hosts take in what is sent to the MAC of a delivery before a change. Neighbours are told of the new one at once and
// again after 30 s (vip.Refresh); a cache that heard neither asks anew within a minute.
const keepFormer = time.Minute

// way is how packets for a VIP reach the host.
type way struct {
	now    delivery.Target
	before delivery.Target // still taken in; without MAC: none
	until  time.Time       // when it ceases to be
}

// macs are the cluster's MACs, today's first.
func (w way) macs() []net.HardwareAddr {
	var all []net.HardwareAddr
	for _, t := range []delivery.Target{w.now, w.before} {
		if t.MAC != nil {
			all = append(all, t.MAC)
		}
	}
	return all
}

// told is the MAC that clients are told.
func (w way) told(link vip.Interface) net.HardwareAddr {
	if w.now.MAC != nil {
		return w.now.MAC
	}
	return link.MAC
}

// receive makes the host take all of it in.
func (w way) receive(j *system.Journal, iface string) error {
	return errors.Join(vip.Receive(j, w.now, iface), vip.Receive(j, w.before, iface))
}

// formers remembers the deliveries that VIPs had, and until when their targets are taken in: at most one for each mode.
type formers map[netip.Addr]map[delivery.Mode]time.Time

// way decides for one VIP, from what the host takes in for it as things are. What an earlier agent took in begins its minute anew.
func (f formers) way(addr netip.Addr, today delivery.Mode, had []delivery.Mode, now time.Time) way {
	w := way{now: delivery.Of(today, addr)}
	ends := f[addr]
	if ends == nil {
		ends = map[delivery.Mode]time.Time{}
		f[addr] = ends
	}
	delete(ends, today)
	for _, m := range had {
		if _, known := ends[m]; !known && m != today {
			ends[m] = now.Add(keepFormer)
		}
	}
	for _, m := range delivery.Modes() { // the filter has place for one: the newest
		if end := ends[m]; end.After(now) && end.After(w.until) {
			w.before, w.until = delivery.Of(m, addr), end
		}
	}
	return w
}

// ways decides for all VIPs of a configuration.
func (h *host) ways(cfg *config.Config, links []vip.Interface, now time.Time) []way {
	if h.formers == nil {
		h.formers = formers{}
	}
	for addr := range h.formers {
		if !slices.ContainsFunc(cfg.VIPs, func(v config.VIP) bool { return v.Address.Addr() == addr }) {
			delete(h.formers, addr)
		}
	}
	all := make([]way, len(links))
	for i, v := range cfg.VIPs {
		addr := v.Address.Addr()
		all[i] = h.formers.way(addr, v.Delivery, vip.Received(h.changes, addr, links[i].Name), now)
	}
	return all
}

// deliveryMoves reports whether a VIP of a new configuration has another delivery than now.
func (h *host) deliveryMoves(v config.VIP) bool {
	return slices.ContainsFunc(h.config.VIPs, func(o config.VIP) bool { return o.Address == v.Address && o.Delivery != v.Delivery })
}

// forgetFormer ends the minute in which the target of a delivery before is taken in.
func (h *host) forgetFormer(now time.Time) {
	over := func(c *carried) bool { return !c.way.until.IsZero() && !now.Before(c.way.until) }
	if h.uncarried != nil || !slices.ContainsFunc(h.vips, over) {
		return
	}
	links := make([]vip.Interface, len(h.vips))
	for i, c := range h.vips {
		links[i] = c.link
	}
	ways := h.ways(h.config, links, now)
	if err := h.retake(links, ways); err != nil {
		h.log.Error("cannot end the delivery of before: trying again", "err", err)
		return
	}
	for i, c := range h.vips {
		if over(c) {
			h.log.Info("the MAC of the delivery before is not taken in any more", "vip", h.config.VIPs[i].Name, "mac", c.way.before.MAC)
		}
		c.way = ways[i]
	}
}

// retake makes the host take in exactly what the ways say: the filter first, which then drops what still comes.
func (h *host) retake(links []vip.Interface, ways []way) error {
	if err := h.filter.Configure(setup(h.config, uint8(h.self), links, ways, h.tunnel.Tunnel)); err != nil {
		return fmt.Errorf("configure filter: %w", err)
	}
	h.changes.Unclaim(vip.Reception)
	var errs []error
	for i, w := range ways {
		errs = append(errs, w.receive(h.changes, links[i].Name))
	}
	return errors.Join(append(errs, h.changes.ReleaseUnclaimed())...)
}

// deliveryStatus fills in where clients send to.
func (h *host) deliveryStatus(s *api.VIPStatus, i int) {
	v := h.config.VIPs[i]
	t := delivery.Of(v.Delivery, v.Address.Addr())
	s.Delivery, s.MAC = v.Delivery.String(), t.MAC.String()
	if t.Group.IsValid() {
		s.Group = t.Group.String()
	}
	s.FormerMAC = h.vips[i].way.before.MAC.String()
}
