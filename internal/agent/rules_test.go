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

	"github.com/muster-ha/muster/internal/lab"
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
	ready(t, l)
}

// crowd gives the lab's client so many addresses more: each is a client of its own.
func crowd(t *testing.T, l *lab.Lab, n int) []netip.Addr {
	t.Helper()
	list := make([]netip.Addr, n)
	err := l.Client(1).Do(func() error {
		eth, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		for i := range list {
			list[i] = netip.AddrFrom4([4]byte{10, 77, 0, byte(120 + i)})
			a, err := netlink.ParseAddr(list[i].String() + "/24")
			if err != nil {
				return err
			}
			if err := netlink.AddrAdd(eth, a); err != nil {
				return err
			}
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
			name, err := greeted(c, target(port))
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

// greeted connects from an address of this network namespace and reads the name of the host that answers.
func greeted(from netip.Addr, to string) (string, error) {
	dialer := net.Dialer{Timeout: 8 * time.Second, LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))}
	conn, err := dialer.Dial("tcp", to)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(8 * time.Second)); err != nil {
		return "", err
	}
	buffer := make([]byte, 64)
	n, err := conn.Read(buffer)
	return strings.TrimSpace(string(buffer[:n])), err
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
