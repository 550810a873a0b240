package multicast

import (
	"errors"
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// TestIPv6Groups: which addresses can be a network's group, and what each family chooses from.
func TestIPv6Groups(t *testing.T) {
	for text, want := range map[string]bool{
		"ff05::7:9":            true, // manual, as it is
		"ff15::8000:1":         true,
		"ff02::7":              true, // link-local is where heartbeats stay anyway
		"ff08::1":              true,
		"ff3e:30:2001:db8::1":  true,
		"ff01::1":              false, // does not leave the host
		"ff11::1":              false,
		"ff00::1":              false,
		"ff0f::1":              false,
		"fe80::1":              false,
		"2001:db8::1":          false,
		"ff02::1%eth0":         false,
		"::ffff:239.255.0.1":   false,
		"239.255.0.1":          true,
		"224.0.0.1":            true,
		"240.0.0.1":            false,
		"10.0.0.1":             false,
		"255.255.255.255":      false,
		"::":                   false,
		"ff0e::8000:1":         true,
		"ffff:ffff::ffff:ffff": false,
	} {
		if got := IsGroup(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s is a group: %v, want %v", text, got, want)
		}
	}
	if IsGroup(netip.Addr{}) {
		t.Error("no address is a group")
	}
}

func TestIPv6Ranges(t *testing.T) {
	span := func(first, last string) Range { return Range{netip.MustParseAddr(first), netip.MustParseAddr(last)} }
	for _, tc := range []struct {
		name      string
		r         Range
		four, six Range
		warned    bool
	}{
		{"not set", Range{}, DefaultRange(), DefaultRange6(), false},
		{"IPv4", span("239.1.0.0", "239.1.0.9"), span("239.1.0.0", "239.1.0.9"), DefaultRange6(), false},
		{"IPv6", span("ff15::9000:0", "ff15::9000:9"), DefaultRange(), span("ff15::9000:0", "ff15::9000:9"), false},
		{"IPv6, reserved ones at its begin", span("ff15::", "ff15::8000:9"), DefaultRange(), span("ff15::", "ff15::8000:9"), false},
		{"IPv6, all reserved", span("ff05::1", "ff05::7fff:ffff"), DefaultRange(), DefaultRange6(), true},
		{"IPv6, too wide", span("ff15::8000:0", "ff15::1:8000:0"), DefaultRange(), DefaultRange6(), true},
		{"IPv6 of one host", span("ff11::8000:0", "ff11::8000:9"), DefaultRange(), DefaultRange6(), true},
		{"IPv6, backwards", span("ff15::9000:9", "ff15::9000:0"), DefaultRange(), DefaultRange6(), true},
		{"both families", span("239.1.0.0", "ff15::9000:0"), DefaultRange(), DefaultRange6(), true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, why := tc.r.Usable()
			if r.For(false) != tc.four || r.For(true) != tc.six || (why != "") != tc.warned {
				t.Errorf("%v and %v, %q", r.For(false), r.For(true), why)
			}
		})
	}
}

// TestIPv6SelfSelection: an address is in the range, has a dynamic identifier, is not avoided, and every one that is left is found.
func TestIPv6SelfSelection(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := netip.MustParseAddr("ff15::")
		first := rapid.Uint32Range(dynamic-10, dynamic+10).Draw(t, "first")
		last := max(first+rapid.Uint32Range(0, 20).Draw(t, "more"), dynamic)
		r := Range{withIdentifier(base, first), withIdentifier(base, last)}
		var taken []netip.Addr
		for {
			a, how, err := SelfSelected{r}.Choose(Avoid(taken, nil))
			if errors.Is(err, ErrFull) {
				break
			}
			if err != nil || how != Random || a.Less(r.First) || r.Last.Less(a) || identifier(a) < dynamic || !IsGroup(a) {
				t.Fatalf("%v of %v: %v, %v", a, r, how, err)
			}
			taken = append(taken, a)
		}
		if want := int(last-max(first, dynamic)) + 1; len(taken) != want {
			t.Errorf("%d addresses found of %d", len(taken), want)
		}
	})
}

// TestIPv6GroupsOfOneMAC: 33:33 and the last 32 bits, so scope and flags do not count; the families have nothing in common.
func TestIPv6GroupsOfOneMAC(t *testing.T) {
	for _, tc := range []struct {
		name, one, other string
		avoid            bool
	}{
		{"the same", "ff15::8000:1", "ff15::8000:1", true},
		{"another scope", "ff15::8000:1", "ff12::8000:1", true},
		{"another middle", "ff15::8000:1", "ff15:0:0:7::8000:1", true},
		{"another identifier", "ff15::8000:1", "ff15::8000:2", false},
		{"an identifier that differs above the 23 bits of IPv4", "ff15::8000:1", "ff15::8100:1", false},
		{"IPv4 of the same last bits", "ff15::8001:203", "239.1.2.3", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := Avoid(nil, []netip.Addr{{}, netip.MustParseAddr(tc.one)})(netip.MustParseAddr(tc.other)); got != tc.avoid {
				t.Errorf("avoided %v, want %v", got, tc.avoid)
			}
		})
	}
}

// TestAgreementAcrossFamilies: a network that goes over to the other family needs another group, and hosts that heard of both agree.
func TestAgreementAcrossFamilies(t *testing.T) {
	four := Group{Address: netip.MustParseAddr("239.255.1.2"), Version: 3, How: Random}
	six := Group{Address: netip.MustParseAddr("ff15::8000:1"), Version: 4, How: Random}
	for _, tc := range []struct {
		name  string
		group Group
		six   bool
		unfit bool
	}{
		{"IPv4 on IPv4", four, false, false},
		{"IPv4 on IPv6", four, true, true},
		{"IPv6 on IPv6", six, true, false},
		{"IPv6 on IPv4", six, false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := Unfit(Said{Group: tc.group}, Range{}.For(tc.six), nil); got != tc.unfit {
				t.Errorf("unfit %v, want %v", got, tc.unfit)
			}
		})
	}
	for _, order := range [][]Said{{{Group: four}, {Group: six}}, {{Group: six}, {Group: four}}} {
		if got := Agree(Said{}, order); got.Group != six {
			t.Errorf("agreed on %v, want the later choice", got.Group)
		}
	}
	same := four
	same.Version = six.Version
	if a, b := Agree(Said{Group: same}, []Said{{Group: six}}), Agree(Said{Group: six}, []Said{{Group: same}}); a.Group != b.Group {
		t.Errorf("%v and %v: two hosts do not agree", a.Group, b.Group)
	}
}
