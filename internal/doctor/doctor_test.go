package doctor

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/vip"
)

const file = `cluster: shop
secret_file: secret.key
hosts:
  a: {address: 10.77.0.1}
  b: {address: 10.77.0.2}
  w: {address: 10.77.0.3, role: witness}
vips:
  web: {address: 10.77.0.100/24, delivery: DELIVERY, rules: [{ports: [80]}]}
bgp: {as: 64512, neighbors: {tor1: {address: 10.77.0.254, as: 64513}, tor2: {address: 10.77.0.253, as: 64513}}}
`

func parsed(t testing.TB, mode string) *config.Config {
	t.Helper()
	cfg, err := config.Parse("/etc/muster/muster.yaml", []byte(strings.Replace(file, "DELIVERY", mode, 1)))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// healthy is a host with nothing wrong.
func healthy() Facts {
	return Facts{
		Files:    []File{{What: "secret"}},
		Features: []Feature{{What: "eBPF"}},
		Places:   []Place{{Link: vip.Interface{Name: "eth0", Index: 2, Up: true}}},
		Links:    map[string]Link{"eth0": {MTU: 1500, Carrier: true, Driver: "e1000e", Reverse: 1}},
		Default4: "eth0",
		Exits:    []vip.Exit{{To: netip.MustParsePrefix("10.77.0.0/24"), Link: "eth0", There: true, Due: true, Command: "ip route add"}, {To: netip.MustParsePrefix("0.0.0.0/0"), Link: "eth0", There: true}},
		Paths:    []Path{{Host: "b", Address: netip.MustParseAddr("10.77.0.2"), Small: true, Full: true}},
		Queriers: map[string]Querier{"eth0": {Address: netip.MustParseAddr("10.77.0.254")}},
		Routers:  []Router{{Name: "tor1", Interface: "eth0"}, {Name: "tor2", Interface: "eth0"}},
	}
}

func TestHealthyHostHasNoDiagnosis(t *testing.T) {
	for _, mode := range []string{"directed", "unicast", "multicast", "igmp", "routed"} {
		if got := Diagnose(parsed(t, mode), 0, healthy()); len(got) > 0 {
			t.Errorf("%s: %+v", mode, got)
		}
	}
}

func TestEachDiagnosis(t *testing.T) {
	bad := errors.New("it is broken")
	for _, tt := range []struct {
		name, mode, check string
		spoil             func(*Facts)
		about, what       string
		remedy            string
		note              bool
	}{
		{"secret others may read", "directed", CheckSecret, func(f *Facts) { f.Files[0].Err = bad }, "secret", "it is broken", "mend", false},
		{"kernel without a feature", "directed", CheckKernel, func(f *Facts) { f.Features[0].Err = bad }, "kernel", "eBPF: it is broken", "5.15", false},
		{"no interface for the VIP", "directed", CheckInterface, func(f *Facts) { f.Places[0].Err = bad }, "VIP web", "it is broken", "interface", false},
		{"interface down", "directed", CheckInterface, func(f *Facts) { f.Places[0].Link.Up = false }, "interface eth0", "switched off", "ip link set eth0 up", false},
		{"no carrier", "directed", CheckInterface, func(f *Facts) { f.with("eth0", func(l *Link) { l.Carrier = false }) }, "interface eth0", "no carrier", "cable", false},
		{"small MTU", "directed", CheckMTU, func(f *Facts) { f.with("eth0", func(l *Link) { l.MTU = 1400 }) }, "interface eth0", "1400", "mtu 1500", true},
		{"tunnel on a way that is too narrow", "directed", CheckMTU, func(f *Facts) { f.Tunnels = []Tunnel{{Host: "b", Takes: 1500, Adds: 50}} }, "tunnel to host b", "leaves 1450", "1550 or more", true},
		{"tunnel on a way that is not known", "directed", CheckMTU, func(f *Facts) { f.Tunnels = []Tunnel{{Host: "b", Err: bad}} }, "tunnel to host b", "it is broken", "is up", true},
		{"path loses what is long", "directed", CheckPath, func(f *Facts) { f.Paths[0].Full = false }, "host b", "loses what is long", "MTU", false},
		{"host answers no ping", "directed", CheckPath, func(f *Facts) { f.Paths[0].Small, f.Paths[0].Full = false, false }, "host b", "no ping", "see that it is up", true},
		{"strict and the default route elsewhere", "routed", CheckFilter, func(f *Facts) { f.Default4 = "eth9" }, "interface eth0", "default route leaves by eth9", "rp_filter=2", false},
		{"strict and no default route", "directed", CheckFilter, func(f *Facts) { f.Default4 = "" }, "interface eth0", "no default route", "rp_filter=2", true},
		{"no route to its network", "directed", CheckRoute, func(f *Facts) { f.Exits[0].There = false }, "interface eth0", "no route to 10.77.0.0/24", "run `ip route add`", false},
		{"port taken", "directed", CheckPort, func(f *Facts) { f.Port = bad }, "UDP port 3343", "it is broken", "ss -ulpn", false},
		{"clock", "directed", CheckClock, func(f *Facts) { f.Clock = bad }, "clock", "it is broken", "timedatectl", true},
		{"no querier", "igmp", CheckIGMP, func(f *Facts) { f.Queriers["eth0"] = Querier{} }, "interface eth0", "no IGMP querier", "querier on", false},
		{"nobody could listen", "igmp", CheckIGMP, func(f *Facts) { f.Queriers["eth0"] = Querier{Err: bad} }, "interface eth0", "it is broken", "root", false},
		{"unicast on a virtual machine", "unicast", CheckUnicast, func(f *Facts) { f.with("eth0", func(l *Link) { l.Driver = "vmxnet3" }) }, "VIP web", "virtual machine (VMware)", "directed", false},
		{"a switch learns the cluster's MAC", "unicast", CheckUnicast, func(f *Facts) { f.Foreign = map[string]string{"eth0": "02:bf:0a:4d:00:64"} }, "VIP web", "02:bf:0a:4d:00:64", "find that machine", false},
		{"a bridge that snoops and hears a querier", "multicast", CheckBridge, func(f *Facts) { f.bridge(Bridge{Snoops: true, Querier4: true, Ports: 2, Closed: []string{"eth1"}}) },
			"interface eth0", "and there is a querier", "run `ip link set eth0 type bridge mcast_router 2`, and", false},
		{"a bridge that snoops and is the querier", "igmp", CheckBridge, func(f *Facts) {
			f.bridge(Bridge{Snoops: true, Querier4: true, Own: true, Ports: 2, Closed: []string{"eth1"}})
		}, "interface eth0", "do not arrive", "mcast_router 2` and `bridge link set dev eth1 mcast_router 2`", false},
		{"a bridge whose host alone is cared for", "igmp", CheckBridge, func(f *Facts) {
			f.bridge(Bridge{Snoops: true, Querier4: true, Own: true, Router: true, Ports: 2, Closed: []string{"eth1"}})
		}, "interface eth0", "do not arrive", "run `bridge link set dev eth1 mcast_router 2`, and", false},
		{"a querier that was heard only", "igmp", CheckBridge, func(f *Facts) { f.bridge(Bridge{Snoops: true, Ports: 1}) }, "interface eth0", "and there is a querier", "mcast_router 2", false},
		{"a bridge that snoops", "multicast", CheckBridge, func(f *Facts) { f.bridge(Bridge{Snoops: true, Ports: 1}); f.Queriers = nil }, "interface eth0", "once there is a querier", "mcast_router 2", true},
		{"a bridge with others at its ports", "unicast", CheckBridge, func(f *Facts) { f.bridge(Bridge{Ports: 2}) }, "interface eth0", "keeps frames", "directed", true},
		{"router behind another", "routed", CheckRouted, func(f *Facts) { f.Routers[1].Err = bad }, "router tor2", "it is broken", "next to the hosts", false},
		{"routers on two interfaces", "routed", CheckRouted, func(f *Facts) { f.Routers[1].Interface = "eth1" }, "router tor2", "reached by eth1", "one interface", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg, facts := parsed(t, tt.mode), healthy()
			tt.spoil(&facts)
			got := Diagnose(cfg, 0, facts)
			if len(got) != 1 {
				t.Fatalf("got %d diagnoses: %+v", len(got), got)
			}
			d := got[0]
			if d.Check != tt.check || d.About != tt.about || !strings.Contains(d.What, tt.what) || !strings.Contains(d.Remedy, tt.remedy) || d.Note != tt.note {
				t.Errorf("got %+v", d)
			}
			if only := Diagnose(cfg, 0, facts, tt.check); !slices.Equal(only, got) {
				t.Errorf("asked for alone: %+v", only)
			}
			others := slices.DeleteFunc(Names(), func(n string) bool { return n == tt.check })
			if rest := Diagnose(cfg, 0, facts, others...); len(rest) > 0 {
				t.Errorf("asked for the others: %+v", rest)
			}
		})
	}
}

