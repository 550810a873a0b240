package agent

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/vip"
)

// follow goes after interfaces that changed under the VIPs: one that was renamed, removed and made again, given another MAC, or whose cable
// is in again.
func (h *host) follow(s sight, now time.Time) {
	if s.config != h.config || h.isWitness() {
		return // what was looked at is not in use any more
	}
	if s.missing != nil {
		h.lose(s.missing, now)
		return
	}
	moved := append(h.moved(s.links), h.tunnelMoved(s.tunnel)...)
	if len(moved) == 0 && h.uncarried == nil {
		h.watchCables(s.links)
		return
	}
	for _, text := range moved {
		h.log.Warn("an interface has changed: following it", "what", text)
		h.record(api.Event{At: now, Kind: "interface", Host: h.opt.Host, Text: text})
	}
	h.carryAgain()
}

// lose gives up the VIPs while an interface of theirs is not there. The lease ends with the share; nothing is taken off the host that is
// still on it.
func (h *host) lose(why error, now time.Time) {
	if h.uncarried != nil && h.uncarried.Error() == why.Error() {
		return // told already
	}
	for _, c := range h.vips {
		c.close()
	}
	h.vips = emptyVIPs(h.config)
	h.uncarried = why
	h.log.Error("an interface is missing: this host accepts nothing until it is back", "err", why)
	h.record(api.Event{At: now, Kind: "uncarried", Host: h.opt.Host, Text: why.Error()})
}

// carryAgain carries the configuration in use once more, after an interface has changed or when it could not be carried before.
func (h *host) carryAgain() {
	before := h.uncarried
	h.uncarried = h.carry(h.config)
	for i := range h.peers {
		h.peers[i].learnt = nil // of interfaces that may be others now
	}
	if h.uncarried != nil {
		return
	}
	h.fillSlots()
	h.direct()
	if before == nil {
		return
	}
	h.log.Info("the configuration can be carried now")
	h.record(api.Event{At: time.Now(), Kind: "carried", Host: h.opt.Host, Text: "every address of the configuration is on this host now"})
}

// moved says in words which VIPs' interfaces are not as they were.
func (h *host) moved(links []vip.Interface) (texts []string) {
	told := map[string]bool{}
	for i, now := range links {
		was := h.known[h.config.VIPs[i].Name]
		if was.Index == 0 || sameLink(was, now) || told[now.Name] {
			continue
		}
		told[now.Name] = true
		texts = append(texts, change(was, now))
	}
	return texts
}

func sameLink(a, b vip.Interface) bool {
	return a.Name == b.Name && a.Index == b.Index && bytes.Equal(a.MAC, b.MAC)
}

// change says what is different about an interface.
func change(was, now vip.Interface) string {
	var what []string
	if was.Name != now.Name {
		what = append(what, fmt.Sprintf("%s is called %s now", was.Name, now.Name))
	}
	if was.Index != now.Index {
		what = append(what, fmt.Sprintf("%s is another one (number %d, was %d)", now.Name, now.Index, was.Index))
	}
	if !bytes.Equal(was.MAC, now.MAC) {
		what = append(what, fmt.Sprintf("%s has MAC %s (was %s)", now.Name, now.MAC, was.MAC))
	}
	return strings.Join(what, ", ") + ": taken over, announced and told to the other hosts"
}

// watchCables announces again where a cable is in that was out: the switch may be another one.
func (h *host) watchCables(links []vip.Interface) {
	for i, now := range links {
		c := h.vips[i]
		if now.Carrier && !c.link.Carrier {
			c.renew()
		}
		c.link.Carrier, c.link.Up = now.Carrier, now.Up
	}
}

// rehouse makes the host's books agree with where the VIPs' interfaces are now: changes made on an interface that got another name go by
// that, and the MACs that the others have on one that is gone are forgotten.
func (h *host) rehouse(cfg *config.Config, links []vip.Interface) {
	h.rename(cfg, h.known, links)
	inUse := map[int]bool{}
	for _, l := range links {
		inUse[l.Index] = true
	}
	for _, was := range h.known {
		if !inUse[was.Index] {
			h.forgetPeers(was.Index)
		}
	}
	known := map[string]vip.Interface{}
	for i, l := range links {
		known[cfg.VIPs[i].Name] = l
	}
	h.known = known
}

// rename writes down the new names of interfaces, so that what was changed on them is found and taken back there. It may be called from any
// goroutine, and again.
func (h *host) rename(cfg *config.Config, known map[string]vip.Interface, links []vip.Interface) {
	for i, l := range links {
		was := known[cfg.VIPs[i].Name]
		if was.Index != l.Index || was.Name == l.Name {
			continue
		}
		if err := h.changes.Rename(was.Name, l.Name); err != nil {
			h.log.Error("cannot write down an interface's new name: its settings may stay after the agent has stopped", "err", err)
		}
	}
}

// forgetPeers takes what the filter knows of the other hosts on an interface away.
func (h *host) forgetPeers(index int) {
	for id := range h.config.Hosts {
		if err := h.filter.SetPeer(index, uint8(id), nil); err != nil {
			h.log.Error("cannot take a host's MAC out of the filter", "host", h.name(member.ID(id)), "err", err)
		}
	}
}

// keepOwn sees to it that the host's own address is kept up like the VIPs: without it the others cannot hear this host.
func (h *host) keepOwn() {
	own := h.config.Hosts[h.self].Address
	kept, err := h.changes.KeepAddress(own)
	if err != nil {
		h.log.Warn("this host's address is not put back if somebody takes it away", "address", own, "err", err)
	}
	if err == nil && !kept {
		h.log.Info("somebody else keeps this host's address up: it is not put back if they take it away", "address", own)
	}
}

func emptyVIPs(cfg *config.Config) []*carried {
	list := make([]*carried, len(cfg.VIPs))
	for i := range list {
		list[i] = &carried{}
	}
	return list
}
