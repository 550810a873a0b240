package agent_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/internal/lab/load"
)

const (
	routedVIP6    = "2001:db8:77::10"
	routedConfig6 = `cluster: shop
secret_file: secret.key
hosts:
{{- range .Hosts}}
  {{.Name}}: {address: {{.Address}}}
{{- end}}
vips:
  web: {address: "2001:db8:77::10/128", delivery: routed, rules: [{ports: [7]}]}
bgp: {as: 64512, neighbors: {tor1: {address: "fd00:77::202", as: 64513}}}
`
	bird6 = `log stderr all;
router id 10.77.0.202;
protocol device { scan time 10; }
protocol kernel { scan time 60; merge paths on limit 64; ipv6 { import none; export where source = RTS_BGP; }; }
template bgp host {
	local fd00:77::202 as 64513;
	passive on;
	error wait time 1, 2;
	ipv6 { import where net ~ [ 2001:db8:77::/64{128,128} ]; export none; };
}
`
)

// plug6 gives the world beyond the router IPv6.
func (r *router) plug6(t *testing.T, l *lab.Lab) {
	t.Helper()
	err := r.Do(func() error {
		return errors.Join(address(clientsCard, "fd00:99::fe/64"), sysctl("net/ipv6/conf/all/forwarding", "1"), sysctl("net/ipv6/fib_multipath_hash_policy", "1"))
	})
	err = errors.Join(err, l.Client(1).Do(func() error {
		return errors.Join(address(clientsCard, "fd00:99::1/64"), netlink.RouteAdd(&netlink.Route{Dst: everywhere6(), Gw: net.ParseIP("fd00:99::fe")}))
	}))
	_, clients, _ := net.ParseCIDR("fd00:99::/64")
	for _, h := range l.Hosts() {
		err = errors.Join(err, h.Do(func() error { return netlink.RouteAdd(&netlink.Route{Dst: clients, Gw: net.ParseIP("fd00:77::202")}) }))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func everywhere6() *net.IPNet { return &net.IPNet{IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)} }

// hops6 counts the hosts to which the router's kernel spreads the address.
func (r *router) hops6() (n int, err error) {
	err = r.Do(func() error {
		routes, err := netlink.RouteListFiltered(netlink.FAMILY_V6, &netlink.Route{Dst: &net.IPNet{IP: net.ParseIP(routedVIP6), Mask: net.CIDRMask(128, 128)}}, netlink.RT_FILTER_DST)
		for _, route := range routes {
			if n += len(route.MultiPath); route.Gw != nil {
				n++
			}
		}
		return err
	})
	return n, err
}

func TestRoutedByIPv6(t *testing.T) {
	l := machines(t, lab.Options{Hosts: 3, Clients: 2, Config: routedConfig6})
	if err := l.StartWeb(); err != nil {
		t.Fatal(err)
	}
	r := &router{l.Client(2), t.TempDir()}
	r.plug(t, l.Client(1))
	r.plug6(t, l)
	var b strings.Builder
	b.WriteString(bird6)
	for _, h := range l.Hosts() {
		fmt.Fprintf(&b, "protocol bgp %s from host { neighbor %s as 64512; }\n", h.Name(), h.Address6())
	}
	config := filepath.Join(r.dir, "bird.conf")
	if err := os.WriteFile(config, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	r.spawn(t, config)
	if err := l.StartAll(); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
	routes := func(want int) {
		eventually(t, patience, fmt.Sprintf("%d routes", want), func() error {
			n, err := r.hops6()
			if err == nil && n != want {
				err = fmt.Errorf("the router has %d", n)
			}
			return err
		})
	}
	routes(3)
	conns := begin(t, l, "echo", "--target", "["+routedVIP6+"]:7", "--conns", "90", "--interval", "200ms")
	conns.flow(t, load.Open, 90)
	muster(t, l.Host("a"), "host", "drain", "b")
	routes(2)
	work(t)
	all := conns.stop(t)
	if split := perHost(all, load.Open); len(split) != 3 {
		t.Errorf("connections went to %v, want three hosts", split)
	}
	if bad := broken(all); len(bad) > 0 {
		t.Errorf("%d connections broke, the first: %+v", len(bad), bad[0])
	}
}
