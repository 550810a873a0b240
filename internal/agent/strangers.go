package agent

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/delivery"
	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/vip"
)

// meet learns, outside the loop, which MACs are this host's own or those of hosts that are not heard, and tells of strangers.
func (h *host) meet(ctx context.Context) {
	var anybody bool
	var hosts []netip.Addr
	var untold []heardOf
	h.do(ctx, func() {
		anybody, hosts = h.dup.strangers.Any(), h.unheard()
		untold, h.dup.untold = h.dup.untold, nil
	})
	if anybody {
		asked := time.Now()
		macs := vip.Neighbours(func(a netip.Addr) bool { return slices.Contains(hosts, a) })
		h.do(ctx, func() { h.met(macs, asked) })
	}
	for _, s := range untold {
		where := vip.Whereabouts(s.Interface, s.MAC, func(a netip.Addr) bool { return a == s.Address })
		h.do(ctx, func() { h.tellStranger(s, where) })
	}
}

// met takes in what meet has found.
func (h *host) met(macs []net.HardwareAddr, asked time.Time) {
	h.dup.nearby, h.dup.looked = map[[6]byte]bool{}, asked
	for _, mac := range macs {
		h.dup.nearby[[6]byte(mac)] = true
	}
}

// unheard are the addresses of the other hosts that have said in no heartbeat where they are: of one that serves another part of a divided
// network, or starts just now, the kernel may have met the address. Of those who have said it nothing else is believed.
func (h *host) unheard() (list []netip.Addr) {
	for id, each := range h.config.Hosts {
		if member.ID(id) != h.self && len(h.peers[id].last.Interfaces) == 0 {
			list = append(list, each.Address)
		}
	}
	return list
}

// tellStranger says that a stranger has come or gone.
func (h *host) tellStranger(s heardOf, where string) {
	e := api.Event{At: time.Now(), Host: h.opt.Host, Kind: "duplicate"}
	mac := s.MAC.String()
	if s.gone {
		e.Kind, e.Text = "duplicate_gone", fmt.Sprintf("%s is not claimed by %s any more", h.called(s.Address), mac)
		delete(h.dup.where, mac)
		h.log.Info("a stranger does not claim an address any more", "address", s.Address, "mac", mac)
		h.record(e)
		return
	}
	if h.dup.where == nil {
		h.dup.where = map[string]string{}
	}
	h.dup.where[mac] = where
	e.Text = fmt.Sprintf("%s is also claimed by %s, %s: %s", h.called(s.Address), mac, where, h.policy(s.Address))
	h.log.Warn("a stranger claims an address", "address", s.Address, "mac", mac, "source", s.Source.String(), "where", where, "policy", h.policy(s.Address))
	h.record(e)
}

// called is an address with what it is.
func (h *host) called(a netip.Addr) string {
	if i := h.vipOf(a); i >= 0 {
		return fmt.Sprintf("%s (VIP %s)", a, h.config.VIPs[i].Name)
	}
	return fmt.Sprintf("%s (this host's own address)", a)
}

// policy says what is done about a stranger who claims an address.
func (h *host) policy(a netip.Addr) string {
	i := h.vipOf(a)
	switch {
	case i < 0:
		return fmt.Sprintf("announced again every %v", vip.DefendInterval)
	case h.config.VIPs[i].Delivery == delivery.Routed:
		return "clients come through routers and are not affected"
	case h.config.VIPs[i].Yields:
		return fmt.Sprintf("left to him until he has been silent for %v", vip.Silence)
	case !h.dup.ours[a]:
		return fmt.Sprintf("left to him, who had it first, until he has been silent for %v", vip.Silence)
	default:
		return fmt.Sprintf("announced again every %v by the host that answers for it", vip.DefendInterval)
	}
}

// duplicateStatus lists the strangers that claim addresses now.
func (h *host) duplicateStatus(now time.Time) []api.DuplicateStatus {
	list := []api.DuplicateStatus{}
	for _, s := range h.dup.strangers.List() {
		list = append(list, api.DuplicateStatus{Address: s.Address.String(), What: h.called(s.Address), MAC: s.MAC.String(), Source: s.Source.String(),
			Where: h.dup.where[s.MAC.String()], Since: s.First, HeardAgoMS: millis(now.Sub(s.Last)), Claims: s.Claims, Policy: h.policy(s.Address)})
	}
	return list
}

// duplicateProblems says which addresses strangers claim.
func duplicateProblems(s api.Status) (list []api.Problem) {
	for _, d := range s.Duplicates {
		list = append(list, api.Problem{About: "address " + d.Address, What: fmt.Sprintf("%s is also claimed by %s, %s: %s", d.What, d.MAC, d.Where, d.Policy),
			Remedy: "find that machine and give it another address; while it has this one, clients that hear it do not reach the cluster"})
	}
	return list
}
