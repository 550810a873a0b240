package agent_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/internal/lab/load"
)

// routedEchoes keeps connections open to the routed address.
func routedEchoes(t *testing.T, l *lab.Lab, conns int) *clients {
	t.Helper()
	c := begin(t, l, "echo", "--target", routedEcho, "--conns", fmt.Sprint(conns), "--interval", "500ms")
	eventually(t, patience, "all connections open", func() error {
		if n := c.count(load.Open); n < conns {
			return fmt.Errorf("%d of %d", n, conns)
		}
		return nil
	})
	return c
}

func TestRoutedConnectionsSpreadOverTheHosts(t *testing.T) {
	l, _ := farmBehindRouter(t, "", "")
	split := perHost(routedEchoes(t, l, 300).stop(t), load.Open)
	for _, h := range []string{"a", "b", "c"} {
		if n := split[h]; n < 60 || n > 140 {
			t.Errorf("%v: host %s has %d of 300 connections, want about 100", split, h, n)
		}
	}
	s := status(t, l.Host("a"))
	if len(s.BGP) != 1 || !s.BGP[0].Up || len(s.BGP[0].Announced) != 1 || s.BGP[0].Announced[0] != routedVIP+"/32" {
		t.Errorf("host a says of its routers %+v", s.BGP)
	}
	if len(s.Problems) > 0 {
		t.Errorf("problems: %+v", s.Problems)
	}
	if len(events(t, l.Host("a"), "router_up")) != 1 {
		t.Error("no event of the session")
	}
	for i := range uint16(5) {
		if n := echoReplies(t, l, i+1); n != 1 {
			t.Errorf("a ping was answered %d times", n)
		}
	}
	for _, h := range l.Hosts() {
		if c := status(t, h).Filter.Counters; c["forward_new"] == 0 || c["forward_owner"] == 0 {
			t.Errorf("host %s forwarded nothing: %v", h.Name(), c)
		}
	}
}

