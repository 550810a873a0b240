package agent

import (
	"net/netip"
	"slices"
	"time"

	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/heartbeat"
	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/vip"
)

// probeLook is how often the loop reads which probes have come, sends what is due, and judges. It wakes nobody: the loop's ticks come oftener.
const probeLook = time.Second

// probing is what the loop knows of the probes of VIPs that all hosts take in (docs/design/0021-probe.md).
type probing struct {
	next time.Time        // look
	taps map[int]*vip.Tap // by index of the interface
	vips map[netip.Addr]*probed
	deaf bool // a tap could not be opened: told once
}

// probedWay is what probes of a VIP depend on.
type probedWay struct {
	link     int
	card, to [6]byte
}

// probed is a VIP that this host sends probes for.
type probed struct {
	way      probedWay
	frame    []byte
	tried    time.Time // to send one, last
	sends    bool      // the last one went out: what heartbeats say
	arrivals vip.Arrivals
	missing  member.Set // whose frames do not arrive, as told last
}

// probe does everything that has to do with probes, when it is time.
func (h *host) probe(now time.Time) {
	if now.Before(h.probing.next) {
		return
	}
	h.probing.next = now.Add(probeLook)
	h.followWays()
	h.openTaps()
	h.hearProbes(now)
	for i, v := range h.config.VIPs {
		one := h.probing.vips[v.Address.Addr()]
		if one == nil {
			continue
		}
		h.sendProbe(i, one, now)
		h.judgeArrivals(i, one, now)
	}
}

// followWays has an entry for each VIP that is probed, a new one where its MAC or interface is another than before.
func (h *host) followWays() {
	kept := map[netip.Addr]*probed{}
	for i, v := range h.config.VIPs {
		a := v.Address.Addr()
		way, ok := h.probedWay(i)
		switch old := h.probing.vips[a]; {
		case !ok:
		case old != nil && old.way == way:
			kept[a] = old
		default:
			if one := h.newProbed(v, way); one != nil {
				kept[a] = one
			}
		}
	}
	for a, old := range h.probing.vips {
		if kept[a] != old {
			h.tellArrivals(framesBack, a, old, old.missing, "are not waited for any more: the delivery or the interface is another")
		}
	}
	h.probing.vips = kept
}

// probedWay is the way of a VIP that this host takes in beside all the others; false: it does not, or on no network that they are on.
func (h *host) probedWay(i int) (w probedWay, ok bool) {
	c := h.vips[i]
	to := c.way.now.MAC
	if c.announcer == nil || len(to) != 6 || len(c.link.MAC) != 6 {
		return w, false
	}
	return probedWay{link: c.link.Index, card: [6]byte(c.link.MAC), to: [6]byte(to)}, true
}

// newProbed makes the probe for a VIP; nil: there can be none.
func (h *host) newProbed(v config.VIP, w probedWay) *probed {
	source := vip.SourceOn(w.link, v.Address, h.config.Hosts[h.self].Address)
	p, err := vip.NewProbe(source, v.Address.Addr(), w.card[:], w.to[:], uint8(h.self))
	if err != nil {
		h.log.Warn("cannot ask the network whether it delivers", "vip", v.Name, "err", err)
		return nil
	}
	return &probed{way: w, frame: p.Frame()}
}

// openTaps listens on the interfaces of what is probed, and on no others.
func (h *host) openTaps() {
	wanted := map[int]*vip.Tap{}
	failed := false
	for i, v := range h.config.VIPs {
		one := h.probing.vips[v.Address.Addr()]
		if one == nil || wanted[one.way.link] != nil {
			continue
		}
		if open := h.probing.taps[one.way.link]; open != nil {
			wanted[one.way.link] = open
			continue
		}
		tap, err := vip.OpenTap(h.vips[i].link)
		if err == nil {
			wanted[one.way.link] = tap
			continue
		}
		if failed = true; !h.probing.deaf {
			h.log.Warn("cannot hear whether the network delivers what is for all hosts: trying again", "vip", v.Name, "err", err)
		}
	}
	h.probing.deaf = failed
	for link, tap := range h.probing.taps {
		if wanted[link] == nil {
			closeTap(tap)
		}
	}
	h.probing.taps = wanted
}

// closeTap does not wait: it takes the kernel as long as closing a port.
func closeTap(tap *vip.Tap) { go tap.Close() }

// close ends the listening.
func (p *probing) close() {
	for _, tap := range p.taps {
		closeTap(tap)
	}
	p.taps, p.vips = nil, nil
}

// hearProbes takes in what has come. Where some may be lost, or nobody listens, nobody is accused.
func (h *host) hearProbes(now time.Time) {
	whole := map[int]bool{}
	for link, tap := range h.probing.taps {
		whole[link] = tap.Read(func(p vip.Probe) { h.heardProbe(link, p, now) })
	}
	for _, one := range h.probing.vips {
		if !whole[one.way.link] {
			one.arrivals.Restart(now)
		}
	}
}

// heardProbe believes a probe that came to the cluster's MAC from a card that its sender has told in sealed heartbeats.
func (h *host) heardProbe(link int, p vip.Probe, now time.Time) {
	one, i := h.probing.vips[p.VIP], h.vipOf(p.VIP)
	if one == nil || i < 0 || int(p.Host) >= len(h.peers) || one.way.link != link || one.way.to != p.To {
		return
	}
	if slices.Contains(h.peers[p.Host].learnt, heartbeat.LinkAddr{VIP: uint8(i), MAC: p.Card}) {
		one.arrivals.Hear(p.Host, now)
	}
}

// sendProbe sends one if it is time. A link that is down has nobody waiting for it.
func (h *host) sendProbe(i int, one *probed, now time.Time) {
	c := h.vips[i]
	if !c.link.Up || !c.link.Carrier {
		one.sends = false
		return
	}
	if now.Sub(one.tried) < vip.ProbeEvery {
		return
	}
	one.tried = now
	err := c.port.Send(one.frame)
	if one.sends = err == nil; err != nil {
		h.log.Debug("cannot send a probe", "vip", h.config.VIPs[i].Name, "err", err)
	}
}

// probesMask is what heartbeats say of the VIPs that this host sends probes for.
func (h *host) probesMask() (mask uint64) {
	for i, v := range h.config.VIPs {
		one := h.probing.vips[v.Address.Addr()]
		if one == nil || !one.sends {
			continue
		}
		if way, ok := h.probedWay(i); ok && way == one.way {
			mask |= 1 << i
		}
	}
	return mask
}
