package config

import (
	"strings"
	"testing"
)

// TestMulticastSettings: what the file says, what it means, and what `muster check` warns of.
func TestMulticastSettings(t *testing.T) {
	on := func(settings string) string {
		return "networks: {lan: {interface: eth0, multicast: {" + settings + "}}}"
	}
	for _, tc := range []struct {
		name, settings string
		disabled       bool
		address, first string
		warnings       string
	}{
		{"nothing", "networks: {lan: {interface: eth0}}", false, "", "239.255.0.0", ""},
		{"cluster disabled", "multicast: {disabled: true}, networks: {lan: {interface: eth0}}", true, "", "239.255.0.0", ""},
		{"cluster disabled, network not", "multicast: {disabled: true}, " + on("disabled: false"), false, "", "239.255.0.0", ""},
		{"network disabled", on("disabled: true"), true, "", "239.255.0.0", ""},
		{"address", on("address: 239.1.2.3"), false, "239.1.2.3", "239.255.0.0", ""},
		{"no group, lenient", on("address: 10.1.2.3, lenient: true"), false, "", "239.255.0.0", "6:68: `10.1.2.3` is no group address: the hosts choose one"},
		{"range", on("range: [239.1.0.0, 239.1.0.9]"), false, "", "239.1.0.0", ""},
		{"range half a group", on("range: [10.1.0.0, 239.1.0.9]"), false, "", "239.255.0.0", "6:66: an end of the range is no group address: the default range is used"},
		{"range of words", on("range: [from, to]"), false, "", "239.255.0.0", "6:66: no end of the range is a group address: the default range is used"},
		{"range backwards", on("range: [239.1.0.9, 239.1.0.0]"), false, "", "239.255.0.0", "6:66: the range ends before it starts: the default range is used"},
		{"range and address", on("range: [a, b], address: all, lenient: true"), false, "", "239.255.0.0",
			"6:66: no end of the range is a group address: the default range is used\n6:83: `all` is no group address: the hosts choose one"},
		{"two groups with one MAC", "networks: {cross: {interface: eth1, multicast: {address: 239.129.2.3}}, lan: {interface: eth0, multicast: {address: 239.1.2.3}}}", false,
			"239.129.2.3", "239.255.0.0", "6:129: 239.1.2.3 has the Ethernet address of network `cross`'s group: where both networks meet, cards and switches cannot tell them apart"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := parsed(t, spoilt(t, "vips:", "heartbeat: {"+tc.settings+"}\nvips:"))
			m := c.Networks[0].Multicast
			address := ""
			if m.Address.IsValid() {
				address = m.Address.String()
			}
			if m.Disabled != tc.disabled || address != tc.address || m.First.String() != tc.first || (m.Warning != "") != (tc.warnings != "" && len(c.Networks) == 1) {
				t.Errorf("%+v", m)
			}
			var got []string
			for _, w := range c.Warnings {
				place, _, ok := strings.Cut(strings.TrimPrefix(w.String(), w.File+":"), "; ")
				if !ok || w.Remedy == "" {
					t.Errorf("no remedy: %v", w)
				}
				got = append(got, place)
			}
			if s := strings.Join(got, "\n"); s != tc.warnings {
				t.Errorf("warnings\n%s\nwant\n%s", s, tc.warnings)
			}
		})
	}
}

// TestWhereALeaseMayBeFrom: servers are asked unless the file says no, and only a range of the file bounds what they may grant.
func TestWhereALeaseMayBeFrom(t *testing.T) {
	for _, tc := range []struct {
		name, settings  string
		nobody, bounded bool
	}{
		{"nothing", "", false, false},
		{"yes", "madcap: true", false, false},
		{"no", "madcap: false", true, false},
		{"range", "range: [239.1.0.0, 239.1.0.9]", false, true},
		{"the default range, but given", "range: [239.255.0.0, 239.255.254.255]", false, true},
		{"range that is none", "range: [10.1.0.0, 239.1.0.9]", false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			text := spoilt(t, "vips:", "heartbeat: {networks: {lan: {interface: eth0, multicast: {"+tc.settings+"}}}}\nvips:")
			c := parsed(t, text)
			if m := c.Networks[0].Multicast; m.NoMADCAP != tc.nobody || m.Ranged != tc.bounded {
				t.Errorf("%+v", m)
			}
			plain := parsed(t, strings.Replace(text, tc.settings, "", 1))
			if same := plain.Digest == c.Digest; same == (tc.nobody || tc.bounded) {
				t.Errorf("the digest is the same as without: %v", same)
			}
			if why := Restart(plain, c); len(why) > 0 {
				t.Errorf("needs a restart: %v", why)
			}
		})
	}
}