// echoReplies pings the routed address once and counts the answers.
func echoReplies(t *testing.T, l *lab.Lab, id uint16) (n int) {
	t.Helper()
	err := l.Client(1).Do(func() error {
		conn, err := net.ListenPacket("ip4:icmp", "10.99.0.1")
		if err != nil {
			return err
		}
		defer conn.Close()
		echo := []byte{8, 0, 0, 0, byte(id >> 8), byte(id), 0, 1}
		sum := ^(0x0800 + id + 1) // of the four words; there is no carry
		echo[2], echo[3] = byte(sum>>8), byte(sum)
		if _, err := conn.WriteTo(echo, &net.IPAddr{IP: net.ParseIP(routedVIP)}); err != nil {
			return err
		}
		_ = conn.SetReadDeadline(time.Now().Add(400 * time.Millisecond)) // long enough for a second answer too
		for buffer := make([]byte, 128); ; {
			size, from, err := conn.ReadFrom(buffer)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return nil
			}
			if err != nil {
				return err
			}
			if size >= 8 && buffer[0] == 0 && from.String() == routedVIP && buffer[5] == byte(id) {
				n++
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Every change of what the router does with a flow is an event of its own, so that a failure has a name.
func TestRouterRehashBreaksNoneOfAThousandConnections(t *testing.T) {
	l, r := farmBehindRouter(t, "", "")
	a, b, c := l.Host("a"), l.Host("b"), l.Host("c")
	stop(t, c)
	r.routes(t, "a", "b")
	conns := routedEchoes(t, l, 1000)
	told := 0
	for _, event := range []struct {
		name string
		do   func(t *testing.T)
	}{
		{"host joins", func(t *testing.T) { start(t, l, "c"); r.routes(t, "a", "b", "c") }},
		{"another seed", func(t *testing.T) { r.sets(t, "fib_multipath_hash_seed", "4711") }},
		{"by address alone", func(t *testing.T) { r.sets(t, "fib_multipath_hash_policy", "0") }},
		{"by address and port again", func(t *testing.T) { r.sets(t, "fib_multipath_hash_policy", "1") }},
		{"drain", func(t *testing.T) { muster(t, a, "host", "drain", "b"); r.routes(t, "a", "c") }},
		{"resume", func(t *testing.T) { muster(t, a, "host", "resume", "b"); r.routes(t, "a", "b", "c") }},
		{"agent killed", func(t *testing.T) { kill(t, a); r.routes(t, "b", "c") }},
		{"agent started again", func(t *testing.T) { start(t, l, "a"); r.routes(t, "a", "b", "c") }},
		{"host leaves", func(t *testing.T) { stop(t, c); r.routes(t, "a", "b") }}, // no connection is there
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
	conns.stop(t)
	if n := status(t, b).Filter.Counters["forward_owner"] + status(t, b).Filter.Counters["forward_next"]; n == 0 {
		t.Error("no packet of an established connection was forwarded: the router has not moved any")
	}
}

// sets changes how the router spreads.
func (r *router) sets(t *testing.T, name, value string) {
	t.Helper()
	if err := r.Do(func() error { return sysctl("net/ipv4/"+name, value) }); err != nil {
		t.Fatal(err)
	}
}

func TestRoutedStopAndDrainLoseNoNewConnection(t *testing.T) {
	l, r := farmBehindRouter(t, "", "")
	web := begin(t, l, "http", "--target", routedWeb, "--rate", "200", "--timeout", "5s")
	web.flow(t, load.Request, 200)
	for _, event := range []struct {
		name string
		do   func()
	}{
		{"drain", func() { muster(t, l.Host("c"), "host", "drain", "c"); r.routes(t, "a", "b") }},
		{"resume", func() { muster(t, l.Host("c"), "host", "resume", "c"); r.routes(t, "a", "b", "c") }},
		{"stop", func() { stop(t, l.Host("c")); r.routes(t, "a", "b") }},
	} {
		event.do()
		seen := len(web.all())
		web.flow(t, load.Request, 200)
		if bad := failed(web.all()[seen:]); len(bad) > 0 {
			t.Errorf("%s: %d requests got no answer, the first: %+v", event.name, len(bad), bad[0])
		}
	}
	if bad := failed(web.stop(t)); len(bad) > 0 {
		t.Errorf("%d requests got no answer, the first: %+v", len(bad), bad[0])
	}
}

func TestRoutedPowerCutIsNoticedByBFD(t *testing.T) {
	l, r := farmBehindRouter(t, ", bfd: 100ms", "bfd on;")
	r.bfd(t)
	conns := routedEchoes(t, l, 200)
	had := perHost(conns.all(), load.Open)["b"]
	at := cutPower(t, l.Host("b"))
	r.routes(t, "a", "c")
	t.Logf("the router let go of the dead host %v after the power cut", time.Since(at))
	if took := time.Since(at); took > 2500*time.Millisecond {
		t.Errorf("the router needed %v: that was not BFD, whose three packets take 300 ms", took)
	}
	eventually(t, patience, "the dead host's clients know", func() error {
		if n := len(broken(conns.all())); n < had {
			return fmt.Errorf("%d of %d", n, had)
		}
		return nil
	})
	for _, r := range broken(conns.stop(t)) {
		if r.Host != "b" || r.Class != load.Reset {
			t.Errorf("%s of connection %d to %s: %s", r.Kind, r.Conn, r.Host, r.Class)
		}
	}
	freezeAndThaw(t, l, r)
}

// A frozen agent says nothing to its router, which stops sending; when it goes on, so does the router.
func freezeAndThaw(t *testing.T, l *lab.Lab, r *router) {
	t.Helper()
	if err := l.Host("c").Freeze(); err != nil {
		t.Fatal(err)
	}
	r.routes(t, "a")
	if err := l.Host("c").Thaw(); err != nil {
		t.Fatal(err)
	}
	r.routes(t, "a", "c")
}

// bfd waits until BIRD has a BFD session with each host.
func (r *router) bfd(t *testing.T) {
	t.Helper()
	eventually(t, patience, "BFD sessions with all hosts", func() error {
		out, err := r.Exec(t.Context(), "birdc", "-s", filepath.Join(r.dir, "bird.ctl"), "show", "bfd", "sessions").Output()
		if n := strings.Count(string(out), " Up "); err == nil && n < 3 {
			err = fmt.Errorf("%d of 3 are up:\n%s", n, out)
		}
		return err
	})
}

func TestRoutedPowerCutIsNoticedByTheHoldTime(t *testing.T) {
	l, r := farmBehindRouter(t, "", "")
	at := cutPower(t, l.Host("b"))
	r.routes(t, "a", "c")
	took := time.Since(at)
	t.Logf("the router let go of the dead host %v after the power cut", took)
	if took < 1500*time.Millisecond || took > 6*time.Second {
		t.Errorf("the router needed %v, and the hold time is 3 s", took)
	}
	if err := l.Host("b").PowerOn(); err != nil {
		t.Fatal(err)
	}
	wayToClients(t, l.Host("b"))
	ready(t, l)
	r.routes(t, "a", "b", "c")
}

func TestRoutersWrongPasswordIsToldAndMendedLive(t *testing.T) {
	l, r := machinesBehindRouter(t, ", password_file: tor1.password")
	password := filepath.Join(filepath.Dir(l.ConfigPath()), "tor1.password")
	write := func(text string) {
		if err := os.WriteFile(password, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("wrong horse\n")
	r.start(t, l, `password "correct horse";`)
	if err := l.StartAll(); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
	eventually(t, patience, "the problem is told", func() error {
		s, err := ask(l.Host("a"))
		for _, p := range s.Problems {
			if p.About == "router tor1" && strings.Contains(p.Remedy, "password") && !strings.Contains(p.What+p.Remedy, "horse") {
				return nil
			}
		}
		return errors.Join(err, fmt.Errorf("problems: %+v", s.Problems))
	})
	if hops, err := r.hops(); err != nil || len(hops) > 0 {
		t.Errorf("the router has routes to %v, %v", hops, err)
	}
	write("correct horse\n")
	for _, h := range l.Hosts() {
		muster(t, h, "reload")
	}
	r.routes(t, "a", "b", "c")
	eventually(t, patience, "the problem is gone", func() error {
		s, err := ask(l.Host("a"))
		if err == nil && len(s.Problems) > 0 {
			err = fmt.Errorf("problems: %+v", s.Problems)
		}
		return err
	})
}

// An address that was directed becomes a routed one while clients are connected, and back.
func TestDeliveryChangesToRoutedAndBackLive(t *testing.T) {
	l, r := farmBehindRouter(t, "", "")
	conns := routedEchoes(t, l, 200)
	text, err := os.ReadFile(l.ConfigPath())
	if err != nil {
		t.Fatal(err)
	}
	change := func(config string) {
		if err := os.WriteFile(l.ConfigPath(), []byte(config), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, h := range l.Hosts() {
			muster(t, h, "reload")
		}
	}
	// The router finds the directed address by ARP: it needs a route to the hosts' network, which BGP's /32 goes before.
	onLink := func(add string) {
		if out, err := r.Exec(t.Context(), "ip", "route", add, "203.0.113.0/24", "dev", "eth0").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	onLink("add")
	change(strings.Replace(string(text), "delivery: routed", "interface: eth0, delivery: directed", 1))
	r.routes(t)
	if name, err := greetingAt(l, routedEcho); err != nil {
		t.Errorf("directed: %q, %v", name, err)
	}
	work(t)
	change(string(text))
	r.routes(t, "a", "b", "c")
	work(t)
	if bad := broken(conns.stop(t)); len(bad) > 0 {
		t.Errorf("%d connections broke, the first: %+v", len(bad), bad[0])
	}
	if _, err := greetingAt(l, routedEcho); err != nil {
		t.Errorf("routed again: %v", err)
	}
}

// greetingAt connects to a target and gives the name of the host that answers.
func greetingAt(l *lab.Lab, target string) (name string, err error) {
	err = l.Client(1).Do(func() error {
		conn, err := net.DialTimeout("tcp", target, 5*time.Second)
		if err != nil {
			return err
		}
		defer conn.Close()
		buffer := make([]byte, 64)
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		n, err := conn.Read(buffer)
		name = strings.TrimSpace(string(buffer[:n]))
		return err
	})
	return name, err
}

func cutPower(t *testing.T, h *lab.Host) time.Time {
	t.Helper()
	at, err := h.PowerCut()
	if err != nil {
		t.Fatal(err)
	}
	return at
}
