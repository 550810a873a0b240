package agent

import (
	"fmt"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/delivery"
	"github.com/muster-ha/muster/internal/member"
)

// problems draws from a status what somebody should act on, each with its remedy. The root comes before its symptoms.
func (h *host) problems(s api.Status) []api.Problem {
	list := []api.Problem{}
	add := func(about, what, remedy string) {
		list = append(list, api.Problem{About: about, What: what, Remedy: remedy})
	}
	if !s.Filter.Armed && !h.isWitness() {
		add("filter on host "+s.Host, "the filter accepts no new connections here", "see `muster events` for why; if it does not mend itself, restart the agent")
	}
	if h.uncarried != nil {
		add("host "+s.Host, h.uncarried.Error(), "mend that: the agent tries again every second; until then this host accepts nothing new")
	}
	if h.aside {
		add("host "+s.Host, "stands aside: hosts that it cannot talk to serve already", "see what is said of them below: upgrade whoever is behind; this host begins to serve by itself when it can talk to them")
	}
	for _, p := range h.drift.lines(time.Now()) {
		add("host "+s.Host, p, "find out who takes it away; it is put back each time, if it can be")
	}
	list = append(list, h.exitProblems()...)
	list = append(list, h.accelerationProblems(s.Host)...)
	list = append(list, h.hostProblems(s)...)
	list = append(list, networkProblems(s)...)
	list = append(list, castProblems(s)...)
	list = append(list, h.keyProblems(s, time.Now())...)
	if s.Config.Pending != "" {
		add("configuration", fmt.Sprintf("%s is loaded here but not used yet", s.Config.Pending), "give every other host the same file and send its agent SIGHUP; new checks need their first results")
	}
	for _, c := range s.Checks {
		if c.State == "down" {
			add("check "+c.Name, c.Why, "its last probe is shown above; this host gets no new connections of the rules that need it")
		}
	}
	list = append(list, bgpProblems(s)...)
	list = append(list, h.examinedProblems()...)
	list = append(list, h.arrivalProblems()...)
	list = append(list, duplicateProblems(s)...)
	list = append(list, vipProblems(s)...)
	list = append(list, h.orderProblems()...)
	return list
}

// hostProblems is what is wrong with other hosts.
func (h *host) hostProblems(s api.Status) (list []api.Problem) {
	add := func(host api.HostStatus, what, remedy string) {
		list = append(list, api.Problem{About: "host " + host.Name, What: what, Remedy: remedy})
	}
	for id, host := range s.Hosts {
		why, remedy, apart := h.apartBecause(member.ID(id), time.Now())
		switch {
		case apart:
			add(host, why, remedy)
		case host.State == api.StateSilent:
			add(host, "is not heard any more", fmt.Sprintf("check its power and network; its agent is started with `systemctl start muster`; nothing else is needed: it joins by itself (%s)", host.Address))
		case host.State == api.StateUnknown:
			add(host, "has not been heard since this agent started", fmt.Sprintf("start its agent; if it runs, see that UDP port 3343 passes between %s and %s and that both have the same secret", h.config.Hosts[h.self].Address, host.Address))
		case host.ConfigDiffers != nil && *host.ConfigDiffers:
			add(host, fmt.Sprintf("has configuration %s, this host has %s", host.ConfigDigest, s.Config.Digest), "make the files the same and send both agents SIGHUP")
		}
	}
	return list
}

// vipProblems is which clients nobody serves.
func vipProblems(s api.Status) (list []api.Problem) {
	add := func(vip api.VIPStatus, what, remedy string) {
		list = append(list, api.Problem{About: "VIP " + vip.Name, What: what, Remedy: remedy})
	}
	for _, v := range s.VIPs {
		if v.Director == "" && v.Delivery != delivery.Routed.String() {
			add(v, "no host answers for it", "see why no host is serving: `muster host show`")
		}
		for _, r := range v.Rules {
			list = append(list, quorumProblem(v, r)...)
			for _, o := range r.Owners {
				if o.Host == "" && r.HasQuorum && r.Handling != config.Refuse.String() {
					add(v, fmt.Sprintf("nobody accepts %s %s", r.Protocol, r.Ports), "the rule's checks fail, or orders keep hosts from it: mend a check, or take an order back (`muster rule show`, `muster host show`)")
				}
			}
		}
	}
	return list
}
