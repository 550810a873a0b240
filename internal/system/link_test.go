package system

import (
	"bufio"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// clusterMAC is one as Windows NLB makes them: 2 begins a unicast MAC, 3 a multicast one.
func clusterMAC(first byte) net.HardwareAddr { return net.HardwareAddr{first, 0xbf, 10, 77, 0, 100} }

// What somebody takes away of it is put back, and the card's own MAC is never touched.
func TestReceptionAndMembershipAreKeptUp(t *testing.T) {
	inNamespace(t)
	j, err := Open(t.TempDir(), discard())
	mustDo(t, err)
	defer j.Close()
	eth, err := netlink.LinkByName("eth0.5")
	mustDo(t, err)
	own := eth.Attrs().HardwareAddr.String()
	before := snapshot(t, j.Dir())
	group := netip.MustParseAddr("239.255.0.100")
	for range 2 { // a second time changes nothing
		mustDo(t, errors.Join(j.Receive("eth0.5", clusterMAC(2)), j.Receive("eth0.5", clusterMAC(3)), j.Join("eth0.5", group)))
	}
	if d := j.Verify(); len(d) != 0 {
		t.Fatalf("drift from the start: %+v", d)
	}
	mustDo(t, filterUnicast(eth.Attrs().Index, clusterMAC(2), false))
	mustDo(t, filterMulticast("eth0.5", clusterMAC(3), false))
	mustDo(t, netlink.AddrDel(eth, netlinkAddr(Change{Kind: KindMembership, Prefix: netip.PrefixFrom(group, 32)})))
	if d := j.Restore(); len(d) != 3 || slices.ContainsFunc(d, func(d Drift) bool { return d.Err != nil || d.Found != Absent }) {
		t.Errorf("put back %+v", d)
	}
	if d := j.Verify(); len(d) != 0 {
		t.Errorf("still %+v", d)
	}
	if eth, err = netlink.LinkByName("eth0.5"); err != nil || eth.Attrs().HardwareAddr.String() != own {
		t.Errorf("the card's own MAC is %v, %v; it was %s", eth.Attrs().HardwareAddr, err, own)
	}
	mustDo(t, j.Undo())
	if d := diff(before, snapshot(t, j.Dir())); d != "" {
		t.Errorf("not as it was found:\n%s", d)
	}
}

// The kernel's own membership of a group has the same MAC as the one that was added by name: neither ends the other.
// A bridge answers otherwise than a card which MACs it takes in.
func TestReceptionOfABridge(t *testing.T) {
	inNamespace(t)
	j, err := Open(t.TempDir(), discard())
	mustDo(t, err)
	defer j.Close()
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "br0"
	bridge := &netlink.Bridge{LinkAttrs: attrs}
	mustDo(t, errors.Join(netlink.LinkAdd(bridge), netlink.LinkSetUp(bridge)))
	for _, mac := range []net.HardwareAddr{clusterMAC(2), clusterMAC(3)} {
		mustDo(t, j.Receive("br0", mac))
		if d := j.Verify(); len(d) != 0 {
			t.Fatalf("%v: drift from the start: %+v", mac, d)
		}
	}
	mustDo(t, filterUnicast(bridge.Attrs().Index, clusterMAC(2), false))
	if d := j.Restore(); len(d) != 1 || d[0].Err != nil {
		t.Errorf("put back %+v", d)
	}
	mustDo(t, j.Undo())
	list, err := unicastFilter(bridge.Attrs().Index)
	if err != nil || slices.ContainsFunc(list, func(n netlink.Neigh) bool { return n.HardwareAddr.String() == clusterMAC(2).String() }) {
		t.Errorf("left behind: %+v, %v", list, err)
	}
}

func TestReceptionBesideAMembership(t *testing.T) {
	inNamespace(t)
	j, err := Open(t.TempDir(), discard())
	mustDo(t, err)
	defer j.Close()
	group := netip.MustParseAddr("239.255.0.100")
	mustDo(t, errors.Join(j.Join("eth0.5", group), j.Receive("eth0.5", net.HardwareAddr{1, 0, 0x5e, 0x7f, 0, 100})))
	mustDo(t, j.Release(func(c Change) bool { return c.Kind == KindMembership }))
	if d := j.Verify(); len(d) != 0 {
		t.Errorf("without the membership: %+v", d)
	}
	mustDo(t, j.Undo())
}

// The address that stands for a membership must never be the source of anything: not of datagrams to the network, nor to the group itself.
func TestMembershipIsNeverASource(t *testing.T) {
	inNamespace(t)
	j, err := Open(t.TempDir(), discard())
	mustDo(t, err)
	defer j.Close()
	defer j.Undo()
	eth, err := netlink.LinkByName("eth0.5")
	mustDo(t, err)
	mustDo(t, j.Join("eth0.5", netip.MustParseAddr("239.255.0.100")))
	mustDo(t, netlink.AddrAdd(eth, &netlink.Addr{IPNet: &net.IPNet{IP: net.IPv4(10, 77, 0, 1), Mask: net.CIDRMask(24, 32)}}))
	for _, to := range []string{"10.77.0.9", "239.255.0.101", "239.255.0.100", "255.255.255.255"} {
		routes, err := netlink.RouteGetWithOptions(net.ParseIP(to), &netlink.RouteGetOptions{Oif: "eth0.5"})
		if err != nil || len(routes) != 1 {
			t.Errorf("to %s: %v, %v", to, routes, err)
			continue
		}
		if src := routes[0].Src; !src.Equal(net.IPv4(10, 77, 0, 1)) {
			t.Errorf("the kernel would send to %s from %v", to, src)
		}
	}
}

func TestAnAddressInTheWayOfAMembership(t *testing.T) {
	inNamespace(t)
	j, err := Open(t.TempDir(), discard())
	mustDo(t, err)
	defer j.Close()
	eth, err := netlink.LinkByName("eth0.5")
	mustDo(t, err)
	mustDo(t, netlink.AddrAdd(eth, &netlink.Addr{IPNet: &net.IPNet{IP: net.IPv4(239, 255, 0, 100), Mask: net.CIDRMask(32, 32)}}))
	if err := j.Join("eth0.5", netip.MustParseAddr("239.255.0.100")); !errors.Is(err, ErrInTheWay) || !strings.Contains(err.Error(), "ip address del") {
		t.Errorf("got %v", err)
	}
	mustDo(t, j.Undo())
}

func TestCardsThatTakeInNothingElse(t *testing.T) {
	c := Change{Kind: KindReception, Link: "eth0", MAC: clusterMAC(2).String(), Want: Present}
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{"cannot", unix.EOPNOTSUPP, "delivery: directed"},
		{"cannot, in the words of the older call", unix.EINVAL, "another interface"},
		{"full", unix.ENOSPC, "bridge fdb show dev eth0"},
		{"no memory", unix.ENOMEM, "full"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := refusedReception(c, Present, tt.err)
			if !errors.Is(err, ErrReception) || !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "eth0") {
				t.Errorf("got %v", err)
			}
		})
	}
	if err := refusedReception(c, Absent, unix.EINVAL); errors.Is(err, ErrReception) {
		t.Errorf("taking it back: %v", err)
	}
}

