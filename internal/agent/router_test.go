package agent_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/muster-ha/muster/internal/lab"
)

// The world beyond the router: the client's network, and an address that is of no network but known by BGP alone.
const (
	routedVIP   = "203.0.113.10"
	routedEcho  = routedVIP + ":7"
	routedWeb   = routedVIP + ":80"
	clientsNet  = "10.99.0.0/24"
	clientSide  = "10.99.0.1/24"
	routerSide  = "10.99.0.254/24"
	routerAS    = 64513
	clientsCard = "wan0"
)

// routedConfig is the farm behind routers; BGP is what is below `neighbors`.
const routedConfig = `cluster: shop
secret_file: secret.key
hosts:
{{- range .Hosts}}
  {{.Name}}: {address: {{.Address}}}
{{- end}}
vips:
  web: {address: 203.0.113.10/32, delivery: routed, rules: [{ports: [80, 443, 7]}]}
bgp:
  as: 64512
  neighbors:
`

// router is a machine of the lab with BIRD and the kernel's ECMP, between the hosts' network and that of the first client.
type router struct {
	*lab.Node
	dir string
}

// farmBehindRouter is three hosts, a client, and c2 as the router between them. The hosts' file and BIRD's get these lines for each session.
func farmBehindRouter(t *testing.T, neighbour, birds string) (*lab.Lab, *router) {
	t.Helper()
	l, r := machinesBehindRouter(t, neighbour)
	r.start(t, l, birds)
	if err := l.StartAll(); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
	r.routes(t, "a", "b", "c")
	return l, r
}

// machinesBehindRouter is the same, without agents and BIRD.
func machinesBehindRouter(t *testing.T, neighbour string) (*lab.Lab, *router) {
	t.Helper()
	l := machines(t, lab.Options{Hosts: 3, Clients: 2, Config: routedConfig + "    tor1: {address: 10.77.0.202, as: 64513" + neighbour + "}\n"})
	if err := l.StartWeb(); err != nil {
		t.Fatal(err)
	}
	r := &router{l.Client(2), t.TempDir()}
	r.plug(t, l.Client(1))
	for _, h := range l.Hosts() {
		wayToClients(t, h)
	}
	return l, r
}

// plug makes the cable between router and client, and the router a router.
func (r *router) plug(t *testing.T, client *lab.Node) {
	t.Helper()
	space, err := netns.GetFromName(client.Namespace())
	if err != nil {
		t.Fatal(err)
	}
	defer space.Close()
	err = r.Do(func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = clientsCard
		cable := netlink.NewVeth(attrs)
		cable.PeerName, cable.PeerNamespace = clientsCard, netlink.NsFd(space)
		return errors.Join(netlink.LinkAdd(cable), address(clientsCard, routerSide),
			sysctl("net/ipv4/ip_forward", "1"), sysctl("net/ipv4/fib_multipath_hash_policy", "1"))
	})
	err = errors.Join(err, client.Do(func() error {
		eth, err := netlink.LinkByName("eth0")
		return errors.Join(err, netlink.LinkSetDown(eth), address(clientsCard, clientSide),
			netlink.RouteAdd(&netlink.Route{Gw: net.IPv4(10, 99, 0, 254)}))
	}))
	if err != nil {
		t.Fatal(err)
	}
}

// wayToClients is a host's route back; one that was without power needs it again.
func wayToClients(t *testing.T, h *lab.Host) {
	t.Helper()
	_, clients, _ := net.ParseCIDR(clientsNet)
	if err := h.Do(func() error { return netlink.RouteReplace(&netlink.Route{Dst: clients, Gw: net.IPv4(10, 77, 0, 202)}) }); err != nil {
		t.Fatal(err)
	}
}

func address(card, prefix string) error {
	link, err := netlink.LinkByName(card)
	if err != nil {
		return err
	}
	a, err := netlink.ParseAddr(prefix)
	if err != nil {
		return err
	}
	return errors.Join(netlink.AddrAdd(link, a), netlink.LinkSetUp(link))
}

func sysctl(name, value string) error {
	return os.WriteFile("/proc/sys/"+name, []byte(value), 0o644)
}

// start starts BIRD with a session for each host.
func (r *router) start(t *testing.T, l *lab.Lab, birds string) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, `log stderr all;
router id 10.77.0.202;
protocol device { scan time 10; }
protocol kernel { scan time 60; merge paths on limit 64; ipv4 { import none; export where source = RTS_BGP; }; }
protocol bfd { interface "eth0" { interval 100 ms; multiplier 3; }; }
template bgp host {
	local 10.77.0.202 as %d;
	passive on;
	error wait time 1, 2;
	ipv4 { import where net ~ [ 203.0.113.0/24{32,32} ]; export none; };
	%s
}
`, routerAS, birds)
	for _, h := range l.Hosts() {
		fmt.Fprintf(&b, "protocol bgp %s from host { neighbor %s as 64512; }\n", h.Name(), h.Address())
	}
	config := filepath.Join(r.dir, "bird.conf")
	if err := os.WriteFile(config, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	r.spawn(t, config)
}

// spawn starts BIRD, whose log is told when the test fails.
func (r *router) spawn(t *testing.T, config string) {
	t.Helper()
	if _, err := r.Spawn("bird", "bird", "-f", "-c", config, "-s", filepath.Join(r.dir, "bird.ctl")); err != nil {
		t.Fatalf("%v: install bird2 of Debian", err)
	}
	t.Cleanup(func() {
		if text, err := os.ReadFile(r.LogPath("bird")); err == nil && t.Failed() {
			t.Logf("log of BIRD:\n%s", text[max(0, len(text)-3000):])
		}
	})
}

// hops lists the hosts to which the router's kernel spreads the address, by name.
func (r *router) hops() (names []string, err error) {
	err = r.Do(func() error {
		routes, err := netlink.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Dst: &net.IPNet{IP: net.ParseIP(routedVIP).To4(), Mask: net.CIDRMask(32, 32)}}, netlink.RT_FILTER_DST)
		for _, route := range routes {
			if route.Gw != nil {
				names = append(names, hostAt(route.Gw))
			}
			for _, hop := range route.MultiPath {
				names = append(names, hostAt(hop.Gw))
			}
		}
		return err
	})
	return names, err
}

// hostAt is the name of the host with an address: a is 10.77.0.1.
func hostAt(ip net.IP) string {
	a, _ := netip.AddrFromSlice(ip.To4())
	return string(rune('a' + a.As4()[3] - 1))
}

// routes waits until the router spreads the address over exactly these hosts.
func (r *router) routes(t *testing.T, want ...string) {
	t.Helper()
	eventually(t, patience, fmt.Sprintf("routes to %v", want), func() error {
		got, err := r.hops()
		if err == nil && (len(got) != len(want) || !sameNames(got, want)) {
			err = fmt.Errorf("the router has %v", got)
		}
		return err
	})
}

func sameNames(got, want []string) bool {
	seen := map[string]bool{}
	for _, n := range got {
		seen[n] = true
	}
	for _, n := range want {
		if !seen[n] {
			return false
		}
	}
	return true
}
