package agent_test

import (
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/muster-ha/muster/internal/lab"
)

// TestItem9RoutedForwardsThroughTheTunnel: hosts behind routers need no network in common. What a router sends elsewhere than to its owner goes
// through the tunnel, and a rehash of the router breaks nothing.
func TestItem9RoutedForwardsThroughTheTunnel(t *testing.T) {
	l, r := machinesBehindRouter(t, "")
	edit(t, l, "delivery: routed,", "delivery: routed, tunnel: vxlan,")
	r.start(t, l, "")
	if err := l.StartAll(); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
	r.routes(t, "a", "b", "c")
	conns := routedEchoes(t, l, 300)
	r.sets(t, "fib_multipath_hash_seed", "4711")
	work(t)
	muster(t, l.Host("a"), "host", "drain", "b")
	r.routes(t, "a", "c")
	work(t)
	muster(t, l.Host("a"), "host", "resume", "b")
	r.routes(t, "a", "b", "c")
	work(t)
	if bad := broken(conns.stop(t)); len(bad) > 0 {
		t.Errorf("%d connections broke, the first: %+v", len(bad), bad[0])
	}
	for _, h := range l.Hosts() {
		if n := throughTunnel(t, h); n == 0 {
			t.Errorf("nothing has come to host %s through the tunnel", h.Name())
		}
		if n := counterOf(t, h, "tunnel_stranger"); n != 0 {
			t.Errorf("host %s took %d packets of other hosts for strangers'", h.Name(), n)
		}
	}
}

// throughTunnel counts the packets that have come out of a host's tunnel.
func throughTunnel(t *testing.T, h *lab.Host) (n uint64) {
	t.Helper()
	err := h.Do(func() error {
		link, err := netlink.LinkByName(tunnelDevice)
		if err == nil {
			n = link.Attrs().Statistics.RxPackets
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
