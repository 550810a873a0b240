package agent

import (
	"bytes"
	"net"
	"time"

	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/heartbeat"
	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/standing"
)

// note keeps what another host said, and learns where to forward to.
func (h *host) note(m heartbeat.Message, at time.Time) {
	if int(m.From) >= len(h.peers) {
		return
	}
	p := &h.peers[m.From]
	rememberRegisters(&m, &p.last)
	p.last, p.at = m, at
	h.keys.hear(m)
	if m.Digest != [32]byte(h.config.Digest) {
		return // its VIPs may be numbered otherwise
	}
	h.haveAnswered(m.Answers)
	for i, l := range m.Interfaces {
		known := i < len(p.learnt) && p.learnt[i] == l
		switch {
		case known:
		case l.VIP == heartbeat.TunnelLink:
			h.learnTunnel(m.From, l.MAC)
		case int(l.VIP) < len(h.vips):
			h.learn(m.From, int(l.VIP), l.MAC)
		}
	}
	p.learnt = m.Interfaces
}

// learn tells the filter the MAC of another host's interface.
func (h *host) learn(from member.ID, vip int, mac [6]byte) {
	h.isHost(mac)
	own := h.vips[vip].link
	if own.Index == 0 || !neighbours(h.config, vip, h.self, from) {
		return // not carried, or no frame would arrive
	}
	if bytes.Equal(mac[:], own.MAC) {
		h.log.Error("another host has the same MAC as this one: nothing can be forwarded to it; give it a MAC of its own",
			"host", h.name(from), "interface", own.Name, "mac", own.MAC)
		return
	}
	if err := h.filter.SetPeer(own.Index, uint8(from), net.HardwareAddr(mac[:])); err != nil {
		h.log.Error("cannot tell the filter where to forward to", "host", h.name(from), "err", err)
	}
}

// takeOrders does what other hosts ask of this one.
func (h *host) takeOrders(m heartbeat.Message) {
	for _, order := range h.orders.take(h.self, m) {
		switch order.Verb {
		case heartbeat.DrainHost:
			h.oldOrder(standing.Drain, m.From)
		case heartbeat.ResumeHost:
			h.oldOrder(standing.Start, m.From)
		default:
			h.keyOrdered(order.Verb, m.From)
		}
	}
}

// offered is what this host contributes to the tables of a configuration as things are.
func (h *host) offered(cfg *config.Config, checks []running) member.Attributes {
	a := member.Attributes{Vote: wantsQuorum(cfg), Tie: h.tie.Won() && cfg.Witnesses.Any()}
	if cfg.Hosts[h.self].Witness {
		return a
	}
	a.Ready = ready(cfg, checks) & h.permitted(cfg)
	if !h.standing.Host(h.opt.Host).Serves() || h.unsettled || h.leaving || h.mute() {
		return a
	}
	a.Weight = uint16(cfg.Hosts[h.self].Weight)
	a.Director = true
	return a
}

// mute reports whether this host must not accept anything new.
func (h *host) mute() bool { return h.disarmed || h.uncarried != nil || h.aside }

// refresh offers what has changed.
func (h *host) refresh() {
	if a := h.offered(h.config, h.checks.running); a != h.attributes {
		h.attributes = a
		h.act(h.machine.SetAttributes(time.Now(), a))
	}
	if h.pending != nil {
		h.act(h.tellConfigs())
	}
}

// readyRules are the rules whose checks are all up by the given verdict.
func readyRules(cfg *config.Config, up func(check int) bool) member.RuleSet {
	var set member.RuleSet
	for i, r := range cfg.Rules {
		good := true
		for _, c := range r.Checks {
			good = good && up(c)
		}
		if good {
			set |= 1 << i
		}
	}
	return set
}
