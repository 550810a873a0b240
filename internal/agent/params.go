package agent

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/standing"
)

// Params lists every parameter of cluster, hosts and rules as it is in use on this host, each with where its value comes from.
func (h *host) Params(ctx context.Context) (api.Params, error) {
	var p api.Params
	if !h.do(ctx, func() { p = h.params() }) {
		return p, fmt.Errorf("%w: the agent is stopping", api.ErrConflict)
	}
	return p, nil
}

func (h *host) params() api.Params {
	p := api.Params{Host: h.opt.Host, Config: h.config.Digest.Short(), Differ: []string{}, Parameters: []api.EffectiveParameter{}}
	for id, peer := range h.peers {
		if !peer.at.IsZero() && peer.last.Digest != [32]byte(h.config.Digest) {
			p.Differ = append(p.Differ, h.config.Hosts[id].Name)
		}
	}
	add := func(list ...api.EffectiveParameter) { p.Parameters = append(p.Parameters, list...) }
	add(h.fileParams()...)
	over := h.overrides()
	for _, s := range h.clusterParameters(over) {
		add(overridable("cluster", "multicast."+s.Name, "muster network set --cluster "+s.Name+"=", s))
	}
	for i := range h.castings {
		c := &h.castings[i]
		for _, s := range h.parametersOf(c, over) {
			add(overridable("network "+c.Name, s.Name, "muster network set "+c.Name+" "+s.Name+"=", s))
		}
	}
	for _, host := range h.config.Hosts {
		if !host.Witness {
			add(h.hostOrderParam(host.Name))
		}
	}
	for i := range h.config.Rules {
		add(h.ruleOrderParam(i))
	}
	return p
}

// fileParams are the values that the file has or could have. What can be set by hand as well is left to who knows what was.
func (h *host) fileParams() []api.EffectiveParameter {
	var list []api.EffectiveParameter
	for _, e := range h.config.Effective {
		about, name := h.aboutOf(e.Path)
		if strings.HasPrefix(name, "multicast.") {
			continue
		}
		p := api.EffectiveParameter{About: about, Name: name, Value: e.Value, Source: api.FromDefault}
		if e.Given {
			p.Source = api.FromFile
		}
		list = append(list, p)
	}
	return list
}

// aboutOf says what a value of the file is about, and how it is called there.
func (h *host) aboutOf(path string) (about, name string) {
	part := strings.Split(path[1:], "/")
	for _, group := range []struct{ in, noun string }{{"hosts", "host"}, {"checks", "check"}} {
		if part[0] == group.in && len(part) > 2 {
			return group.noun + " " + part[1], strings.Join(part[2:], ".")
		}
	}
	if part[0] == "vips" && len(part) > 2 {
		return h.aboutVIP(part)
	}
	if part[0] != "heartbeat" {
		return "cluster", strings.Join(part, ".")
	}
	if part[1] == "networks" && len(part) > 3 {
		return "network " + part[2], strings.Join(part[3:], ".")
	}
	if part[1] == "multicast" {
		return "cluster", strings.Join(part[1:], ".")
	}
	return "cluster", strings.Join(part, ".")
}

// aboutVIP tells a VIP's own values from those of its rules.
func (h *host) aboutVIP(part []string) (about, name string) {
	if part[2] == "rules" && len(part) > 4 {
		for i := range h.config.VIPs {
			vip := &h.config.VIPs[i]
			n, err := strconv.Atoi(part[3])
			if vip.Name == part[1] && err == nil && n < len(vip.Rules) {
				return ruleAbout(h.config, vip.Rules[n]), strings.Join(part[4:], ".")
			}
		}
	}
	return "VIP " + part[1], strings.Join(part[2:], ".")
}

// ruleAbout names a rule for people.
func ruleAbout(cfg *config.Config, rule int) string {
	return "rule " + nameRule(cfg, rule).String()
}

// overridable is a parameter that can be set by hand over the file.
func overridable(about, name, undo string, s api.ParameterStatus) api.EffectiveParameter {
	p := api.EffectiveParameter{About: about, Name: name, Value: s.Value, Source: s.Source, SetOn: s.SetOn, SetAt: s.SetAt}
	if s.Source == api.FromOverride {
		p.Undo = undo
	}
	return p
}

// hostOrderParam is whether a host is to serve.
func (h *host) hostOrderParam(name string) api.EffectiveParameter {
	p := api.EffectiveParameter{About: "host " + name, Name: "order", Value: standing.Started.String(), Source: api.FromDefault}
	if order := h.hostOrderStatus(name); order != nil {
		p.Value, p.Source, p.SetOn, p.SetAt, p.Undo = order.State, api.FromOverride, order.SetOn, &order.SetAt, order.Undo
	}
	return p
}

// ruleOrderParam is whether a rule is to be served on this host.
func (h *host) ruleOrderParam(rule int) api.EffectiveParameter {
	p := api.EffectiveParameter{About: ruleAbout(h.config, rule), Name: "order", Value: standing.Enabled.String(), Source: api.FromDefault}
	counts := h.ruleOrder(h.config, rule, h.opt.Host)
	for _, o := range h.ruleOrderStatus(rule) {
		if o.State == counts.State.String() && o.Host == counts.Host && counts.Rule.VIP != "" {
			p.Value, p.Source, p.SetOn, p.SetAt, p.Undo = o.State, api.FromOverride, o.SetOn, &o.SetAt, o.Undo
		}
	}
	return p
}
