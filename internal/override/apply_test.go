package override

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/multicast"
	"github.com/muster-ha/muster/internal/register"
)

// TestTruthTableOfDisabling: every line, each setting from the file, by hand, and by hand over the opposite of the file.
func TestTruthTableOfDisabling(t *testing.T) {
	for _, line := range []struct {
		cluster  bool
		network  multicast.Setting
		disabled bool
	}{
		{false, multicast.NotSet, false},
		{false, multicast.No, false},
		{false, multicast.Yes, true},
		{true, multicast.NotSet, true},
		{true, multicast.Yes, true},
		{true, multicast.No, false},
	} {
		words := map[multicast.Setting]string{multicast.Yes: "true", multicast.No: "false"}
		file := none()
		file.Own = line.network
		if got := Apply(file, line.cluster, nil, nil); got.Disabled != line.disabled {
			t.Errorf("%+v from the file: disabled %v", line, got.Disabled)
		}
		cluster, network := Values{Disabled: words[multicast.No]}, Values{}
		if line.cluster {
			cluster = Values{Disabled: words[multicast.Yes]}
		}
		opposite := none()
		if line.network != multicast.NotSet {
			network = Values{Disabled: words[line.network]}
			opposite.Own = multicast.Yes + multicast.No - line.network
		}
		if got := Apply(opposite, !line.cluster, network, cluster); got.Disabled != line.disabled || got.Own != line.network {
			t.Errorf("%+v by hand: disabled %v", line, got.Disabled)
		}
	}
}

func TestApply(t *testing.T) {
	a := netip.MustParseAddr
	file := none()
	file.Address, file.NoMADCAP, file.Warning = a("239.7.7.7"), true, "the file's"
	for _, tc := range []struct {
		name   string
		values Values
		want   func(*config.Multicast)
		warned string
	}{
		{"nothing", nil, func(*config.Multicast) {}, "the file's"},
		{"address", Values{GroupAddress: "239.1.2.3"}, func(m *config.Multicast) { m.Address = a("239.1.2.3") }, ""},
		{"address that is none", Values{GroupAddress: "10.1.2.3"}, func(m *config.Multicast) { m.Address = netip.Addr{} }, "10.1.2.3"},
		{"both ends", Values{RangeLower: "239.1.0.0", RangeUpper: "239.1.0.9"}, func(m *config.Multicast) { m.First, m.Last, m.Ranged = a("239.1.0.0"), a("239.1.0.9"), true }, ""},
		{"one end", Values{RangeLower: "239.255.9.0"}, func(m *config.Multicast) { m.First, m.Ranged = a("239.255.9.0"), true }, ""},
		{"a range that the file has made bad", Values{RangeUpper: "239.1.0.9"}, func(*config.Multicast) {}, "ends before it starts"},
		{"MADCAP", Values{MADCAP: "true"}, func(m *config.Multicast) { m.NoMADCAP = false }, "the file's"},
		{"of a later version", Values{MADCAP: "perhaps", Disabled: "perhaps", "colour": "red"}, func(*config.Multicast) {}, "the file's"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := Apply(file, false, tc.values, nil)
			if !strings.Contains(got.Warning, tc.warned) || (got.Warning == "") != (tc.warned == "") {
				t.Errorf("warning %q", got.Warning)
			}
			want := file
			tc.want(&want)
			want.Warning = got.Warning
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestList(t *testing.T) {
	s := register.New(1)
	at := time.Unix(1_800_000_000, 0)
	for key, value := range map[string]string{"network/lan/disabled": "true", "network/lan/address": "239.1.2.3", "network/gone/madcap": "false",
		"cluster/disabled": "false", "lease/lan": "of no interest", "network/lan/colour": "red"} {
		if err := s.Put(key, value, at); err != nil {
			t.Fatal(err)
		}
	}
	cfg := &config.Config{Hosts: []config.Host{{Name: "a"}, {Name: "b"}}, NoMulticast: true,
		Networks: []config.Network{{Name: "lan", Multicast: config.Multicast{Address: netip.MustParseAddr("239.7.7.7")}}}}
	var got []string
	for _, o := range List(s.Values(""), cfg) {
		got = append(got, o.Text()+" | "+o.Undo())
	}
	want := []string{
		"all networks: disabled is false by hand, set on host b at 2027-01-15T08:00:00Z (the file says true) | muster network set --cluster disabled=",
		"network gone: madcap is false by hand, set on host b at 2027-01-15T08:00:00Z (the file says nothing) | muster network set gone madcap=",
		"network lan: address is 239.1.2.3 by hand, set on host b at 2027-01-15T08:00:00Z (the file says 239.7.7.7) | muster network set lan address=",
		"network lan: disabled is true by hand, set on host b at 2027-01-15T08:00:00Z (the file says nothing) | muster network set lan disabled=",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
	cfg.Hosts = cfg.Hosts[:1]
	if o := List(s.Values(""), cfg)[0]; o.Host != "" || !strings.Contains(o.Text(), "does not name") {
		t.Errorf("set by a host that is gone: %s", o.Text())
	}
}

// TestFileValues: what the file says of every parameter that can be set.
func TestFileValues(t *testing.T) {
	all := config.Multicast{Address: netip.MustParseAddr("239.7.7.7"), First: netip.MustParseAddr("239.1.0.0"), Last: netip.MustParseAddr("239.1.0.9"), Ranged: true,
		Own: multicast.No, NoMADCAP: true}
	cfg := &config.Config{NoMulticast: true, Networks: []config.Network{{Name: "all", Multicast: all}, {Name: "nothing", Multicast: none()}}}
	for _, tc := range []struct {
		network, parameter, want string
	}{
		{"all", GroupAddress, "239.7.7.7"}, {"all", RangeLower, "239.1.0.0"}, {"all", RangeUpper, "239.1.0.9"}, {"all", Disabled, "false"}, {"all", MADCAP, "false"},
		{"nothing", GroupAddress, ""}, {"nothing", RangeLower, ""}, {"nothing", Disabled, ""}, {"nothing", MADCAP, ""}, {"not there", GroupAddress, ""}, {"all", ConfigType, ""},
	} {
		p, _ := find(Network, tc.parameter)
		if got := FileValue(cfg, tc.network, p); got != tc.want {
			t.Errorf("%s of network %s: %q, want %q", tc.parameter, tc.network, got, tc.want)
		}
	}
	p, _ := find(Cluster, Disabled)
	if FileValue(cfg, "", p) != "true" || FileValue(&config.Config{}, "", p) != "" {
		t.Error("the cluster's setting")
	}
}
