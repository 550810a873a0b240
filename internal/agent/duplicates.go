package agent

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/muster-ha/muster/internal/delivery"
	"github.com/muster-ha/muster/internal/filter"
	"github.com/muster-ha/muster/internal/vip"
)

// keptMACs bounds the MACs that are known to be hosts': each host has one for each interface with a VIP, and some from before a card was
// replaced.
const keptMACs = 512

// duplicates is what the loop knows about others that have our addresses.
type duplicates struct {
	strangers vip.Strangers
	macs      map[[6]byte]bool    // said in heartbeats: hosts of the cluster, whatever became of them
	nearby    map[[6]byte]bool    // of this host's interfaces, and of hosts that are not heard but met
	looked    time.Time           // for nearby
	ours      map[netip.Addr]bool // VIPs that the cluster has answered for already
	own       vip.Asking          // for the host's own address
	ownLink   int                 // index of the interface that has it; 0: none with a VIP
	defended  time.Time           // the own address
	untold    []heardOf
	where     map[string]string // by MAC of a stranger, in words
}

// heardOf is a stranger who came or went and has not been told yet: where he is has to be asked outside the loop.
type heardOf struct {
	vip.Stranger
	gone bool
}

// readClaims hands the loop what the filter hears. It ends with the context.
func (h *host) readClaims(ctx context.Context) {
	err := h.filter.ReadClaims(ctx, func(c filter.Claim) {
		h.do(ctx, func() { h.claimed(c, time.Now()) })
	})
	if err != nil {
		h.log.Error("cannot hear who else claims an address of this cluster: it is counted only", "err", err)
	}
}

// ReadClaims hears nothing: a witness has no VIP that anybody could claim.
func (noKernel) ReadClaims(context.Context, func(filter.Claim)) error { return nil }

// claimed takes in what somebody says who is no host that the filter knows.
func (h *host) claimed(c filter.Claim, now time.Time) {
	s := vip.Stranger{Address: c.Address, MAC: c.MAC, Source: c.Source, Interface: c.Interface}
	if h.isOurs(c.Address) && !h.knows(s) {
		h.dup.strangers.Hear(s, now)
	}
}

// isOurs says whether an address is watched.
func (h *host) isOurs(a netip.Addr) bool {
	return a == h.config.Hosts[h.self].Address || h.vipOf(a) >= 0
}

// vipOf is the index of the VIP with an address, or -1.
func (h *host) vipOf(a netip.Addr) int {
	for i, v := range h.config.VIPs {
		if v.Address.Addr() == a {
			return i
		}
	}
	return -1
}

// knows says whether a claim is the cluster's own. A cluster MAC is every host's, and of other systems that have the same one: then it counts
// who sent the frame.
func (h *host) knows(s vip.Stranger) bool {
	mac := s.MAC
	for _, t := range delivery.All(s.Address) {
		if t.MAC != nil && t.MAC.String() == mac.String() {
			mac = s.Source
		}
	}
	key := [6]byte(mac)
	if h.dup.macs[key] || h.dup.nearby[key] {
		return true
	}
	return slices.ContainsFunc(h.vips, func(c *carried) bool { return string(c.link.MAC) == string(mac) })
}

// isHost takes note that a MAC is a host's: it has said so in a heartbeat, which nobody else can seal.
func (h *host) isHost(mac [6]byte) {
	if h.dup.macs == nil || len(h.dup.macs) >= keptMACs {
		h.dup.macs = map[[6]byte]bool{}
	}
	h.dup.macs[mac] = true
}

// watchAddresses asks for strangers when it is time, judges what was heard, and acts on it.
func (h *host) watchAddresses(now time.Time) {
	if h.isWitness() {
		return
	}
	found, gone := h.dup.strangers.Judge(now, h.dup.looked, h.knows)
	for _, s := range found {
		h.dup.untold = append(h.dup.untold, heardOf{Stranger: s})
	}
	for _, s := range gone {
		h.dup.untold = append(h.dup.untold, heardOf{Stranger: s, gone: true})
	}
	for i, c := range h.vips {
		if c.announcer == nil {
			continue
		}
		h.ask(i, c, now)
		h.claim(i, c, now)
	}
	h.guardOwn(now)
}

// ask sends a question for a VIP if one is due.
func (h *host) ask(i int, c *carried, now time.Time) {
	a := h.config.VIPs[i].Address.Addr()
	if c.asking.Due(now, h.shares.directing(i), h.dup.strangers.Claimed(a)) {
		h.question(c, a)
	}
}

