package metrics

import "github.com/muster-ha/muster/internal/api"

// The ways that heartbeats go on a network, as the label path has them.
const (
	unicast   = "unicast"
	multicast = "multicast"
)

func ofNetworks() []metric {
	pair := []string{"network", "peer"}
	return append(ofPaths(), []metric{
		{"muster_network_up", "Whether a network can be used on this host.", gauge, []string{"network"}, func(s *api.Status, set setter) {
			for _, n := range s.Networks {
				set(truth(n.Up), n.Name)
			}
		}},
		{"muster_heartbeat_heard", "Whether another host is heard on a network.", gauge, pair, func(s *api.Status, set setter) {
			peers(s, func(n api.NetworkStatus, p api.NetworkPeer) { set(truth(p.State == api.PeerHeard), n.Name, p.Host) })
		}},
		{"muster_heartbeat_loss_ratio", "Share of another host's recent heartbeats that did not arrive on a network, 0 to 1.", gauge, pair, func(s *api.Status, set setter) {
			peers(s, func(n api.NetworkStatus, p api.NetworkPeer) {
				if p.LossPercent != nil {
					set(*p.LossPercent/100, n.Name, p.Host)
				}
			})
		}},
		{"muster_heartbeat_round_trip_seconds", "Round trip to another host on a network, smoothed.", gauge, pair, func(s *api.Status, set setter) {
			peers(s, func(n api.NetworkStatus, p api.NetworkPeer) { seconds(set, p.DelayMS, n.Name, p.Host) })
		}},
		{"muster_heartbeat_jitter_seconds", "How much the delay from another host varies on a network, smoothed.", gauge, pair, func(s *api.Status, set setter) {
			peers(s, func(n api.NetworkStatus, p api.NetworkPeer) { seconds(set, p.JitterMS, n.Name, p.Host) })
		}},
	}...)
}

func ofPaths() []metric {
	return []metric{
		{"muster_multicast_used", "Whether heartbeats go by multicast on a network.", gauge, []string{"network"}, func(s *api.Status, set setter) {
			for _, n := range s.Networks {
				set(truth(n.Multicast.Used), n.Name)
			}
		}},
		{"muster_heartbeats_sent_total", "Heartbeats sent since the agent started. By unicast each is a datagram for every host that needs it, by multicast one for all.", counter,
			[]string{"network", "path"}, func(s *api.Status, set setter) {
				for _, n := range s.Networks {
					set(float64(n.Datagrams.Sent), n.Name, unicast)
					set(float64(n.Multicast.Datagrams.Sent), n.Name, multicast)
				}
			}},
		{"muster_datagrams_received_total", "Datagrams received since the agent started, by what became of them: accepted, or the reason for which they were refused.", counter,
			[]string{"network", "path", "reason"}, func(s *api.Status, set setter) {
				for _, n := range s.Networks {
					received(set, n.Datagrams, n.Name, unicast)
					received(set, n.Multicast.Datagrams, n.Name, multicast)
				}
			}},
	}
}

func received(set setter, d api.DatagramStatus, network, path string) {
	set(float64(d.Accepted), network, path, "accepted")
	for reason, count := range d.Refused {
		set(float64(count), network, path, reason)
	}
}

// peers calls f for every other host on every network.
func peers(s *api.Status, f func(api.NetworkStatus, api.NetworkPeer)) {
	for _, n := range s.Networks {
		for _, p := range n.Peers {
			f(n, p)
		}
	}
}
