package multicast

import (
	"errors"
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// TestDisabled is the truth table, line by line.
func TestDisabled(t *testing.T) {
	for _, tc := range []struct {
		name    string
		cluster bool
		network Setting
		want    bool
	}{
		{"nothing set", false, NotSet, false},
		{"network enabled", false, No, false},
		{"network disabled", false, Yes, true},
		{"cluster disabled", true, NotSet, true},
		{"both disabled", true, Yes, true},
		{"cluster disabled, network enabled", true, No, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := Disabled(tc.cluster, tc.network); got != tc.want {
				t.Errorf("disabled %v, want %v", got, tc.want)
			}
		})
	}
}

func TestDecide(t *testing.T) {
	group := Group{Address: netip.MustParseAddr("239.255.1.2"), Version: 1, How: Random}
	for _, tc := range []struct {
		name string
		s    Situation
		use  bool
		why  string
	}{
		{"all well", Situation{Members: 3, Group: group}, true, "the cluster has 3 members and all can"},
		{"two members", Situation{Members: 2, Group: group}, false, "the cluster has 2 members, and multicast saves datagrams from 3 on"},
		{"no version agreed yet", Situation{Members: 3, Undecided: true, Group: group}, false, "it begins when the hosts that are heard have agreed on a version that can"},
		{"old version", Situation{Members: 3, Incapable: "b", Group: group}, false, "host b runs a version that cannot"},
		{"disabled", Situation{Members: 3, Disabled: true, Group: group}, false, "it is disabled"},
		{"no group", Situation{Members: 3}, false, "no group address is agreed yet"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if use, why := Decide(tc.s); use != tc.use || why != tc.why {
				t.Errorf("%v, %q; want %v, %q", use, why, tc.use, tc.why)
			}
		})
	}
}

func TestRanges(t *testing.T) {
	a := netip.MustParseAddr
	for _, tc := range []struct {
		name   string
		r      Range
		want   Range
		warned bool
	}{
		{"not set", Range{}, DefaultRange(), false},
		{"good", Range{a("239.1.0.0"), a("239.1.0.9")}, Range{a("239.1.0.0"), a("239.1.0.9")}, false},
		{"one address", Range{a("239.1.0.0"), a("239.1.0.0")}, Range{a("239.1.0.0"), a("239.1.0.0")}, false},
		{"first no group", Range{a("10.1.0.0"), a("239.1.0.9")}, DefaultRange(), true},
		{"last no group", Range{a("239.1.0.0"), a("240.0.0.0")}, DefaultRange(), true},
		{"one end only", Range{First: a("239.1.0.0")}, DefaultRange(), true},
		{"backwards", Range{a("239.1.0.9"), a("239.1.0.0")}, DefaultRange(), true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got, why := tc.r.Usable(); got != tc.want || (why != "") != tc.warned {
				t.Errorf("%v, %q", got, why)
			}
		})
	}
}

// TestSelfSelection: an address is in the range, is not reserved and not avoided, and every one that is left is found.
func TestSelfSelection(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := rapid.Uint32Range(number(netip.MustParseAddr("224.0.0.0")), number(netip.MustParseAddr("239.255.255.0"))).Draw(t, "first")
		r := Range{address(first), address(first + rapid.Uint32Range(0, 20).Draw(t, "more"))}
		var taken []netip.Addr
		for {
			a, how, err := SelfSelected{r}.Choose(Avoid(taken, nil))
			if errors.Is(err, ErrFull) {
				break
			}
			if err != nil || how != Random || a.Less(r.First) || r.Last.Less(a) || Reserved(a) || !IsGroup(a) {
				t.Fatalf("%v of %v: %v, %v", a, r, how, err)
			}
			taken = append(taken, a)
		}
		free := 0
		for n := number(r.First); n <= number(r.Last); n++ {
			if !Reserved(address(n)) {
				free++
			}
		}
		if len(taken) != free {
			t.Errorf("%d addresses found of %d", len(taken), free)
		}
	})
}

func TestGroupsOfOneMAC(t *testing.T) {
	a := netip.MustParseAddr
	for _, tc := range []struct {
		name, one, other string
		avoid            bool
	}{
		{"the same", "239.255.1.2", "239.255.1.2", true},
		{"32 apart in the upper bits", "239.255.1.2", "239.127.1.2", true},
		{"another first byte", "239.255.1.2", "224.255.1.2", true},
		{"another last byte", "239.255.1.2", "239.255.1.3", false},
		{"another second byte", "239.255.1.2", "239.254.1.2", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := Avoid(nil, []netip.Addr{{}, a(tc.one)})(a(tc.other)); got != tc.avoid {
				t.Errorf("avoided %v, want %v", got, tc.avoid)
			}
		})
	}
	if !Avoid([]netip.Addr{a("239.255.1.2")}, nil)(a("239.255.1.2")) {
		t.Error("a group of strangers is not avoided")
	}
}

// TestHostsAgree: in whatever order hosts hear of groups, all end with the same.
func TestHostsAgree(t *testing.T) {
	draw := rapid.Custom(func(t *rapid.T) Group {
		return Group{Address: address(number(DefaultRange().First) + rapid.Uint32Range(0, 3).Draw(t, "address")), Version: rapid.Uint32Range(0, 3).Draw(t, "version")}
	})
	rapid.Check(t, func(t *rapid.T) {
		groups := rapid.SliceOfN(draw, 1, 8).Draw(t, "groups")
		end := func(list []Group) (g Group) {
			for _, other := range list {
				if g.Newer(other) {
					g = other
				}
			}
			return g
		}
		if one, other := end(groups), end(rapid.Permutation(groups).Draw(t, "order")); one != other {
			t.Errorf("%v and %v", one, other)
		}
	})
}

func TestWays(t *testing.T) {
	for how, want := range map[How]string{Manual: "manual", Leased: "MADCAP lease", Random: "self-selected", 0: "none"} {
		if how.String() != want {
			t.Errorf("%v, want %s", how, want)
		}
	}
}
