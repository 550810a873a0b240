package agent_test

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/internal/lab/load"
)

// usualRule is the rule of the example farm, in whose place tests put their own.
const usualRule = "{ports: [80, 443, 7], protocol: tcp, affinity: none, check: web}"

// ruleFarm is a farm with other rules. Each is a line of the file.
func ruleFarm(t *testing.T, rules ...string) *lab.Lab {
	t.Helper()
	text := strings.Replace(lab.DefaultConfig, usualRule, strings.Join(rules, "\n      - "), 1)
	return farm(t, text)
}

// reloaded changes the file on every host and waits until all use it.
func reloaded(t *testing.T, l *lab.Lab, pairs ...string) {
	t.Helper()
	before := digest(t, l.Host("a"))
	edit(t, l, pairs...)
	hangUp(t, l, "a", "b", "c")
	changedOver(t, l, before)
	for _, h := range l.Hosts() {
		members(t, h, "a", "b", "c")
	}
}

// crowd gives the lab's client so many addresses more: each is a client of its own.
func crowd(t *testing.T, l *lab.Lab, n int) []netip.Addr {
	t.Helper()
	return crowdFrom(t, l, netip.MustParsePrefix("10.77.0.120/24"), n)
}

// crowdFrom gives the lab's client an address and those after it.
func crowdFrom(t *testing.T, l *lab.Lab, first netip.Prefix, n int) []netip.Addr {
	t.Helper()
	var list []netip.Addr
	err := l.Client(1).Do(func() error {
		eth, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		for addr := first.Addr(); len(list) < n; addr = addr.Next() {
			a, err := netlink.ParseAddr(netip.PrefixFrom(addr, first.Bits()).String())
			if err != nil {
				return err
			}
			if addr.Is6() {
				a.Flags = unix.IFA_F_NODAD // nobody else has it, and waiting for that takes a second
			}
			if err := netlink.AddrAdd(eth, a); err != nil {
				return err
			}
			list = append(list, addr)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// meets connects from each client to a port of the VIP, one after the other, and says which host each met. Nothing stays open.
func meets(t *testing.T, l *lab.Lab, clients []netip.Addr, port uint16) map[netip.Addr]string {
	t.Helper()
	met := map[netip.Addr]string{}
	err := l.Client(1).Do(func() error {
		for _, c := range clients {
			to := target(port)
			if c.Is6() {
				to = target6(port)
			}
			name, err := greeted(c, to)
			if err != nil {
				return fmt.Errorf("client %s: %w", c, err)
			}
			met[c] = name
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return met
}

// greeted connects from an address of this network namespace, reads the name of the host that answers, and closes.
func greeted(from netip.Addr, to string) (string, error) {
	conn, name, err := opened(from, to)
	if err != nil {
		return "", err
	}
	return name, conn.Close()
}

// decided adds up a counter of the filter over the hosts.
func decided(t *testing.T, l *lab.Lab, reason string) (n uint64) {
	t.Helper()
	for _, h := range l.Hosts() {
		n += status(t, h).Filter.Counters[reason]
	}
	return n
}

// moved lists the clients that met another host than before.
func moved(before, now map[netip.Addr]string) (list []string) {
	for c, host := range now {
		if before[c] != host {
			list = append(list, fmt.Sprintf("%s from %s to %s", c, before[c], host))
		}
	}
	slices.Sort(list)
	return list
}

func TestRememberedClientsKeepTheirHost(t *testing.T) {
	l := ruleFarm(t, "{ports: [7], affinity: client, affinity_timeout: 1h}", "{ports: [80], check: web}")
	clients := crowd(t, l, 60)
	stop(t, l.Host("c"))
	members(t, l.Host("a"), "a", "b")
	home := meets(t, l, clients, 7)
	if hosts := slices.Sorted(maps.Values(home)); len(slices.Compact(hosts)) != 2 {
		t.Fatalf("60 clients met %v", hosts)
	}
	for _, event := range []struct {
		name string
		do   func(t *testing.T)
		away string // whose clients have to go elsewhere
	}{
		{"a host joins", func(t *testing.T) { start(t, l, "c") }, ""},
		{"the new host gets a larger weight", func(t *testing.T) { reloaded(t, l, "address: 10.77.0.3", "address: 10.77.0.3, weight: 5") }, ""},
		{"another port in the rule", func(t *testing.T) { reloaded(t, l, "ports: [7]", "ports: [7, 9]") }, ""},
		{"a host is drained", func(t *testing.T) { muster(t, l.Host("a"), "host", "drain", "b"); drained(t, l.Host("a"), "b") }, "b"},
		{"the drained host comes back", func(t *testing.T) { muster(t, l.Host("a"), "host", "resume", "b"); ready(t, l) }, ""},
		{"a host loses power", func(t *testing.T) {
			if _, err := l.Host("a").PowerCut(); err != nil {
				t.Fatal(err)
			}
			members(t, l.Host("b"), "b", "c")
		}, "a"},
	} {
		t.Run(event.name, func(t *testing.T) {
			event.do(t)
			now := meets(t, l, clients, 7)
			for c, host := range now {
				if home[c] == event.away && host == event.away {
					t.Errorf("client %s is still at %s", c, host)
				}
				if home[c] != event.away && host != home[c] {
					t.Errorf("client %s went from %s to %s", c, home[c], host)
				}
			}
			home = now
		})
	}
}

// With a cluster MAC every host has each frame; who remembers the client acts, and nobody else.
func TestRememberedClientsWhereEveryHostHasEachFrame(t *testing.T) {
	rules := "{ports: [7], affinity: network, affinity_network: {ipv4: 32}, affinity_timeout: 1h}"
	l := farm(t, strings.NewReplacer(usualRule, rules, "delivery: directed", "delivery: multicast", ", check: web", "").Replace(lab.DefaultConfig))
	clients := crowd(t, l, 40)
	muster(t, l.Host("a"), "host", "drain", "c")
	drained(t, l.Host("b"), "c")
	home := meets(t, l, clients, 7)
	seen := decided(t, l, "drop_seen_by_others")
	muster(t, l.Host("a"), "host", "resume", "c")
	ready(t, l)
	if list := moved(home, meets(t, l, clients, 7)); len(list) > 0 {
		t.Errorf("moved: %v", list)
	}
	if decided(t, l, "accept_remembered") == 0 || decided(t, l, "drop_seen_by_others") == seen {
		t.Error("nobody was remembered, or no frame reached several hosts: the test shows nothing")
	}
}

func TestRememberedIPv6NetworksKeepTheirHost(t *testing.T) {
	rule := "rules: [{ports: [80, 443, 7], affinity: network, affinity_network: {ipv6: 126}, affinity_timeout: 1h}]"
	l := farm(t, strings.Replace(sixAlone, "rules: [{ports: [80, 443, 7]}]", rule, 1))
	prefix := netip.PrefixFrom(lab.VIP6().Masked().Addr(), lab.VIP6().Bits())
	raw := prefix.Addr().As16()
	raw[14] = 0x80
	clients := crowdFrom(t, l, netip.PrefixFrom(netip.AddrFrom16(raw), prefix.Bits()), 64) // 16 networks
	muster(t, l.Host("a"), "host", "drain", "c")
	drained(t, l.Host("b"), "c")
	home := meets(t, l, clients, 7)
	for i, c := range clients {
		if first := clients[i-i%4]; home[c] != home[first] {
			t.Errorf("client %s met %s, %s of its network %s", c, home[c], first, home[first])
		}
	}
	if hosts := hostsOf(home); len(hosts) != 2 {
		t.Errorf("16 networks met %v", hosts)
	}
	muster(t, l.Host("a"), "host", "resume", "c")
	ready(t, l)
	if list := moved(home, meets(t, l, clients, 7)); len(list) > 0 {
		t.Errorf("moved: %v", list)
	}
	if r := status(t, l.Host("a")).VIPs[0].Rules[0]; r.Remembers == nil || *r.Remembers == 0 || *r.Remembers > 16 {
		t.Errorf("host a remembers %v networks", r.Remembers)
	}
}

func TestRememberedClientsFollowTheTableAfterTheTimeout(t *testing.T) {
	l := ruleFarm(t, "{ports: [7], affinity: client, affinity_timeout: 1h}", "{ports: [80], check: web}")
	clients := crowd(t, l, 40)
	muster(t, l.Host("a"), "host", "drain", "c")
	drained(t, l.Host("b"), "c")
	home := meets(t, l, clients, 7)
	muster(t, l.Host("a"), "host", "resume", "c")
	ready(t, l)
	if list := moved(home, meets(t, l, clients, 7)); len(list) > 0 {
		t.Errorf("moved within the timeout: %v", list)
	}
	if n := decided(t, l, "accept_remembered"); n == 0 {
		t.Error("nobody was accepted because of having been here before: the test shows nothing")
	}
	reloaded(t, l, "affinity_timeout: 1h", "affinity_timeout: 1s")
	time.Sleep(1100 * time.Millisecond) // the timeout is what is tested
	now := meets(t, l, clients, 7)
	if c := slices.Collect(maps.Values(now)); !slices.Contains(c, "c") {
		t.Error("after the timeout no client met the host that came back")
	}
	for _, client := range clients[:5] {
		if out := muster(t, l.Host("b"), "explain", "web", client.String(), "--port", "7"); !strings.Contains(out, "host "+now[client]) {
			t.Errorf("client %s met %s; muster explain says:\n%s", client, now[client], out)
		}
	}
}

// A client whose only connection is silent for longer than the timeout keeps its host for the next one.
func TestRememberedWhileAConnectionIsOpen(t *testing.T) {
	l := ruleFarm(t, "{ports: [7], affinity: client, affinity_timeout: 1s}", "{ports: [80], check: web}")
	clients := crowd(t, l, 30)
	muster(t, l.Host("a"), "host", "drain", "c")
	drained(t, l.Host("b"), "c")
	home, open := map[netip.Addr]string{}, []net.Conn{}
	err := l.Client(1).Do(func() error {
		for _, c := range clients {
			conn, name, err := opened(c, target(7))
			if err != nil {
				return err
			}
			home[c] = name
			open = append(open, conn)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(1500 * time.Millisecond) // longer than the timeout
	muster(t, l.Host("a"), "host", "resume", "c")
	ready(t, l)
	eventually(t, patience, "both hosts have looked at their connections", func() error {
		for _, name := range []string{"a", "b"} {
			if h := hostIn(status(t, l.Host("a")), name); h.Holds == nil || *h.Holds == 0 {
				return fmt.Errorf("host %s has not", name)
			}
		}
		return nil
	})
	if list := moved(home, meets(t, l, clients, 7)); len(list) > 0 {
		t.Errorf("moved with a connection open: %v", list)
	}
	for _, conn := range open {
		conn.Close()
	}
}

// opened connects from an address of this network namespace, and reads the name of the host that answers.
func opened(from netip.Addr, to string) (net.Conn, string, error) {
	dialer := net.Dialer{Timeout: 8 * time.Second, LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))}
	conn, err := dialer.Dial("tcp", to)
	if err != nil {
		return nil, "", err
	}
	if err := conn.SetDeadline(time.Now().Add(8 * time.Second)); err != nil {
		return nil, "", err
	}
	buffer := make([]byte, 64)
	n, err := conn.Read(buffer)
	if err != nil {
		conn.Close()
		return nil, "", err
	}
	return conn, strings.TrimSpace(string(buffer[:n])), conn.SetDeadline(time.Time{})
}

func TestLiveChangesOfRulesBreakNoneOfAThousandConnections(t *testing.T) {
	const conns = 1000
	l := ruleFarm(t, usualRule)
	load1000 := begin(t, l, "echo", "--target", target(7), "--conns", fmt.Sprint(conns), "--interval", "250ms", "--silence", "8s")
	eventually(t, patience, "all connections open", func() error {
		if n := load1000.count(load.Open); n < conns {
			return fmt.Errorf("%d of %d", n, conns)
		}
		return nil
	})
	rule, told := usualRule, 0
	for _, change := range []struct {
		name, rule string
		vip        []string
	}{
		{"a port more", "{ports: [80, 443, 7, 9000], check: web}", nil},
		{"protocol both", "{ports: [80, 443, 7, 9000], protocol: both, check: web}", nil},
		{"single", "{ports: [80, 443, 7], handling: single, priority: [b], check: web}", nil},
		{"another priority", "{ports: [80, 443, 7], handling: single, priority: [c, a], check: web}", nil},
		{"refuse", "{ports: [80, 443, 7], handling: refuse, check: web}", nil},
		{"shared again, with weights", "{ports: [80, 443, 7], weights: {a: 1, b: 3, c: 0}, check: web}", nil},
		{"affinity client", "{ports: [80, 443, 7], affinity: client, check: web}", nil},
		{"affinity timeout", "{ports: [80, 443, 7], affinity: client, affinity_timeout: 20m, check: web}", nil},
		{"affinity network", "{ports: [80, 443, 7], affinity: network, affinity_network: {ipv4: 16}, affinity_timeout: 10s, check: web}", nil},
		{"quorum", "{ports: [80, 443, 7], quorum: majority, check: web}", nil},
		{"the port changes its rule", "{ports: [80, 7], handling: single, priority: [b], check: web}\n      - {ports: [443, 25]}", nil},
		{"and goes to the other one", "{ports: [80], handling: single, priority: [b], check: web}\n      - {ports: [443, 7, 25]}", nil},
		{"a default host", "{ports: [80, 7], check: web}", []string{"delivery: directed", "delivery: directed\n    default: [c, a]"}},
		{"the port goes to the default host", "{ports: [80], check: web}", nil},
		{"and comes back", usualRule, nil},
	} {
		ok := t.Run(change.name, func(t *testing.T) {
			reloaded(t, l, append([]string{rule, change.rule}, change.vip...)...)
			rule = change.rule
			beats(t, 3)
			bad := broken(load1000.all())
			for _, r := range bad[told:] {
				t.Errorf("%s of connection %d to %s: %s", r.Kind, r.Conn, r.Host, r.Class)
			}
			told = len(bad)
		})
		if !ok {
			break
		}
	}
	all := load1000.stop(t)
	if bad := broken(all); len(bad) > told {
		t.Errorf("%d connections broke at the end, the first: %+v", len(bad)-told, bad[told])
	}
	if n := load1000.count(load.Closed); n != conns-told {
		t.Errorf("%d of %d connections were alive at the end", n, conns)
	}
}

// beats lets each connection of a load exchange a few times.
func beats(t *testing.T, n int) {
	t.Helper()
	select {
	case <-time.After(time.Duration(n) * 250 * time.Millisecond):
	case <-t.Context().Done():
	}
}