// bridge makes the VIP's interface one.
func (facts *Facts) bridge(b Bridge) { facts.Bridges = map[string]Bridge{"eth0": b} }

// with changes what is known of an interface.
func (facts *Facts) with(name string, change func(*Link)) {
	l := facts.Links[name]
	change(&l)
	facts.Links[name] = l
}

func TestFaultsThatDoNotMatterAreNotSaid(t *testing.T) {
	facts := healthy()
	facts.Queriers["eth0"] = Querier{}
	facts.with("eth0", func(l *Link) { l.Driver = "virtio_net"; l.Reverse = 2 })
	facts.Default4 = "eth9"
	if got := Diagnose(parsed(t, "directed"), 0, facts); len(got) > 0 {
		t.Errorf("directed delivery needs no querier, no flooding, and loose rp_filter is fine: %+v", got)
	}
	facts.Tunnels = []Tunnel{{Host: "b", Takes: 1550, Adds: 50}}
	if got := Diagnose(parsed(t, "directed"), 0, facts); len(got) > 0 {
		t.Errorf("a way that is wide enough: %+v", got)
	}
	facts = healthy()
	facts.Exits[0].Due, facts.Exits[0].There, facts.Exits[1].There = false, false, false
	if got := Diagnose(parsed(t, "directed"), 0, facts); len(got) > 0 {
		t.Errorf("an administrator may leave routes out that do not come by themselves: %+v", got)
	}
	facts = healthy()
	for _, b := range []Bridge{
		{Ports: 3, Own: true, Querier4: true, Closed: []string{"eth1"}},
		{Snoops: true, Own: true, Querier4: true, Router: true, Ports: 1, Closed: []string{"eth1"}},
		{Snoops: true, Querier4: true, Router: true, Ports: 3, Closed: []string{"eth1"}},
	} {
		facts.bridge(b)
		if got := Diagnose(parsed(t, "multicast"), 0, facts); len(got) > 0 {
			t.Errorf("%+v passes on what it should: %+v", b, got)
		}
	}
	facts.bridge(Bridge{Snoops: true, Own: true, Querier4: true, Ports: 3})
	if got := Diagnose(parsed(t, "directed"), 0, facts); len(got) > 0 {
		t.Errorf("directed delivery has no MAC of the cluster: %+v", got)
	}
	facts = Facts{Features: []Feature{{What: "eBPF", Err: errors.New("none")}}}
	if got := Diagnose(parsed(t, "directed"), 2, facts); len(got) > 0 {
		t.Errorf("a witness arms no filter: %+v", got)
	}
}

