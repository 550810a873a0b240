package agent

import (
	"fmt"
	"slices"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/standing"
)

// hostOrderStatus is what a host has been told, for people; nil: nothing, it is to serve.
func (h *host) hostOrderStatus(name string) *api.HostOrderStatus {
	order := h.standing.Host(name)
	if order.Serves() {
		return nil
	}
	s := &api.HostOrderStatus{State: order.State.String(), Reason: string(order.Why), SetOn: h.name(member.ID(order.Set.Host)), SetAt: order.Set.At.UTC(),
		Undo: "muster host resume " + name}
	if order.Deadline > 0 {
		s.StopsAt = new(order.Set.At.Add(order.Deadline).UTC())
	}
	return s
}

// idleBecause is the state of a host that is in the view without a share.
func (h *host) idleBecause(name string) (api.State, string) {
	order := h.standing.Host(name)
	switch order.State {
	case standing.Draining:
		if order.Deadline > 0 {
			return api.StateDrained, "drained by order; it stops when its last connection has ended, at the latest " + order.Set.At.Add(order.Deadline).UTC().Format(time.RFC3339)
		}
		return api.StateDrained, "drained by order"
	case standing.Stopped:
		return api.StateStopped, map[standing.Reason]string{standing.Empty: "drained until its last connection had ended", standing.AtDeadline: "drained until its deadline"}[order.Why]
	case standing.Suspended:
		return api.StateSuspended, "it takes no order but to resume"
	}
	return api.StateDrained, "it offers no share at the moment: see `muster status` there"
}

// ruleOrderStatus lists what has been said of a rule, for people.
func (h *host) ruleOrderStatus(rule int) []api.RuleOrderStatus {
	list := []api.RuleOrderStatus{}
	for _, o := range h.standing.Rules {
		if !ruleIs(h.config, rule, o.Rule) {
			continue
		}
		undo := "muster rule enable " + o.Rule.String()
		if o.Host != "" {
			undo += " --host " + o.Host
		}
		if o.State == standing.Enabled { // where it is not on the others
			undo = fmt.Sprintf("muster rule enable %v", o.Rule)
		}
		list = append(list, api.RuleOrderStatus{Host: o.Host, State: o.State.String(), SetOn: h.name(member.ID(o.Set.Host)), SetAt: o.Set.At.UTC(), Undo: undo})
	}
	return list
}

// connectionsOf counts a host's connections to VIPs, as it says itself when it gets no new ones; nil: not known.
func (h *host) connectionsOf(id member.ID) *int {
	if id == h.self {
		if open, known := h.openConnections(); known {
			return &open
		}
		return nil
	}
	open := h.peers[id].last.Open
	if !open.Known || !h.machine.Hears(id) {
		return nil
	}
	return new(int(open.Count))
}

// left are orders about what the file does not name, or not any more.
type left struct {
	Hosts []string
	Rules []standing.Rule
}

// leftOrders finds them: they do nothing, until the file names their host or rule again.
func (h *host) leftOrders() left {
	var l left
	for name := range h.standing.Hosts {
		if _, known := h.config.Host(name); !known {
			l.Hosts = append(l.Hosts, name)
		}
	}
	slices.Sort(l.Hosts)
	for _, o := range h.standing.Rules {
		if !h.hasRule(o.Rule) && !slices.Contains(l.Rules, o.Rule) {
			l.Rules = append(l.Rules, o.Rule)
		}
	}
	return l
}

// hasRule reports whether the file has a rule that an order is about.
func (h *host) hasRule(r standing.Rule) bool {
	for i := range h.config.Rules {
		if ruleIs(h.config, i, r) {
			return true
		}
	}
	return false
}

// orderProblems tells of orders that would surprise whoever names their host or rule in the file again.
func (h *host) orderProblems() (list []api.Problem) {
	l := h.leftOrders()
	for _, name := range l.Hosts {
		list = append(list, api.Problem{About: "host " + name, What: "an order is kept about it, and the file does not name it", Remedy: "`muster host resume " + name + "` takes it back"})
	}
	for _, r := range l.Rules {
		list = append(list, api.Problem{About: "rule " + r.String(), What: "an order is kept about it, and the file has no such rule", Remedy: "`muster rule enable " + r.String() + "` takes it back"})
	}
	return list
}
