package agent

import (
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/member"
)

// near has for each VIP the hosts that are on its network.
func near(cfg *config.Config) []member.Set {
	sets := make([]member.Set, len(cfg.VIPs))
	for vip := range sets {
		for id := range cfg.Hosts {
			if cfg.Near(vip, id) {
				sets[vip] = sets[vip].With(member.ID(id))
			}
		}
	}
	return sets
}

// neighbours reports whether this host and another are both on a VIP's network, so that frames go from one to the other.
func neighbours(cfg *config.Config, vip int, self, other member.ID) bool {
	return cfg.Near(vip, int(self)) && cfg.Near(vip, int(other))
}
