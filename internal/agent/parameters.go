package agent

import (
	"strconv"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/multicast"
	"github.com/muster-ha/muster/internal/override"
)

// parametersOf are what can be set of a network, and what follows from that.
func (h *host) parametersOf(c *casting, over []override.Override) []api.ParameterStatus {
	set := h.settings(c.Name)
	r := multicast.Range{First: set.First, Last: set.Last}.For(c.six)
	set.First, set.Last = r.First, r.Last
	list := h.parameters(override.Network, c.Name, over)
	for i := range list {
		p := &list[i]
		if v := inEffect(p.Name, set); v != "" {
			p.Value = v
		}
		h.clusterState(p, c, set)
	}
	return list
}

// clusterParameters are what can be set of all networks.
func (h *host) clusterParameters(over []override.Override) []api.ParameterStatus {
	return h.parameters(override.Cluster, "", over)
}

// parameters are the parameters of a level as the file and overrides say.
func (h *host) parameters(level override.Level, network string, over []override.Override) []api.ParameterStatus {
	var list []api.ParameterStatus
	for _, p := range override.Parameters(level) {
		s := api.ParameterStatus{Name: p.Name, OldName: p.Old, Type: p.Kind.String(), Default: p.Default, Value: p.Default, Source: api.FromDefault,
			File: override.FileValue(h.config, network, p), Writable: p.ReadOnly == "", Why: p.ReadOnly}
		if s.File != "" {
			s.Value, s.Source = s.File, api.FromFile
		}
		for _, o := range over {
			if o.Network == network && o.Parameter == p {
				s.Value, s.Source, s.SetOn, s.SetAt = o.Value, api.FromOverride, o.Host, new(o.At.UTC())
			}
		}
		list = append(list, s)
	}
	return list
}

// inEffect is the value of a parameter that always has one.
func inEffect(name string, set config.Multicast) string {
	switch name {
	case override.RangeLower:
		return set.First.String()
	case override.RangeUpper:
		return set.Last.String()
	case override.Disabled:
		return strconv.FormatBool(set.Disabled)
	case override.MADCAP:
		return strconv.FormatBool(!set.NoMADCAP)
	}
	return ""
}

// oldConfigTypes are the numbers of Windows Server 2003 beside the words.
func oldConfigType(how multicast.How) string {
	switch how {
	case multicast.Manual:
		return how.String() + " (0)"
	case multicast.Leased:
		return how.String() + " (1)"
	case multicast.Random:
		return how.String() + " (2)"
	}
	return how.String()
}

// clusterState fills in what the hosts have agreed on: the group in use where none is set, how it was found, and the lease.
func (h *host) clusterState(p *api.ParameterStatus, c *casting, set config.Multicast) {
	say := func(value string) { p.Value, p.Source = value, api.FromCluster }
	lease := h.leaseOf(c)
	switch {
	case p.Name == override.GroupAddress && !set.Address.IsValid() && c.group.Address.IsValid():
		p.Value = c.group.Address.String()
		if p.Source == api.FromDefault {
			p.Source = api.FromCluster
		}
	case p.Name == override.ConfigType && c.group.Address.IsValid():
		say(oldConfigType(c.group.How))
	case !lease.Known():
	case p.Name == override.LeaseServer:
		say(lease.Server.String())
	case p.Name == override.LeaseID:
		say(lease.ID.String())
	case p.Name == override.LeaseObtained:
		say(lease.Obtained.UTC().Format(time.RFC3339))
	case p.Name == override.LeaseExpires:
		say(lease.Expires.UTC().Format(time.RFC3339))
	}
}

// overrideStatus lists what was set by hand, for people.
func overrideStatus(over []override.Override) []api.OverrideStatus {
	list := []api.OverrideStatus{}
	for _, o := range over {
		list = append(list, api.OverrideStatus{Network: o.Network, Parameter: o.Parameter.Name, Value: o.Value, File: o.File,
			SetOn: o.Host, SetAt: o.At.UTC(), Text: o.Text(), Undo: o.Undo()})
	}
	return list
}
