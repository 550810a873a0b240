package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/muster-ha/muster/internal/api"
)

// metric is one family of series, and how it is read off a status.
type metric struct {
	name   string
	help   string
	kind   prometheus.ValueType
	labels []string
	read   func(s *api.Status, set setter)
}

// setter takes the value of one series.
type setter func(value float64, labels ...string)

const (
	gauge   = prometheus.GaugeValue
	counter = prometheus.CounterValue
)

// all lists every metric, by what it is about.
func all() []metric {
	var list []metric
	for _, part := range [][]metric{ofHost(), ofHosts(), ofNetworks(), ofShares(), ofRouters(), ofFilter()} {
		list = append(list, part...)
	}
	return list
}

func ofHost() []metric {
	return []metric{
		{"muster_info", "Always 1; the labels say which agent answers.", gauge, []string{"cluster", "host", "version"}, func(s *api.Status, set setter) {
			set(1, s.Cluster, s.Host, s.Version)
		}},
		{"muster_view_epoch", "Epoch of the view in use; 0: none. Every change of the view makes it grow.", gauge, nil, func(s *api.Status, set setter) {
			set(float64(s.Epoch))
		}},
		{"muster_view_members", "Hosts in the view in use.", gauge, nil, func(s *api.Status, set setter) {
			set(float64(len(s.View.Members)))
		}},
		{"muster_heartbeat_version", "Version that this host writes heartbeats in; below the highest during a rolling upgrade.", gauge, nil, func(s *api.Status, set setter) {
			set(float64(s.Language.Version))
		}},
		{"muster_config_pending", "Whether a newer configuration waits for the other hosts to have it.", gauge, nil, func(s *api.Status, set setter) {
			set(truth(s.Config.Pending != ""))
		}},
		{"muster_problems", "Problems that `muster status` lists.", gauge, nil, func(s *api.Status, set setter) {
			set(float64(len(s.Problems)))
		}},
		{"muster_check_up", "Whether a check is up on this host; none before its first result.", gauge, []string{"check"}, func(s *api.Status, set setter) {
			for _, c := range s.Checks {
				if c.State == "up" || c.State == "down" {
					set(truth(c.State == "up"), c.Name)
				}
			}
		}},
	}
}

func ofHosts() []metric {
	return []metric{
		{"muster_host_state", "1 for the state that a host is in as this one knows it, 0 for the others.", gauge, []string{"host", "state"}, func(s *api.Status, set setter) {
			for _, h := range s.Hosts {
				for _, state := range states() {
					set(truth(h.State == state), h.Name, string(state))
				}
			}
		}},
		{"muster_host_weight", "Share of new connections relative to the others, in effect now.", gauge, []string{"host"}, func(s *api.Status, set setter) {
			for _, h := range s.Hosts {
				set(float64(h.Weight), h.Name)
			}
		}},
		{"muster_host_silence_seconds", "Time since another host was last heard on any network.", gauge, []string{"host"}, func(s *api.Status, set setter) {
			for _, h := range s.Hosts {
				seconds(set, h.HeardAgoMS, h.Name)
			}
		}},
		{"muster_host_buckets_held", "Buckets, not its own, in which a host still has connections.", gauge, []string{"host"}, func(s *api.Status, set setter) {
			for _, h := range s.Hosts {
				if h.Holds != nil {
					set(float64(*h.Holds), h.Name)
				}
			}
		}},
		{"muster_host_connections", "Connections to VIPs that a host has which gets no new ones: what a drain waits for.", gauge, []string{"host"}, func(s *api.Status, set setter) {
			for _, h := range s.Hosts {
				if h.Connections != nil {
					set(float64(*h.Connections), h.Name)
				}
			}
		}},
		{"muster_host_config_differs", "Whether a host has another configuration than this one.", gauge, []string{"host"}, func(s *api.Status, set setter) {
			for _, h := range s.Hosts {
				if h.ConfigDiffers != nil {
					set(truth(*h.ConfigDiffers), h.Name)
				}
			}
		}},
	}
}

// states are those that a host can be in.
func states() []api.State {
	return []api.State{api.StateUnknown, api.StateJoining, api.StateServing, api.StateDrained, api.StateLeaving, api.StateSilent, api.StateWitness, api.StateStopped, api.StateSuspended}
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// seconds takes milliseconds that may not be known.
func seconds(set setter, ms *float64, labels ...string) {
	if ms != nil {
		set(*ms/1000, labels...)
	}
}
