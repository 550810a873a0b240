package agent_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/lab"
)

// ip runs ip on a host.
func ip(t *testing.T, h *lab.Node, args ...string) {
	t.Helper()
	if out, err := h.Exec(t.Context(), append([]string{"ip"}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %v on %s: %v\n%s", args, h.Name(), err, out)
	}
}

// crossing waits until each host has an address on network cross that begins so, hears the others there, and all hear each other on a group
// that begins so.
func crossing(t *testing.T, l *lab.Lab, what, address, group string) {
	t.Helper()
	for _, h := range l.Hosts() {
		eventually(t, patience, what+" on host "+h.Name(), func() error {
			s, err := ask(h)
			if err != nil {
				return err
			}
			n := s.Networks[1]
			for _, p := range n.Peers {
				if p.State != api.PeerHeard || !strings.HasPrefix(p.Address, address) {
					return fmt.Errorf("%+v", n.Peers)
				}
			}
			for _, each := range n.Multicast.Hearing {
				if len(each.Hears) != len(l.Hosts())-1 {
					return fmt.Errorf("%+v", n.Multicast)
				}
			}
			if !n.Up || !strings.HasPrefix(n.Address, address) || !n.Multicast.Used || !strings.HasPrefix(n.Multicast.Group, group) {
				return fmt.Errorf("%+v", n)
			}
			return nil
		})
	}
}

// TestHeartbeatsOverLinkLocalIPv6: a second network on which nobody has configured an address carries the heartbeats by the addresses
// that the kernel makes, unicast and multicast. The first one can be cut. A host that gets IPv4 there changes nothing until all have it.
func TestHeartbeatsOverLinkLocalIPv6(t *testing.T) {
	l := machines(t, lab.Options{Hosts: 3, Clients: 1, Networks: 1, Config: twoNetworks()})
	onSwitch(t, l, "ip", "link", "set", "net1", "type", "bridge", "mcast_snooping", "1", "mcast_querier", "1")
	for _, h := range l.Hosts() {
		ip(t, h.Node, "-4", "addr", "flush", "dev", "eth1")
	}
	if err := errors.Join(l.StartWeb(), l.StartAll()); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
	began := time.Now()
	a, c := l.Host("a"), l.Host("c")
	crossing(t, l, "link-local addresses and a group chosen", "fe80::", "ff15::")
	setCross(t, l, "{interface: eth1, multicast: {address: \"ff05::7:9\"}}")
	crossing(t, l, "the group of the file", "fe80::", "ff05::7:9")
	if table := onSwitch(t, l, "bridge", "mdb", "show", "dev", "net1"); strings.Count(table, "grp ff05::7:9") != len(l.Hosts()) {
		t.Errorf("not every host has told the switch of its membership by MLD:\n%s", table)
	}

	if err := c.Unplug(0); err != nil {
		t.Fatal(err)
	}
	pairs(t, a, "lan", "c", api.PeerSilent)
	pairs(t, a, "cross", "c", api.PeerHeard)
	if s := status(t, a); len(s.View.Members) != 3 || hostIn(s, "c").State != api.StateServing {
		t.Errorf("c is on the cable alone: %+v", s.Hosts)
	}
	lostNobody(t, l, began)
	kill(t, c) // its guard has the cable alone
	members(t, a, "a", "b")
	if gone := lastEvent(t, a, "host_left"); gone.Text != "it said farewell" {
		t.Errorf("the guard's farewell was not heard: %q", gone.Text)
	}
	if err := c.Plug(0); err != nil {
		t.Fatal(err)
	}
	start(t, l, "c")

	again := time.Now()
	setCross(t, l, "{interface: eth1}")
	for i, h := range l.Hosts() {
		crossing(t, l, fmt.Sprintf("%d hosts with IPv4", i), "fe80::", "ff15::")
		ip(t, h.Node, "addr", "add", fmt.Sprintf("10.78.0.%d/24", i+1), "dev", "eth1")
	}
	crossing(t, l, "all hosts with IPv4", "10.78.0.", "239.255.")
	lostNobody(t, l, again)
}

// lostNobody checks that no host was lost for a moment since then.
func lostNobody(t *testing.T, l *lab.Lab, since time.Time) {
	t.Helper()
	for _, h := range l.Hosts() {
		for _, e := range events(t, h, "host_silent", "host_left") {
			if e.At.After(since) {
				t.Errorf("on %s: %s %s", h.Name(), e.Kind, e.Host)
			}
		}
	}
}

// onSwitch runs a command where the bridges are: net1 is that of network cross.
func onSwitch(t *testing.T, l *lab.Lab, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ip", append([]string{"netns", "exec", l.Name() + "-sw"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

// setCross changes the settings of network cross on all hosts, live.
func setCross(t *testing.T, l *lab.Lab, settings string) {
	t.Helper()
	text, err := os.ReadFile(l.ConfigPath())
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "    cross:") {
			lines[i] = "    cross: " + settings
		}
	}
	if err := os.WriteFile(l.ConfigPath(), []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, h := range l.Hosts() {
		muster(t, h, "reload")
	}
}

// sixHosts is a lab whose hosts have nothing but IPv6 addresses in the file.
func sixHosts(t *testing.T) *lab.Lab {
	t.Helper()
	config := strings.Replace(lab.DefaultConfig, "{address: {{.Address}}}", "{address: \"fd00::{{.Address}}\"}", 1)
	config = strings.Replace(config, "address: {{.VIP}}\n", "address: {{.VIP}}\n    interface: eth0\n", 1)
	l := machines(t, lab.Options{Hosts: 3, Clients: 1, Config: config})
	for _, h := range l.Hosts() {
		ip(t, h.Node, "addr", "add", "fd00::"+h.Address().String()+"/64", "dev", "eth0", "nodad")
	}
	return l
}

// TestHostsWithIPv6Addresses: hosts that have nothing but IPv6 in the file find each other, by multicast too, share an IPv4 address, tell of
// a killed agent at once and notice a power cut.
func TestHostsWithIPv6Addresses(t *testing.T) {
	l := sixHosts(t)
	if err := errors.Join(l.StartWeb(), l.StartAll()); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
	a := l.Host("a")
	by(t, a, "multicast by IPv6", "ff15::", true, 2, 2, 2)
	if n := perBeat(t, a); n > 1.3 {
		t.Errorf("%.2f datagrams a heartbeat by multicast, want 1", n)
	}
	mustServe(t, l, "a", "b", "c")
	kill(t, l.Host("c"))
	members(t, a, "a", "b")
	if gone := lastEvent(t, a, "host_left"); gone.Text != "it said farewell" {
		t.Errorf("the guard's farewell was not heard: %q", gone.Text)
	}
	start(t, l, "c")
	if _, err := l.Host("b").PowerCut(); err != nil {
		t.Fatal(err)
	}
	members(t, a, "a", "c")
	mustServe(t, l, "a", "c")
}

// TestIPv6Lease: where the network has IPv6 addresses the group is leased from a server over IPv6, here that of `muster madcap serve`.
func TestIPv6Lease(t *testing.T) {
	l := sixHosts(t)
	client := l.Client(1)
	ip(t, client, "addr", "add", "fd00::10.77.0.201/64", "dev", "eth0", "nodad")
	if _, err := client.Spawn("madcap", l.Binary(), "madcap", "serve", "--address", "fd00::10.77.0.201", "--leases", filepath.Join(t.TempDir(), "leases.json")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.StartWeb(), l.StartAll()); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
	eventually(t, patience, "multicast to a leased group", func() error {
		m := status(t, l.Host("b")).Networks[0].Multicast
		if m.How != "MADCAP lease" || !strings.HasPrefix(m.Group, "ff15::") || m.Lease == nil || m.Lease.Server != "fd00::a4d:c9" {
			return fmt.Errorf("%+v", m)
		}
		return nil
	})
	by(t, l.Host("a"), "everybody hears it", "ff15::", true, 2, 2, 2)
}