func TestOneFaultOfTwoVIPsIsSaidOnce(t *testing.T) {
	cfg, err := config.Parse("f", []byte(strings.Replace(strings.Replace(file, "DELIVERY", "igmp", 1), "bgp:", "  mail: {address: 10.77.0.101/24, delivery: igmp, rules: [{ports: [25]}]}\nbgp:", 1)))
	if err != nil {
		t.Fatal(err)
	}
	facts := healthy()
	facts.Places = append(facts.Places, facts.Places[0])
	facts.Queriers["eth0"] = Querier{}
	if got := Diagnose(cfg, 0, facts); len(got) != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestWhatTheAgentSaysIsAddedOnce(t *testing.T) {
	said := []Diagnosis{{Check: CheckIGMP, About: "interface eth0", What: "no IGMP querier was heard"}}
	s := api.Status{Problems: []api.Problem{{About: "interface eth0", What: "no IGMP querier was heard"}, {About: "host b", What: "is not heard any more", Remedy: "check its power"}}}
	got := AddStatus(said, s, nil)
	if len(got) != 2 || got[1] != (Diagnosis{Check: CheckAgent, About: "host b", What: "is not heard any more", Remedy: "check its power"}) {
		t.Errorf("got %+v", got)
	}
	if got = AddStatus(nil, api.Status{}, errors.New("no agent runs")); len(got) != 1 || !strings.Contains(got[0].Remedy, "--pre") {
		t.Errorf("without an agent: %+v", got)
	}
	if n := Bad([]Diagnosis{{Note: true}, {}, {}}); n != 2 {
		t.Errorf("%d are bad, want 2", n)
	}
}

func TestOfDeliveryAreChecks(t *testing.T) {
	for _, c := range OfDelivery() {
		if !slices.Contains(Names(), c) {
			t.Errorf("there is no check %s", c)
		}
	}
}
