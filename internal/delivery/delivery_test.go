package delivery

import (
	"net"
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// The examples with 1.2.3.4 are those that Microsoft publishes for Windows NLB; those with 10.0.0.1 are of its article KB 4494444,
// whose group 239.244.0.1 is a slip of the pen for 239.255.0.1.
func TestClusterMACsAreThoseOfNLB(t *testing.T) {
	for _, tt := range []struct {
		name, address string
		mode          Mode
		mac, group    string
	}{
		{"unicast", "1.2.3.4", Unicast, "02:bf:01:02:03:04", ""},
		{"multicast", "1.2.3.4", Multicast, "03:bf:01:02:03:04", ""},
		{"IGMP", "1.2.3.4", IGMP, "01:00:5e:7f:03:04", "239.255.3.4"},
		{"IGMP of the article", "10.0.0.1", IGMP, "01:00:5e:7f:00:01", "239.255.0.1"},
		{"directed has none", "1.2.3.4", Directed, "", ""},
		{"high bytes", "203.0.113.255", Unicast, "02:bf:cb:00:71:ff", ""},
		{"the group's bit that a MAC has no place for", "10.0.128.1", IGMP, "01:00:5e:7f:80:01", "239.255.128.1"},
		{"IPv4 in IPv6", "::ffff:1.2.3.4", Multicast, "03:bf:01:02:03:04", ""},
		{"IPv6 unicast", "2001:db8::1234:5678", Unicast, "02:bf:12:34:56:78", ""},
		{"IPv6 multicast", "2001:db8::1234:5678", Multicast, "03:bf:12:34:56:78", ""},
		{"IPv6 group", "2001:db8::1234:5678", IGMP, "33:33:12:34:56:78", "ff15::bf:1234:5678"},
		{"link-local with a zone", "fe80::1%eth0", IGMP, "33:33:00:00:00:01", "ff15::bf:0:1"},
		{"a group is no address of hosts", "239.1.2.3", Unicast, "", ""},
		{"nothing", "0.0.0.0", IGMP, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Of(tt.mode, netip.MustParseAddr(tt.address))
			group := ""
			if got.Group.IsValid() {
				group = got.Group.String()
			}
			if got.MAC.String() != tt.mac || group != tt.group || got.Mode != tt.mode {
				t.Errorf("got %v %s %q, want %s %q", got.Mode, got.MAC, group, tt.mac, tt.group)
			}
		})
	}
}

func TestAnUnknownModeHasNothing(t *testing.T) {
	if got := Of(Mode(99), netip.MustParseAddr("1.2.3.4")); got.MAC != nil || got.Group.IsValid() || Mode(99).Shared() {
		t.Errorf("got %+v", got)
	}
	if m, ok := Parse("broadcast"); ok {
		t.Errorf("found %v", m)
	}
}

func TestModesAndWords(t *testing.T) {
	for i, m := range Modes() {
		if back, ok := Parse(m.String()); !ok || back != m || int(m) != i {
			t.Errorf("mode %d is %v, and that is %v", i, m, back)
		}
		if all := All(netip.MustParseAddr("1.2.3.4")); all[i].Mode != m || (all[i].MAC != nil) != m.Shared() {
			t.Errorf("%v: %+v", m, all[i])
		}
	}
}

// A group's MAC must be the one that the kernel and every switch compute of the group.
func TestMACOfTheGroup(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "address")
		a := netip.AddrFrom16([16]byte(b))
		if rapid.Bool().Draw(t, "v4") {
			a = netip.AddrFrom4([4]byte(b[:4]))
		}
		got := Of(IGMP, a)
		if !got.Group.IsValid() {
			return
		}
		g := got.Group.AsSlice()
		want := net.HardwareAddr{0x01, 0x00, 0x5e, g[1] & 0x7f, g[2], g[3]}
		if len(g) == 16 {
			want = net.HardwareAddr{0x33, 0x33, g[12], g[13], g[14], g[15]}
		}
		if got.MAC.String() != want.String() || !got.Group.IsMulticast() {
			t.Fatalf("group %v has %v, want %v", got.Group, got.MAC, want)
		}
	})
}
