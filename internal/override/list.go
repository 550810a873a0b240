package override

import (
	"cmp"
	"slices"
	"time"

	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/multicast"
	"github.com/muster-ha/muster/internal/register"
)

// Override is one setting that lies over the file.
type Override struct {
	Network   string // empty: all networks
	Parameter Parameter
	Value     string    // that is in effect
	File      string    // what the file says; empty: nothing
	Host      string    // on which it was set; empty: not a host of this file
	At        time.Time // by that host's clock, in whole seconds
}

// Text says it in a line.
func (o Override) Text() string {
	about := "all networks"
	if o.Parameter.Level == Network {
		about = "network " + o.Network
	}
	by := "a host that the file does not name"
	if o.Host != "" {
		by = "host " + o.Host
	}
	over := "the file says nothing"
	if o.File != "" {
		over = "the file says " + o.File
	}
	return about + ": " + o.Parameter.Name + " is " + o.Value + " by hand, set on " + by + " at " + o.At.UTC().Format(time.RFC3339) + " (" + over + ")"
}

// Undo is the command that takes it back, ready to be typed.
func (o Override) Undo() string {
	if o.Parameter.Level == Cluster {
		return "muster network set --cluster " + o.Parameter.Name + "="
	}
	return "muster network set " + o.Network + " " + o.Parameter.Name + "="
}

// List gives the overrides among the common values, those of all networks first, then by network in the order of the table.
// Networks that the file does not name, or not any more, are in it too.
func List(entries []register.Entry, cfg *config.Config) []Override {
	var list []Override
	for _, e := range entries {
		network, p, ok := Of(e.Key)
		if !ok || e.Deleted {
			continue
		}
		o := Override{Network: network, Parameter: p, Value: e.Value, File: FileValue(cfg, network, p), At: time.Unix(e.At, 0)}
		if int(e.Version.Host) < len(cfg.Hosts) {
			o.Host = cfg.Hosts[e.Version.Host].Name
		}
		list = append(list, o)
	}
	slices.SortStableFunc(list, func(a, b Override) int {
		return cmp.Or(-cmp.Compare(a.Parameter.Level, b.Parameter.Level), cmp.Compare(a.Network, b.Network), cmp.Compare(place(a.Parameter), place(b.Parameter)))
	})
	return list
}

func place(p Parameter) int { return slices.Index(Parameters(p.Level), p) }

// FileValue is what the file says of a parameter; empty: nothing, or what it says is the default and cannot be told from that (`disabled: false` of the
// cluster, `madcap: true`).
func FileValue(cfg *config.Config, network string, p Parameter) string {
	if p.Level == Cluster {
		return said(cfg.NoMulticast, "true")
	}
	i := slices.IndexFunc(cfg.Networks, func(n config.Network) bool { return n.Name == network })
	if i < 0 {
		return ""
	}
	m := cfg.Networks[i].Multicast
	switch p.Name {
	case GroupAddress:
		return said(m.Address.IsValid(), m.Address.String())
	case RangeLower:
		return said(m.Ranged, m.First.String())
	case RangeUpper:
		return said(m.Ranged, m.Last.String())
	case Disabled:
		return map[multicast.Setting]string{multicast.Yes: "true", multicast.No: "false"}[m.Own]
	case MADCAP:
		return said(m.NoMADCAP, "false")
	}
	return ""
}

func said(is bool, value string) string {
	if is {
		return value
	}
	return ""
}