// A macvlan interface takes in multicast MACs and its own, and nothing else: a card that refuses, for real.
func TestMacvlanRefusesASecondUnicastMAC(t *testing.T) {
	inNamespace(t)
	eth, err := netlink.LinkByName("eth0.5")
	mustDo(t, err)
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.ParentIndex = "mv0", eth.Attrs().Index
	mustDo(t, netlink.LinkAdd(&netlink.Macvlan{LinkAttrs: attrs, Mode: netlink.MACVLAN_MODE_BRIDGE}))
	j, err := Open(t.TempDir(), discard())
	mustDo(t, err)
	defer j.Close()
	if err := j.Receive("mv0", clusterMAC(2)); !errors.Is(err, ErrReception) {
		t.Errorf("unicast: %v", err)
	}
	mustDo(t, j.Receive("mv0", clusterMAC(3)))
	mustDo(t, j.Undo())
}

func TestListOfMulticastAddresses(t *testing.T) {
	const list = "1    lo              1     0     01005e000001\n" +
		"2    eth0            1     1     03bf0a4d0064\n" +
		"2    eth0            2     0     01005e7f0064\n" +
		"3    eth1            1     1     03bf0a4d0065\nhalf a line\n"
	for _, tt := range []struct {
		name, index, mac string
		want             bool
	}{
		{"added by name", "2", "03bf0a4d0064", true},
		{"by membership only", "2", "01005e7f0064", false},
		{"of another interface", "2", "03bf0a4d0065", false},
		{"not there", "2", "03bf0a4d0099", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := hasMulticast(bufio.NewScanner(strings.NewReader(list)), tt.index, tt.mac)
			if got != tt.want || err != nil {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestReceptionsThatAreRefused(t *testing.T) {
	good := Change{Kind: KindReception, Link: "eth0", MAC: "02:bf:0a:4d:00:64", Want: Present, Found: Absent}
	member := Change{Kind: KindMembership, Link: "eth0", Prefix: netip.MustParsePrefix("239.255.0.100/32"), Scope: ScopeHost, Want: Present, Found: Absent}
	if err := errors.Join(good.validate(), member.validate()); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		base Change
		edit func(*Change)
	}{
		{"no MAC", good, func(c *Change) { c.MAC = "" }},
		{"a long MAC", good, func(c *Change) { c.MAC = "02:bf:0a:4d:00:64:00:00" }},
		{"another spelling", good, func(c *Change) { c.MAC = "02-BF-0A-4D-00-64" }},
		{"a path as interface", good, func(c *Change) { c.Link = "../x" }},
		{"a prefix beside it", good, func(c *Change) { c.Prefix = netip.MustParsePrefix("10.0.0.1/32") }},
		{"a third state", good, func(c *Change) { c.Want = "7" }},
		{"a MAC of a membership", member, func(c *Change) { c.MAC = "02:bf:0a:4d:00:64" }},
		{"no group", member, func(c *Change) { c.Prefix = netip.MustParsePrefix("10.0.0.1/32") }},
		{"more than one group", member, func(c *Change) { c.Prefix = netip.MustParsePrefix("239.255.0.0/24") }},
		{"a group that could be a source", member, func(c *Change) { c.Scope = ScopeGlobal }},
		{"a dot as interface", member, func(c *Change) { c.Link = "." }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := tt.base
			tt.edit(&c)
			if err := c.validate(); !errors.Is(err, ErrMalformed) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestIPv6MembershipOutlivesALinkThatGoesDown: the kernel takes the address away and stays in the group, and then refuses the address for ever.
func TestIPv6MembershipOutlivesALinkThatGoesDown(t *testing.T) {
	inNamespace(t)
	j, err := Open(t.TempDir(), discard())
	mustDo(t, err)
	defer j.Close()
	mustDo(t, j.Join("eth0.5", netip.MustParseAddr("ff15::bf:0:64")))
	link, err := netlink.LinkByName("eth0.5")
	mustDo(t, err)
	mustDo(t, netlink.LinkSetDown(link))
	mustDo(t, netlink.LinkSetUp(link))
	if list, err := netlink.AddrList(link, netlink.FAMILY_V6); err != nil || len(list) > 0 {
		t.Fatalf("%v, %v: the address is there still, and the test proves nothing", list, err)
	}
	if d := j.Restore(); len(d) > 0 {
		t.Errorf("drift of what holds: %+v", d)
	}
	if in, err := member(j.Changes()[0]); !in {
		t.Errorf("not in the group any more (%v)", err)
	}
	mustDo(t, j.Undo())
}
