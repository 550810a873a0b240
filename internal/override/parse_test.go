package override

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/multicast"
)

// TestParse: our names and the old ones, with and without formats, and what is refused with a remedy.
func TestParse(t *testing.T) {
	for _, tc := range []struct {
		name  string
		level Level
		text  string
		param string
		value string
		unset bool
		err   error
		says  string
	}{
		{"address", Network, "address=239.1.2.3", GroupAddress, "239.1.2.3", false, nil, ""},
		{"old name", Network, "MulticastAddress=239.1.2.3", GroupAddress, "239.1.2.3", false, nil, ""},
		{"old name in any case, with its format", Network, "MULTICASTADDRESS=239.1.2.3:str", GroupAddress, "239.1.2.3", false, nil, ""},
		{"lower end", Network, "MulticastAddressRangeLower=239.1.0.0", RangeLower, "239.1.0.0", false, nil, ""},
		{"upper end", Network, "range-upper=239.1.0.9", RangeUpper, "239.1.0.9", false, nil, ""},
		{"disabled", Network, "disabled=true", Disabled, "true", false, nil, ""},
		{"disabled as it was", Network, "MulticastDisabled=1:DWORD", Disabled, "true", false, nil, ""},
		{"enabled as it was", Network, "MulticastDisabled=0:DWORD", Disabled, "false", false, nil, ""},
		{"any number but zero", Network, "MulticastDisabled=0x20:dword", Disabled, "true", false, nil, ""},
		{"the largest number", Network, "MulticastDisabled=4294967295", Disabled, "true", false, nil, ""},
		{"in words", Network, "disabled=False", Disabled, "false", false, nil, ""},
		{"MADCAP", Network, "madcap=false", MADCAP, "false", false, nil, ""},
		{"taken back", Network, "address=", GroupAddress, "", true, nil, ""},
		{"taken back by the old name", Network, "MulticastDisabled=", Disabled, "", true, nil, ""},
		{"taken back with a format", Network, "MulticastDisabled=:DWORD", Disabled, "", true, nil, ""},
		{"IPv6 address in one spelling", Network, "address=FF05:0::7:09", GroupAddress, "ff05::7:9", false, nil, ""},
		{"of all networks", Cluster, "disabled=1", Disabled, "true", false, nil, ""},
		{"of all networks, as it was", Cluster, "MulticastClusterDisabled=7:DWORD", Disabled, "true", false, nil, ""},
		{"spaces", Network, " address = 239.1.2.3 ", GroupAddress, "239.1.2.3", false, nil, ""},
		{"no value", Network, "address", "", "", false, ErrForm, "KEY=VALUE"},
		{"unknown", Network, "adress=239.1.2.3", "", "", false, ErrName, "address, range-lower"},
		{"of all networks, set on one", Network, "MulticastClusterDisabled=1", "", "", false, ErrName, "--cluster"},
		{"of one network, set on all", Cluster, "address=239.1.2.3", "", "", false, ErrName, "NETWORK address="},
		{"read only", Network, "MulticastConfigType=1:DWORD", "", "", false, ErrReadOnly, "how the address was found"},
		{"lease", Network, "MulticastLeaseServer=10.0.0.1", "", "", false, ErrReadOnly, "madcap=false"},
		{"lease by our name", Network, "lease-expires=1", "", "", false, ErrReadOnly, "MADCAP server"},
		{"neither true nor false", Network, "disabled=maybe", "", "", false, ErrValue, "`disabled=true`"},
		{"number below zero", Network, "disabled=-1", "", "", false, ErrValue, "neither true nor false"},
		{"another format", Network, "MulticastDisabled=1:STR", "", "", false, ErrValue, "DWORD"},
		{"address as a number", Network, "MulticastAddress=1:DWORD", "", "", false, ErrValue, "STR"},
		{"address without end", Network, "address=" + strings.Repeat("2", 300), "", "", false, ErrValue, "longer than"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := Parse(tc.level, tc.text)
			if !errors.Is(err, tc.err) || tc.err == nil && err != nil || tc.err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Fatalf("error %v", err)
			}
			if tc.err == nil && (c.Parameter.Name != tc.param || c.Value != tc.value || c.Unset != tc.unset || c.Parameter.Level != tc.level) {
				t.Errorf("%+v", c)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	file := config.Multicast{First: netip.MustParseAddr("239.255.0.0"), Last: netip.MustParseAddr("239.255.254.255")}
	lenient := file
	lenient.Lenient = true
	for _, tc := range []struct {
		name   string
		file   config.Multicast
		before Values
		text   []string
		says   string // empty: good
	}{
		{"group address", file, nil, []string{"address=239.1.2.3"}, ""},
		{"no group", file, nil, []string{"address=10.1.2.3"}, "224.0.0.0 to 239.255.255.255"},
		{"no address", file, nil, []string{"address=here"}, `"here" is no group address`},
		{"no group, lenient", lenient, nil, []string{"address=10.1.2.3"}, ""},
		{"end that is no group, lenient", lenient, nil, []string{"range-lower=10.1.2.3"}, "range-lower"},
		{"both ends", file, nil, []string{"range-lower=239.1.0.0", "range-upper=239.1.0.9"}, ""},
		{"one end", file, nil, []string{"range-lower=239.255.1.0"}, ""},
		{"one end above the other", file, nil, []string{"range-upper=239.1.0.9"}, "in one command"},
		{"one end above the other by hand", file, Values{RangeLower: "239.2.0.0", RangeUpper: "239.2.0.9"}, []string{"range-upper=239.1.0.9"}, "in one command"},
		{"IPv6 address", file, nil, []string{"address=ff05::7:9"}, ""},
		{"IPv6 address of this host only", file, nil, []string{"address=ff01::7:9"}, "link-local scope or wider"},
		{"IPv6 range", file, nil, []string{"range-lower=ff15::8000:0", "range-upper=ff15::8000:ffff"}, ""},
		{"ends of two families", file, nil, []string{"range-lower=ff15::8000:0"}, "in one command"},
		{"one end taken back", file, Values{RangeLower: "239.1.0.0", RangeUpper: "239.1.0.9"}, []string{"range-lower="}, "in one command"},
		{"both ends taken back", file, Values{RangeLower: "239.1.0.0", RangeUpper: "239.1.0.9"}, []string{"range-lower=", "range-upper="}, ""},
		{"another parameter, the range has become bad", file, Values{RangeUpper: "239.1.0.9"}, []string{"disabled=true"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var changes []Change
			for _, text := range tc.text {
				c, err := Parse(Network, text)
				if err != nil {
					t.Fatal(err)
				}
				changes = append(changes, c)
			}
			err := tc.before.Check(changes, tc.file)
			if tc.says == "" && err != nil || tc.says != "" && (!errors.Is(err, ErrValue) || !strings.Contains(err.Error(), tc.says)) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// TestEveryParameterHasBothNames: every property of Windows Server 2003 is known by its name, whether it can be set or not.
func TestEveryParameterHasBothNames(t *testing.T) {
	old := map[Level]string{
		Network: "MulticastAddress MulticastAddressRangeLower MulticastAddressRangeUpper MulticastConfigType MulticastDisabled MulticastLeaseExpires " +
			"MulticastLeaseObtained MulticastLeaseRequestId MulticastLeaseServer",
		Cluster: "MulticastClusterDisabled",
	}
	for level, names := range old {
		for _, name := range strings.Fields(names) {
			p, ok := find(level, strings.ToLower(name))
			if !ok || p.Old != name {
				t.Errorf("%s is not known", name)
			}
		}
		for _, p := range Parameters(level) {
			if ours, ok := find(level, strings.ToUpper(p.Name)); !ok || ours != p || p.Default == "" {
				t.Errorf("%+v", p)
			}
		}
	}
}

func TestKeysComeBack(t *testing.T) {
	for _, level := range []Level{Network, Cluster} {
		for _, p := range Parameters(level) {
			name := ""
			if level == Network {
				name = strings.Repeat("n", 63)
			}
			network, got, ok := Of(Key(name, p))
			if want := p.ReadOnly == ""; ok != want || ok && (network != name || got != p) {
				t.Errorf("%s: %q, %+v, %v", p.Name, network, got, ok)
			}
		}
	}
	for _, key := range []string{"", "lease/lan", "network/lan", "network/lan/address/more", "network/lan/none", "network/lan/MulticastAddress", "cluster/address", "cluster"} {
		if _, _, ok := Of(key); ok {
			t.Errorf("%q is taken for an override", key)
		}
	}
}

// FuzzParse: whatever is typed, what is taken can be kept, and reads as the same again.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"address=239.1.2.3", "MulticastDisabled=1:DWORD", "range-lower=", "disabled=0x7", "a=:", "=="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse(Network, text)
		if err != nil {
			return
		}
		if c.Unset != (c.Value == "") {
			t.Errorf("%+v", c)
		}
		again, err := Parse(Network, c.Parameter.Name+"="+c.Value)
		if err != nil || again != c {
			t.Errorf("%q is %+v, then %+v, %v", text, c, again, err)
		}
	})
}

func none() config.Multicast {
	r := multicast.DefaultRange()
	return config.Multicast{First: r.First, Last: r.Last}
}
