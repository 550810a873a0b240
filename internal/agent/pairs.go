package agent

import (
	"fmt"
	"slices"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/heartbeat"
	"github.com/muster-ha/muster/internal/member"
)

// lossProblem is the loss in per cent that somebody should look into. Views stand more.
const lossProblem = 5

// networkHearing is who hears whom on a network: this host as it finds it, the others as they say.
func (h *host) networkHearing(n heartbeat.NetworkStats, peers []api.NetworkPeer) []api.NetworkHearing {
	list := make([]api.NetworkHearing, 0, len(h.config.Hosts))
	for id := range member.ID(len(h.config.Hosts)) {
		// Without sections nobody says where it is on networks besides the first: silence there is no fault.
		near, known := member.Set(0), n.Down == nil && (n.Index == 0 || h.network.Common().Version >= heartbeat.VersionSections)
		for _, p := range peers {
			if other, _ := h.config.Host(p.Host); p.State == api.PeerHeard {
				near = near.With(member.ID(other))
			}
		}
		if id != h.self {
			near, known = h.saidNear(id, n.Index)
		}
		list = append(list, h.hearingOf(id, near, known))
	}
	return list
}

// saidNear is whom another host says to hear on a network.
func (h *host) saidNear(id member.ID, network uint8) (near member.Set, known bool) {
	if !h.machine.Hears(id) {
		return 0, false
	}
	for _, w := range h.peers[id].last.Words {
		if w.Network == network {
			return w.Near, true
		}
	}
	return 0, false
}

// hearingOf names whom a host hears, and which live hosts it does not.
func (h *host) hearingOf(id member.ID, near member.Set, known bool) api.NetworkHearing {
	s := api.NetworkHearing{Host: h.name(id), Known: known, Hears: []string{}, Deaf: []string{}}
	if !known {
		return s
	}
	for other := range member.ID(len(h.config.Hosts)) {
		switch {
		case other == id:
		case near.Has(other):
			s.Hears = append(s.Hears, h.name(other))
		case other == h.self || h.machine.Hears(other):
			s.Deaf = append(s.Deaf, h.name(other))
		}
	}
	return s
}

// networkProblems finds networks that are bad: for this host, for one host, or for one pair. Who is heard nowhere is the host's problem, not
// a network's.
func networkProblems(s api.Status) []api.Problem {
	list := []api.Problem{}
	for _, n := range s.Networks {
		about := "network " + n.Name
		if !n.Up {
			list = append(list, api.Problem{About: about, What: "is down on host " + s.Host + ": " + n.Why,
				Remedy: "mend the interface; it is used again within a second; until then heartbeats have other networks"})
		}
		list = append(list, deafness(n, s.Host)...)
		for _, p := range n.Peers {
			if p.State == api.PeerHeard && *p.LossPercent >= lossProblem {
				list = append(list, api.Problem{About: about, What: fmt.Sprintf("%.0f %% of what host %s says is lost on the way to host %s", *p.LossPercent, p.Host, s.Host),
					Remedy: fmt.Sprintf("look for errors and drops on interface %s and its switch port on both hosts", n.Interface)})
			}
		}
	}
	return list
}

// deafness tells who does not hear whom on a network: a host that is cut off once, and not for each of the others.
func deafness(n api.NetworkStatus, self string) []api.Problem {
	var list []api.Problem
	cut := []string{}
	if !n.Up {
		cut = append(cut, self) // told already, with the reason
	}
	for _, l := range n.Hearing {
		if slices.Contains(cut, l.Host) {
			continue
		}
		mute, deaf := unheard(n, l.Host), l.Known && len(l.Hears) == 0 && len(l.Deaf) > 1
		if !mute && !deaf {
			continue
		}
		cut = append(cut, l.Host)
		list = append(list, api.Problem{About: "network " + n.Name, What: "host " + l.Host + " " + cutOff(mute, deaf),
			Remedy: fmt.Sprintf("check on host %s the interface of this network, its cable and switch port, its address, and that UDP ports 3343 and 3344 pass", l.Host)})
	}
	for i, l := range n.Hearing {
		for j, speaker := range n.Hearing {
			if i == j || !slices.Contains(l.Deaf, speaker.Host) || slices.Contains(cut, l.Host) || slices.Contains(cut, speaker.Host) {
				continue
			}
			both := slices.Contains(speaker.Deaf, l.Host)
			if both && j < i {
				continue // told already
			}
			list = append(list, pairProblem(n, speaker.Host, l.Host, both))
		}
	}
	return list
}

// unheard reports whether two hosts or more could hear a host on a network, and none does.
func unheard(n api.NetworkStatus, speaker string) bool {
	deaf := 0
	for _, l := range n.Hearing {
		switch {
		case slices.Contains(l.Hears, speaker):
			return false
		case slices.Contains(l.Deaf, speaker):
			deaf++
		}
	}
	return deaf > 1
}

func cutOff(mute, deaf bool) string {
	switch {
	case mute && deaf:
		return "hears nobody and nobody hears it"
	case mute:
		return "is heard by nobody"
	}
	return "hears nobody"
}

func pairProblem(n api.NetworkStatus, speaker, listener string, both bool) api.Problem {
	what := fmt.Sprintf("host %s is not heard by host %s", speaker, listener)
	if both {
		what = fmt.Sprintf("hosts %s and %s do not hear each other", min(speaker, listener), max(speaker, listener))
	}
	if len(n.Hearing) > 2 {
		what += " (others are)"
	}
	return api.Problem{About: "network " + n.Name, What: what,
		Remedy: fmt.Sprintf("the hosts themselves live: check what lies between %s and %s on this network (cable, switch ports, VLAN, firewall of both: UDP ports 3343 and 3344), and that each finds the other's address there: `muster network show %s` on both",
			speaker, listener, n.Name)}
}
