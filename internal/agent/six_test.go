package agent_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/delivery"
	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/internal/lab/load"
)

// sixFarm shares an IPv6 address, and an IPv4 one beside it; the hosts' addresses in the file are IPv4.
const sixFarm = `cluster: shop
secret_file: secret.key
hosts:
{{- range .Hosts}}
  {{.Name}}: {address: {{.Address}}}
{{- end}}
vips:
  web: {address: {{.VIP}}, rules: [{ports: [80, 443, 7]}]}
  web6: {address: "{{.VIP6}}", rules: [{ports: [80, 443, 7]}, {ports: [53], protocol: udp, affinity: client}]}
`

// sixAlone shares nothing but an IPv6 address.
const sixAlone = `cluster: shop
secret_file: secret.key
hosts:
{{- range .Hosts}}
  {{.Name}}: {address: {{.Address}}}
{{- end}}
vips:
  web6: {address: "{{.VIP6}}", delivery: directed, rules: [{ports: [80, 443, 7]}]}
`

func target6(port uint16) string { return netip.AddrPortFrom(lab.VIP6().Addr(), port).String() }

// TestHostsShareAnIPv6Address: a client by IPv6 is served by all hosts, each connection by the host that explain names.
func TestHostsShareAnIPv6Address(t *testing.T) {
	l := farm(t, sixFarm)
	split := map[string]int{}
	for port := range uint16(60) {
		name, err := greeting(l, 42000+port, target6(7))
		if err != nil {
			t.Fatal(err)
		}
		split[name]++
		client := netip.AddrPortFrom(l.Client(1).Address6(), 42000+port).String()
		if out := muster(t, l.Host("a"), "explain", lab.VIP6().Addr().String(), client); !strings.Contains(out, "host "+name) {
			t.Errorf("client %s was served by %s; explain says:\n%s", client, name, out)
		}
	}
	if len(split) != 3 {
		t.Errorf("served by %v, want three hosts", split)
	}
	web := begin(t, l, "http", "--target", target6(80), "--rate", "100", "--timeout", "5s")
	web.flow(t, load.Request, 100)
	all := web.stop(t)
	if bad := failed(all); len(bad) > 0 {
		t.Errorf("%d requests got no answer, the first: %+v", len(bad), bad[0])
	}
	if hosts := perHost(all, load.Request); len(hosts) != 3 {
		t.Errorf("requests were answered by %v, want three hosts", hosts)
	}
}

// echoes6 is echoes at the IPv6 address.
func echoes6(t *testing.T, l *lab.Lab, conns int) *clients {
	t.Helper()
	c := begin(t, l, "echo", "--target", target6(7), "--conns", strconv.Itoa(conns))
	eventually(t, patience, "all connections open", func() error {
		if n := c.count(load.Open); n < conns {
			return fmt.Errorf("%d of %d", n, conns)
		}
		return nil
	})
	return c
}

// TestEstablishedIPv6ConnectionsLiveThrough: the events of TestEstablishedConnectionsLiveThrough, and then a power cut, which breaks the
// connections of the host that is gone, at once, and no others.
func TestEstablishedIPv6ConnectionsLiveThrough(t *testing.T) {
	l := farm(t, sixAlone)
	a, b, c := l.Host("a"), l.Host("b"), l.Host("c")
	conns := echoes6(t, l, 200)
	told := 0
	for _, event := range []struct {
		name string
		do   func(t *testing.T)
	}{
		{"drain", func(t *testing.T) { muster(t, b, "host", "drain", "b"); drained(t, a, "b") }},
		{"resume", func(t *testing.T) { muster(t, b, "host", "resume", "b"); ready(t, l) }},
		{"director moves", func(t *testing.T) { moveDirector(t, l) }},
		{"agent killed", func(t *testing.T) { kill(t, a); members(t, b, "b", "c") }},
		{"agent started again", func(t *testing.T) { start(t, l, "a") }},
	} {
		t.Run(event.name, func(t *testing.T) {
			event.do(t)
			work(t)
			bad := broken(conns.all())
			for _, r := range bad[told:] {
				t.Errorf("%s of connection %d to %s: %s", r.Kind, r.Conn, r.Host, r.Class)
			}
			told = len(bad)
		})
	}
	t.Run("power cut", func(t *testing.T) {
		had := perHost(conns.all(), load.Open)["c"]
		at, err := c.PowerCut()
		if err != nil || had == 0 {
			t.Fatalf("%d connections at c; %v", had, err)
		}
		eventually(t, patience, "its clients know", func() error {
			if n := len(broken(conns.all())) - told; n < had {
				return fmt.Errorf("%d of %d", n, had)
			}
			return nil
		})
		work(t)
		all := conns.stop(t)
		for _, r := range broken(all, "c") {
			t.Errorf("%s of connection %d to %s: %s", r.Kind, r.Conn, r.Host, r.Class)
		}
		for _, r := range broken(all)[told:] {
			if r.Class != load.Reset {
				t.Errorf("connection %d to c ended by %s %v after the power cut, want a reset", r.Conn, r.Class, conns.at(r).Sub(at))
			}
		}
	})
}

// neighbour6 is the MAC that the client has for the IPv6 VIP.
func neighbour6(l *lab.Lab) (mac string, err error) {
	err = l.Client(1).Do(func() error {
		list, err := netlink.NeighList(0, netlink.FAMILY_V6)
		for _, n := range list {
			if n.IP.Equal(lab.VIP6().Addr().AsSlice()) {
				mac = n.HardwareAddr.String()
			}
		}
		return err
	})
	return mac, err
}

