package metrics

import "github.com/muster-ha/muster/internal/api"

func ofRouters() []metric {
	return []metric{
		{"muster_router_up", "Whether this host has a BGP session with a router.", gauge, []string{"router"}, func(s *api.Status, set setter) {
			for _, b := range s.BGP {
				set(truth(b.Up), b.Neighbor)
			}
		}},
		{"muster_router_addresses", "Virtual addresses that a router was told to send here.", gauge, []string{"router"}, func(s *api.Status, set setter) {
			for _, b := range s.BGP {
				set(float64(len(b.Announced)), b.Neighbor)
			}
		}},
	}
}