// question asks the link for an address. A link that is down is asked again.
func (h *host) question(c *carried, a netip.Addr) {
	frame, err := vip.Question(a, c.link.MAC)
	if err == nil {
		err = c.port.Send(frame)
	}
	if err != nil {
		h.log.Debug("cannot ask who has an address", "address", a, "err", err)
	}
}

// claim carries out what follows for a VIP: who may answer for it, and whether a stranger is contradicted.
func (h *host) claim(i int, c *carried, now time.Time) {
	v := h.config.VIPs[i]
	a := v.Address.Addr()
	h.cameToBeOurs(i, now)
	if h.holdsBack(i, now) != c.held {
		h.directOne(i)
	}
	if h.dup.strangers.Claimed(a) && !v.Yields && h.answers(i) {
		c.announcer.Defend(now)
	}
}

// cameToBeOurs notes that this host answers for a VIP.
func (h *host) cameToBeOurs(i int, now time.Time) {
	if h.shares.installed && h.shares.directing(i) && h.holdsBack(i, now) == "" {
		h.haveAnswered(1 << i)
	}
}

// haveAnswered notes the VIPs that the cluster answers for, by the bits of a heartbeat: from then on a stranger is the newcomer, and whoever
// takes such a VIP over does not look for one first.
func (h *host) haveAnswered(mask uint64) {
	for i, v := range h.config.VIPs {
		if mask>>i&1 == 0 || h.dup.ours[v.Address.Addr()] {
			continue
		}
		if h.dup.ours == nil {
			h.dup.ours = map[netip.Addr]bool{}
		}
		h.dup.ours[v.Address.Addr()] = true
	}
}

// answersMask is what heartbeats say of the VIPs that this host answers for.
func (h *host) answersMask() (mask uint64) {
	for i := range h.vips {
		if h.answers(i) {
			mask |= 1 << i
		}
	}
	return mask
}

// holdsBack says why this host does not answer for a VIP that it directs; empty: it may. An address that the cluster has never answered for is
// looked for first (RFC 5227, 2.1). One that it has is given up only if the configuration says so.
func (h *host) holdsBack(i int, now time.Time) string {
	v, c := h.config.VIPs[i], h.vips[i]
	a := v.Address.Addr()
	switch {
	case c.announcer == nil:
		return ""
	case v.Yields && h.dup.strangers.Claimed(a):
		return "a stranger claims it, and `duplicates: yield` says to leave it to him"
	case h.dup.ours[a]:
		return ""
	case h.dup.strangers.Suspected(a):
		return "somebody else had it before this cluster answered for it"
	case !c.asking.Answered(now):
		return "it is being asked whether somebody has it"
	}
	return ""
}

// answers says whether this host answers for a VIP.
func (h *host) answers(i int) bool { return h.shares.directing(i) && h.vips[i].held == "" }

// directOne makes the filter answer for a VIP if this host does.
func (h *host) directOne(i int) {
	h.vips[i].held = h.holdsBack(i, time.Now())
	if err := h.filter.SetDirector(i, h.answers(i)); err != nil {
		h.log.Error("cannot set director in the filter", "vip", h.config.VIPs[i].Name, "err", err)
	}
}

// forgetAddresses drops what is known of addresses that a new configuration does not have. One that comes back is looked for again.
func (h *host) forgetAddresses() {
	h.dup.strangers.Forget(h.isOurs)
	maps.DeleteFunc(h.dup.ours, func(a netip.Addr, _ bool) bool { return h.vipOf(a) < 0 })
}

// guardOwn does the same for the host's own address, which nobody can take over: it is defended.
func (h *host) guardOwn(now time.Time) {
	own := h.config.Hosts[h.self].Address
	c := h.onOwnLink()
	if c == nil {
		return
	}
	claimed := h.dup.strangers.Claimed(own)
	if h.dup.own.Due(now, true, claimed) {
		h.question(c, own)
	}
	if !claimed || now.Sub(h.dup.defended) < vip.DefendInterval {
		return
	}
	h.dup.defended = now
	frames, err := vip.Announcements(own, c.link.MAC, c.link.MAC)
	if err != nil {
		return // no address of a kind that is announced
	}
	for _, f := range frames {
		if err := c.port.Send(f); err != nil {
			h.log.Debug("cannot defend this host's address", "address", own, "err", err)
		}
	}
}

// onOwnLink finds a VIP on the interface that has the host's own address; nil: none.
func (h *host) onOwnLink() *carried {
	for _, c := range h.vips {
		if c.announcer != nil && c.link.Index == h.dup.ownLink {
			return c
		}
	}
	return nil
}