// TestDeliveryOfAnIPv6Address changes it under load, on a switch that passes a group's frames only to who has told it by MLD. The client learns
// each MAC by an advertisement, no connection breaks, and no switch learns a cluster MAC.
func TestDeliveryOfAnIPv6Address(t *testing.T) {
	const d, m, g = delivery.Directed, delivery.Multicast, delivery.IGMP
	l := machines(t, lab.Options{Hosts: 3, Clients: 1, Config: sixAlone})
	onSwitch(t, l, "ip", "link", "set", "br0", "type", "bridge", "mcast_snooping", "1", "mcast_querier", "1")
	if err := l.StartWeb(); err != nil {
		t.Fatal(err)
	}
	if err := l.StartAll(); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
	conns := echoes6(t, l, 100)
	for _, change := range [][2]delivery.Mode{{d, m}, {m, g}, {g, d}} {
		t.Run(fmt.Sprintf("%v to %v", change[0], change[1]), func(t *testing.T) {
			deliver(t, l, change[0], change[1])
			mac := delivery.Of(change[1], lab.VIP6().Addr()).MAC.String()
			if mac == "" {
				mac = macOf(t, l.Host(status(t, l.Host("a")).VIPs[0].Director))
			}
			eventually(t, patience, "the client knows the VIP at "+mac, func() error {
				got, err := neighbour6(l)
				if err == nil && got != mac {
					return fmt.Errorf("it knows %s", got)
				}
				return err
			})
			work(t)
			for _, r := range broken(conns.all()) {
				t.Errorf("%s of connection %d to %s: %s", r.Kind, r.Conn, r.Host, r.Class)
			}
			notLearnt(t, l)
		})
	}
	conns.stop(t)
}

// listening lists the IPv6 addresses for which a host takes in neighbour solicitations, and the groups that eth0 is in.
func listening(t *testing.T, h *lab.Host) string {
	t.Helper()
	var lines []string
	err := h.Do(func() error {
		proxied, err := netlink.NeighProxyList(0, netlink.FAMILY_V6)
		for _, n := range proxied {
			lines = append(lines, "listens for "+n.IP.String())
		}
		groups, errGroups := os.ReadFile("/proc/thread-self/net/igmp6")
		for line := range strings.Lines(string(groups)) {
			if f := strings.Fields(line); len(f) > 2 && f[1] == "eth0" {
				lines = append(lines, "group "+f[2])
			}
		}
		return errors.Join(err, errGroups)
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// TestAnIPv6AddressIsKeptUpAndGivenBack: what somebody takes away is put back and told, the interface going down included; after the stop nothing is
// left.
func TestAnIPv6AddressIsKeptUpAndGivenBack(t *testing.T) {
	l := machines(t, lab.Options{Hosts: 2, Clients: 1, Config: sixAlone})
	b, vip := l.Host("b"), lab.VIP6().Addr()
	eventually(t, patience, "the interface has its link-local address and that one's group", func() error {
		if has := footprint(t, l, b) + listening(t, b); !strings.Contains(has, "address fe80:") || !strings.Contains(has, "group ff0200000000000000000001ff4d0002") {
			return errors.New(has)
		}
		return nil
	})
	bare, quiet := footprint(t, l, b), listening(t, b)
	if err := errors.Join(l.StartWeb(), l.StartAll()); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
	good := footprint(t, l, b) + listening(t, b)
	if !strings.Contains(good, "listens for "+vip.String()) || strings.Contains(quiet, "listens") {
		t.Fatalf("the test sees nothing: before %s\nnow %s", quiet, good)
	}
	for _, fault := range []struct {
		name string
		make func(t *testing.T)
		told string
	}{
		{"VIP removed from lo", func(t *testing.T) { removeAddress(t, b, "lo", vip.String()+"/128") }, "address " + vip.String()},
		{"no ear for solicitations", func(t *testing.T) { ip(t, b.Node, "-6", "neigh", "del", "proxy", vip.String(), "dev", "eth0") }, "listening for " + vip.String()},
		{"interface down and up", func(t *testing.T) {
			ip(t, b.Node, "link", "set", "eth0", "down")
			ip(t, b.Node, "link", "set", "eth0", "up")
			ip(t, b.Node, "addr", "replace", b.Address6().String()+"/64", "dev", "eth0", "nodad") // as what configures the host would
		}, "listening for " + vip.String()},
	} {
		t.Run(fault.name, func(t *testing.T) {
			before := len(events(t, b, "drift"))
			fault.make(t)
			eventually(t, 5*time.Second, "put back", func() error {
				if now := footprint(t, l, b) + listening(t, b); now != good {
					return fmt.Errorf("not as before: %s", differences(good, now))
				}
				return nil
			})
			eventually(t, 5*time.Second, "told", func() error {
				list := events(t, b, "drift")[before:]
				if !slices.ContainsFunc(list, func(e api.Event) bool { return strings.Contains(e.Text, fault.told) }) {
					return fmt.Errorf("events %+v do not name %s", list, fault.told)
				}
				return nil
			})
		})
	}
	ready(t, l)
	stop(t, b)
	if now := footprint(t, l, b); now != bare {
		t.Errorf("left: %s", differences(bare, now))
	}
	if now := listening(t, b); now != quiet {
		t.Errorf("left: %s", differences(quiet, now))
	}
}
