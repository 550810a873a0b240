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

func TestBadNetworkIsThePairs(t *testing.T) {
	heard := func(host string, loss float64) api.NetworkPeer {
		return api.NetworkPeer{Host: host, State: api.PeerHeard, LossPercent: &loss}
	}
	silent := func(host string) api.NetworkPeer {
		return api.NetworkPeer{Host: host, State: api.PeerSilent, LossPercent: new(0.0)}
	}
	up := func(name string, peers ...api.NetworkPeer) api.NetworkStatus {
		return api.NetworkStatus{Name: name, Up: true, Peers: peers}
	}
	for _, tc := range []struct {
		name     string
		networks []api.NetworkStatus
		want     string // what the problems are about
	}{
		{"all well", []api.NetworkStatus{up("lan", heard("b", 0), heard("c", 1)), up("cross", heard("b", 0), heard("c", 0))}, ""},
		{"one pair on one network", []api.NetworkStatus{up("lan", heard("b", 0), silent("c")), up("cross", heard("b", 0), heard("c", 0))}, "network lan between a and c"},
		{"a host that is gone is no network's problem", []api.NetworkStatus{up("lan", silent("b"), heard("c", 0)), up("cross", silent("b"), heard("c", 0))}, ""},
		{"loss", []api.NetworkStatus{up("lan", heard("b", 30), heard("c", 0))}, "network lan between a and b"},
		{"down", []api.NetworkStatus{up("lan", heard("b", 0)), {Name: "cross", Why: "gone", Peers: []api.NetworkPeer{{Host: "b"}}}}, "network cross"},
		{"never heard there", []api.NetworkStatus{up("lan", heard("b", 0)), up("cross", api.NetworkPeer{Host: "b"})}, "network cross between a and b"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var about []string
			for _, p := range networkProblems(api.Status{Host: "a", Networks: tc.networks}) {
				about = append(about, p.About)
				if p.What == "" || p.Remedy == "" {
					t.Errorf("%+v", p)
				}
			}
			if got := strings.Join(about, "; "); got != tc.want {
				t.Errorf("problems about %q, want %q", got, tc.want)
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
