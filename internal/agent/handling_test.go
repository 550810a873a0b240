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

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/lab"
)

// One farm goes from rule to rule; each subtest is one.
func TestRules(t *testing.T) {
	l := ruleFarm(t, usualRule)
	clients := crowd(t, l, 40) // 10.77.0.120 and on: their networks of 26 bits are .64 to .127 and .128 to .191
	for _, h := range l.Hosts() {
		answerUDP(t, h)
		greet(t, h, 2525)
	}
	rule := usualRule
	for _, tt := range []struct {
		name, rule string
		check      func(t *testing.T)
	}{
		{"single: the first of the priority, then the next", "{ports: [7], handling: single, priority: [b, a]}", func(t *testing.T) { oneAfterTheOther(t, l, clients) }},
		{"weights of the rule, and no share for 0", "{ports: [7], weights: {a: 1, b: 3, c: 0}}", func(t *testing.T) { sharesByWeight(t, l, clients) }},
		{"affinity network", "{ports: [7], affinity: network, affinity_network: {ipv4: 26}}", func(t *testing.T) { networksStayTogether(t, l, clients) }},
		{"protocol both: one host for a client's TCP and UDP", "{ports: [7, 53], protocol: both, affinity: client}", func(t *testing.T) { sameHostForBoth(t, l, clients) }},
		{"refuse: what is connected goes on, nothing new", "{ports: [7], handling: refuse}", nil},
		{"default host: what no rule names", "{ports: [80], check: web}\n    default: [c, a]", func(t *testing.T) { restGoesToTheDefault(t, l, clients) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.check == nil {
				refuses(t, l, clients, rule, tt.rule)
			} else {
				reloaded(t, l, rule, tt.rule)
				tt.check(t)
			}
			rule = tt.rule
		})
	}
}

// hostsOf is the hosts that clients met.
func hostsOf(met map[netip.Addr]string) []string {
	return slices.Compact(slices.Sorted(maps.Values(met)))
}

func oneAfterTheOther(t *testing.T, l *lab.Lab, clients []netip.Addr) {
	a := l.Host("a")
	for _, step := range []struct {
		name, want string
		do         func()
	}{
		{"all serve", "b", func() {}},
		{"b is drained", "a", func() { muster(t, a, "host", "drain", "b"); drained(t, a, "b") }},
		{"a too: c is not in the list", "c", func() { muster(t, a, "host", "drain", "a"); drained(t, l.Host("c"), "a") }},
		{"both are back", "b", func() { muster(t, a, "host", "resume", "a"); muster(t, a, "host", "resume", "b"); ready(t, l) }},
	} {
		step.do()
		if got := hostsOf(meets(t, l, clients, 7)); !slices.Equal(got, []string{step.want}) {
			t.Errorf("%s: clients met %v, want %s", step.name, got, step.want)
		}
	}
	if out := muster(t, a, "explain", "web", clients[0].String(), "--port", "7"); !strings.Contains(out, "of b, a, c, host b is the first that serves") {
		t.Errorf("muster explain says:\n%s", out)
	}
}

func sharesByWeight(t *testing.T, l *lab.Lab, clients []netip.Addr) {
	want := []api.OwnerShare{{Host: "a", Buckets: 1024, Percent: 25}, {Host: "b", Buckets: 3072, Percent: 75}}
	if got := status(t, l.Host("c")).VIPs[0].Rules[0].Owners; !slices.Equal(got, want) {
		t.Errorf("owners are %+v, want %+v", got, want)
	}
	if got := hostsOf(meets(t, l, clients, 7)); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("40 clients met %v", got)
	}
}

func networksStayTogether(t *testing.T, l *lab.Lab, clients []netip.Addr) {
	met := map[netip.Prefix]map[string]bool{}
	for c, host := range meets(t, l, clients, 7) {
		n, _ := c.Prefix(26)
		if met[n] == nil {
			met[n] = map[string]bool{}
		}
		met[n][host] = true
	}
	if len(met) != 2 {
		t.Fatalf("clients of %d networks, want 2", len(met))
	}
	for n, hosts := range met {
		if len(hosts) != 1 {
			t.Errorf("clients of %v met %v", n, slices.Collect(maps.Keys(hosts)))
		}
	}
}

