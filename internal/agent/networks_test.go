package agent

import (
	"strings"
	"testing"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/config"
)

func TestNetworkNumbersAreTheSameOnEveryHost(t *testing.T) {
	named := func(list ...string) *config.Config {
		cfg := &config.Config{}
		for _, n := range list {
			name, device, _ := strings.Cut(n, "=")
			cfg.Networks = append(cfg.Networks, config.Network{Name: name, Interface: device})
		}
		return cfg
	}
	for _, tc := range []struct {
		name string
		cfg  *config.Config
		want string
	}{
		{"none named", named(), "0 lan eth0"},
		{"the first named", named("net=eth0"), "0 net eth0"},
		{"another named", named("cross=eth1"), "0 lan eth0, 1 cross eth1"},
		{"both named", named("cross=eth1", "lan=eth0"), "0 lan eth0, 1 cross eth1"},
		{"the first before the other", named("a=eth0", "b=eth1"), "0 a eth0, 2 b eth1"},
		{"the name is taken", named("lan=eth1"), "0 hosts eth0, 1 lan eth1"},
		{"both names are taken", named("hosts=eth2", "lan=eth1"), "0 eth0 eth0, 1 hosts eth2, 2 lan eth1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			for _, n := range networkList(tc.cfg, "eth0") {
				got = append(got, string('0'+rune(n.Index))+" "+n.Name+" "+n.Interface)
			}
			if s := strings.Join(got, ", "); s != tc.want {
				t.Errorf("got %s, want %s", s, tc.want)
			}
		})
	}
}

func TestQualityIsThatOfTheBestNetwork(t *testing.T) {
	networks := []api.NetworkStatus{
		{Peers: []api.NetworkPeer{{Host: "b", State: api.PeerHeard, LossPercent: new(40.0), DelayMS: new(1.0)}}},
		{Peers: []api.NetworkPeer{{Host: "b", State: api.PeerHeard, LossPercent: new(2.0), DelayMS: new(9.0)}, {Host: "c", State: api.PeerSilent, LossPercent: new(0.0)}}},
	}
	if loss, delay := quality("b", networks); loss == nil || *loss != 2 || *delay != 9 {
		t.Errorf("loss %v, delay %v, want those of the second network", loss, delay)
	}
	if loss, _ := quality("c", networks); loss != nil {
		t.Errorf("a host that is silent has a loss of %v", *loss)
	}
}
