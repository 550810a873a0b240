package system

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
)

// listens says whether eth0.5 is in the solicited-node group of fd00:77::100.
func listens(t *testing.T) bool {
	t.Helper()
	table, err := os.ReadFile("/proc/thread-self/net/igmp6")
	mustDo(t, err)
	for line := range strings.Lines(string(table)) {
		if f := strings.Fields(line); len(f) > 2 && f[1] == "eth0.5" && f[2] == "ff0200000000000000000001ff000100" {
			return true
		}
	}
	return false
}

// TestListeningJoinsTheGroupAndOutlivesALinkThatGoesDown: with the interface the kernel forgets what it was told; Restore tells it again.
func TestListeningJoinsTheGroupAndOutlivesALinkThatGoesDown(t *testing.T) {
	inNamespace(t)
	addr := netip.MustParseAddr("fd00:77::100")
	j, err := Open(t.TempDir(), discard())
	mustDo(t, err)
	defer j.Close()
	if listens(t) {
		t.Fatal("in the group already: the test proves nothing")
	}
	mustDo(t, j.ListenFor("eth0.5", addr))
	mustDo(t, j.ListenFor("eth0.5", addr))
	if !listens(t) || len(j.Verify()) > 0 {
		t.Errorf("in the group: %v; drift %+v", listens(t), j.Verify())
	}
	link, err := netlink.LinkByName("eth0.5")
	mustDo(t, err)
	mustDo(t, netlink.LinkSetDown(link))
	mustDo(t, netlink.LinkSetUp(link))
	if d := j.Restore(); len(d) != 1 || d[0].Err != nil || d[0].What != "listening for fd00:77::100 on eth0.5" {
		t.Errorf("put back %+v", d)
	}
	if !listens(t) {
		t.Error("not in the group after the link came back")
	}
	mustDo(t, j.Undo())
	if listens(t) {
		t.Error("in the group after Undo")
	}
}

// TestAnAddressOfHostScopeIsNoSource: the kernel prefers a host's own address, by IPv6 too, which knows no such scope. Here both are on lo, as on hosts
// whose routers know them by name, and the VIP is nearer to the destination.
func TestAnAddressOfHostScopeIsNoSource(t *testing.T) {
	inNamespace(t)
	j, err := Open(t.TempDir(), discard())
	mustDo(t, err)
	defer j.Close()
	lo, err := netlink.LinkByName("lo")
	mustDo(t, err)
	eth, err := netlink.LinkByName("eth0.5")
	mustDo(t, err)
	peer, err := netlink.LinkByName("switch")
	mustDo(t, err)
	mustDo(t, netlink.LinkSetUp(peer))
	own, vip := netip.MustParsePrefix("fd00:78::1/128"), netip.MustParsePrefix("fd00:77::100/128")
	mustDo(t, netlink.AddrAdd(lo, netlinkAddr(Change{Prefix: own, NoDAD: true})))
	mustDo(t, j.AddAddress("lo", Address{Prefix: vip, Scope: ScopeHost, NoDAD: true}))
	mustDo(t, netlink.RouteReplace(&netlink.Route{LinkIndex: eth.Attrs().Index, Dst: netlinkAddr(Change{Prefix: netip.MustParsePrefix("fd00:77::/64")}).IPNet}))
	source := func() (src netip.Addr) {
		routes, err := netlink.RouteGet(netip.MustParseAddr("fd00:77::1").AsSlice())
		mustDo(t, err)
		src, _ = netip.AddrFromSlice(routes[0].Src)
		return src
	}
	if src := source(); src != own.Addr() {
		t.Errorf("the kernel would send from %s, want %s", src, own.Addr())
	}
	mustDo(t, j.Undo())
	mustDo(t, netlink.AddrAdd(lo, netlinkAddr(Change{Prefix: vip, NoDAD: true})))
	if src := source(); src != vip.Addr() {
		t.Errorf("the kernel would not send from %s even if it were an address like others, but from %s: the test proves nothing", vip.Addr(), src)
	}
}

// TestListeningEndsWithItsNamespace: a journal that another boot has left speaks of an entry that went with it.
func TestListeningEndsWithItsNamespace(t *testing.T) {
	then, now := Place{Boot: "a", Cookie: 1}, Place{Boot: "b", Cookie: 1}
	if !endsWith(Change{Kind: KindNeighbour}, then, now) {
		t.Error("an entry of an earlier boot is taken to be there still")
	}
}

// TestAnIPv6AddressCanBeUsedAtOnce adds many: the kernel makes the route of each later than the address.
func TestAnIPv6AddressCanBeUsedAtOnce(t *testing.T) {
	inNamespace(t)
	j, err := Open(t.TempDir(), discard())
	mustDo(t, err)
	defer j.Close()
	for i := range 60 {
		prefix := netip.MustParsePrefix(fmt.Sprintf("fd00:77::%x/128", i+1))
		mustDo(t, j.AddAddress("lo", Address{Prefix: prefix, Scope: ScopeHost, NoDAD: true}))
		if d := j.Verify(); len(d) > 0 {
			t.Fatalf("after address %d: drift %+v", i, d)
		}
		mustDo(t, j.Release(func(Change) bool { return true }))
	}
}