func sameHostForBoth(t *testing.T, l *lab.Lab, clients []netip.Addr) {
	tcp := meets(t, l, clients, 7)
	if got := hostsOf(tcp); len(got) != 3 {
		t.Errorf("40 clients met %v", got)
	}
	if list := moved(tcp, asksUDP(t, l, clients, 53)); len(list) > 0 {
		t.Errorf("by UDP clients met other hosts: %v", list)
	}
}

// asksUDP sends a datagram from each client to a port of the VIP and says who answers.
func asksUDP(t *testing.T, l *lab.Lab, clients []netip.Addr, port uint16) map[netip.Addr]string {
	t.Helper()
	met := map[netip.Addr]string{}
	err := l.Client(1).Do(func() error {
		for _, c := range clients {
			dialer := net.Dialer{LocalAddr: net.UDPAddrFromAddrPort(netip.AddrPortFrom(c, 0))}
			conn, err := dialer.Dial("udp4", target(port))
			if err != nil {
				return err
			}
			name, err := question(conn)
			conn.Close()
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

// refuses opens connections, has the rule refuse, and looks that they live while nothing new comes.
func refuses(t *testing.T, l *lab.Lab, clients []netip.Addr, before, rule string) {
	conns := echoes(t, l, 60)
	reloaded(t, l, before, rule)
	work(t)
	if bad := broken(conns.stop(t)); len(bad) > 0 {
		t.Errorf("%d connections broke, the first: %+v", len(bad), bad[0])
	}
	refused := decided(t, l, "drop_refused")
	if name, err := greetingWithin(l, 500*time.Millisecond); err == nil {
		t.Errorf("host %s accepted a connection", name)
	}
	if n := decided(t, l, "drop_refused"); n == refused {
		t.Error("what was refused is not counted as that")
	}
	if s := status(t, l.Host("a")); len(s.Problems) > 0 {
		t.Errorf("a rule that refuses is taken for a problem: %+v", s.Problems)
	}
	if out := muster(t, l.Host("b"), "explain", "web", clients[0].String()+":1234", "--port", "7"); !strings.Contains(out, "handling is refuse") {
		t.Errorf("muster explain says:\n%s", out)
	}
}

// greet has a host say its name to whoever connects to a port of it.
func greet(t *testing.T, h *lab.Host, port uint16) {
	t.Helper()
	var listener net.Listener
	err := h.Do(func() (err error) {
		listener, err = net.Listen("tcp4", fmt.Sprintf(":%d", port))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			fmt.Fprintln(conn, h.Name())
			conn.Close()
		}
	}()
}

func restGoesToTheDefault(t *testing.T, l *lab.Lab, clients []netip.Addr) {
	want := func(when, host string) {
		t.Helper()
		if got := hostsOf(meets(t, l, clients[:10], 2525)); !slices.Equal(got, []string{host}) {
			t.Errorf("%s: a TCP port that no rule names is served by %v, want %s", when, got, host)
		}
		if got := hostsOf(asksUDP(t, l, clients[:10], 53)); !slices.Equal(got, []string{host}) {
			t.Errorf("%s: a UDP port that no rule names is served by %v, want %s", when, got, host)
		}
	}
	want("all serve", "c")
	muster(t, l.Host("a"), "host", "drain", "c")
	drained(t, l.Host("a"), "c")
	want("c is drained", "a")
	muster(t, l.Host("a"), "host", "resume", "c")
	eventually(t, patience, "c serves again", func() error {
		if h := hostIn(status(t, l.Host("a")), "c"); h.State != api.StateServing {
			return fmt.Errorf("it is %q", h.State)
		}
		return nil
	})
	want("c is back", "c")
	out := muster(t, l.Host("b"), "explain", "web", clients[0].String(), "--port", "2525")
	if !strings.Contains(out, "no rule names the port") || !strings.Contains(out, "host c is the first that serves") {
		t.Errorf("muster explain says:\n%s", out)
	}
}
