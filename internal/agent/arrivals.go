package agent

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/delivery"
	"github.com/muster-ha/muster/internal/member"
)

// Events about frames to a cluster's MAC.
const (
	framesLost = "frames_lost"
	framesBack = "frames_back"
)

// judgeArrivals finds the hosts whose frames to a VIP's cluster MAC do not arrive here, and tells when that changes.
func (h *host) judgeArrivals(i int, one *probed, now time.Time) {
	senders := h.probers(i)
	missing := member.Set(one.arrivals.Judge(now, uint32(senders)))
	lost, over := missing&^one.missing, one.missing&^missing
	one.missing = missing
	a := h.config.VIPs[i].Address.Addr()
	h.tellArrivals(framesLost, a, one, lost, "do not arrive here: `muster status` says what to do")
	h.tellArrivals(framesBack, a, one, over&senders, "arrive again")
	h.tellArrivals(framesBack, a, one, over&^senders, "are not waited for any more: no probes are sent, or their sender is not heard")
}

// probers are the hosts that send probes for a VIP now: of the view, heard, with the same configuration, and saying so. A host whose own cable is out waits for
// nobody.
func (h *host) probers(i int) (set member.Set) {
	if link := h.vips[i].link; !link.Up || !link.Carrier {
		return 0
	}
	for id := range h.shares.view.Set().Without(h.self).All() {
		if int(id) >= len(h.peers) || !h.machine.Hears(id) {
			continue
		}
		last := &h.peers[id].last
		if last.Digest == [32]byte(h.config.Digest) && last.State != member.Leaving && last.Probes>>i&1 == 1 {
			set = set.With(id)
		}
	}
	return set
}

// tellArrivals tells what has become of the frames of some hosts; none: nothing.
func (h *host) tellArrivals(kind string, a netip.Addr, one *probed, hosts member.Set, what string) {
	if hosts == 0 {
		return
	}
	text := fmt.Sprintf("frames to %s (%s) from %s %s", net.HardwareAddr(one.way.to[:]), a, h.namesOf(hosts), what)
	h.record(api.Event{At: time.Now(), Kind: kind, Host: h.opt.Host, Text: text})
	if kind == framesLost {
		h.log.Warn("the network does not deliver to this host what is for all", "what", text)
		return
	}
	h.log.Info(text)
}

func (h *host) namesOf(hosts member.Set) string {
	var names []string
	for id := range hosts.All() {
		names = append(names, h.name(id))
	}
	return strings.Join(names, ", ")
}

// arrivalProblems says whose frames do not arrive.
func (h *host) arrivalProblems() (list []api.Problem) {
	for i, v := range h.config.VIPs {
		one := h.probing.vips[v.Address.Addr()]
		if one == nil || one.missing == 0 {
			continue
		}
		mac := net.HardwareAddr(one.way.to[:]).String()
		what := fmt.Sprintf("delivery %s: frames to %s do not arrive on %s from %s, while heartbeats do: what clients send goes the same way",
			v.Delivery, mac, h.vips[i].link.Name, h.namesOf(one.missing))
		list = append(list, api.Problem{About: "VIP " + v.Name, What: what, Remedy: undelivered(v.Delivery, mac)})
	}
	return list
}

// firewalled is what looks like a switch that drops frames and is none.
const firewalled = ". A firewall between that does not pass IP protocol 253 shows the same: let it pass"

// undelivered is what to do about frames to a cluster's MAC that do not arrive.
func undelivered(m delivery.Mode, mac string) string {
	if m == delivery.Unicast {
		return "a switch between does not flood what it has not learnt (port security, unknown unicast blocked), or a hypervisor hands a virtual machine nothing for a MAC that is not its own: allow it there as `muster switch` says, or use `delivery: directed`" + firewalled
	}
	return fmt.Sprintf("a switch or bridge between drops frames to %s; on a Linux bridge (KVM, Proxmox) with a querier: `bridge link set dev PORT mcast_router 2` for the hosts' ports; on others what `muster switch` prints; or use `delivery: directed`", mac) + firewalled
}
