package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/madcap"
)

// leasing is a lab of machines on a bridge that snoops: MADCAP servers on the hosts, a client.
type leasing struct {
	*lab.Lab
	dir    string
	scopes map[string][]string // by host
}

// newLeasing builds it. Host a hands out one address of the local scope and host b another, so that it shows what is held where.
func newLeasing(t *testing.T) *leasing {
	t.Helper()
	l, err := lab.Up(t.Context(), lab.Options{Hosts: 2, Clients: 1, Binary: program})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Down(); err != nil {
			t.Error(err)
		}
	})
	snoop := exec.CommandContext(t.Context(), "ip", "netns", "exec", l.Name()+"-sw", "ip", "link", "set", "br0", "type", "bridge",
		"mcast_snooping", "1", "mcast_querier", "1")
	if out, err := snoop.CombinedOutput(); err != nil {
		t.Fatalf("ip: %v\n%s", err, out)
	}
	local := func(pool string) []string {
		return []string{"--scope", "239.255.0.0/16,name=Local,name.de=Lokal,inside=239.192.0.0,pool=" + pool, "--scope", "239.192.0.0/14,name=Firm,ttl=32"}
	}
	return &leasing{Lab: l, dir: t.TempDir(), scopes: map[string][]string{
		"a": local("239.255.1.1-239.255.1.1"), "b": local("239.255.2.1-239.255.2.1"),
		"six": {"--address", "fd00:77::1"},
	}}
}

func (l *leasing) leases(server string) string { return filepath.Join(l.dir, server+".json") }

// start starts a server on a host and waits until it reports ready. Its lease file is its own and stays.
func (l *leasing) start(t *testing.T, host, server string, more ...string) {
	t.Helper()
	socket := filepath.Join(l.dir, server+".sock")
	_ = os.Remove(socket) // of the start before
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	argv := append([]string{"env", "NOTIFY_SOCKET=" + socket, program, "madcap", "serve", "--leases", l.leases(server), "--rest", "0s",
		"--interface", "eth0"}, append(l.scopes[server], more...)...)
	if _, err := l.Host(host).Spawn(server, argv...); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64)
	if n, err := conn.Read(buf); err != nil || string(buf[:n]) != "READY=1" {
		log, _ := os.ReadFile(l.Host(host).LogPath(server))
		t.Fatalf("server %s: %q, %v\n%s", server, buf[:n], err, log)
	}
}

// signal ends a server and waits for its end.
func (l *leasing) signal(t *testing.T, host, server string, sig unix.Signal) {
	t.Helper()
	p, err := l.Host(host).Process(server)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := errors.Join(p.Signal(sig), p.Wait(ctx)); err != nil {
		t.Fatal(err)
	}
}

// run runs a command of the client's machine.
func (l *leasing) run(t *testing.T, args ...string) result {
	t.Helper()
	var out, errOut strings.Builder
	cmd := l.Client(1).Exec(t.Context(), append([]string{program, "madcap"}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{out.String(), errOut.String(), cmd.ProcessState.ExitCode()}
}

// lease leases an address of a scope and keeps it in a file of the name.
func (l *leasing) lease(t *testing.T, name string, args ...string) madcap.Lease {
	t.Helper()
	r := l.run(t, append([]string{"lease", "--interface", "eth0", "--json", "--file", filepath.Join(l.dir, name)}, args...)...)
	var lease madcap.Lease
	if err := json.Unmarshal([]byte(r.out), &lease); err != nil || r.code != 0 {
		t.Fatalf("lease %s: %v: %+v", name, err, r)
	}
	return lease
}

// fails runs a command that must fail so.
func (l *leasing) fails(t *testing.T, code int, what string, args ...string) {
	t.Helper()
	if r := l.run(t, args...); r.code != code || r.out != "" || !strings.Contains(r.err, what) {
		t.Errorf("%v: %+v, want exit code %d and %q", args, r, code, what)
	}
}

// TestMADCAPCommands: two servers and a client on a bridge with snooping, each command, and what goes wrong.
func TestMADCAPCommands(t *testing.T) {
	l := newLeasing(t)
	l.start(t, "a", "a")
	l.start(t, "b", "b")
	t.Run("scopes of two servers, with names and nesting", l.testScopes)
	t.Run("the client picks one server and the other's offer lapses", l.testOffers)
	t.Run("leases survive kill -9", l.testKilledServer)
	t.Run("what the server refuses", l.testRefusals)
	t.Run("server killed during DISCOVER", l.testKilledInDiscover)
	t.Run("files that are not good", l.testFiles)
	t.Run("IPv6", l.testIPv6)
}

func (l *leasing) testScopes(t *testing.T) {
	r := l.run(t, "scopes", "--interface", "eth0", "--language", "de")
	const each = "  239.255.0.0-239.255.255.255  ttl 16  Lokal  inside: 239.192.0.0\n  239.192.0.0-239.195.255.255  ttl 32  Firm   inside: -\n"
	const want = "Server 10.77.0.1 (Shared Lease Identifier)\n" + each + "Server 10.77.0.2 (Shared Lease Identifier)\n" + each
	if r.code != 0 || r.out != want {
		t.Errorf("got %+v, want\n%s", r, want)
	}
	r = l.run(t, "scopes", "--server", "10.77.0.2", "--json")
	var list []servedScopes
	if err := json.Unmarshal([]byte(r.out), &list); err != nil || len(list) != 1 || list[0].Server != netip.MustParseAddr("10.77.0.2") ||
		len(list[0].Scopes) != 2 || len(list[0].Scopes[0].Names) != 2 || list[0].SkewMS == nil {
		t.Errorf("%v: %+v", err, r)
	}
}

func (l *leasing) testOffers(t *testing.T) {
	first := l.lease(t, "one", "--scope", "239.255.0.0", "--timeout", "20s")
	// The other server had offered its only address to the first lease. It has it again before the retransmission, 4 s after a DISCOVER that
	// comes 1 s after the start.
	second := l.lease(t, "two", "--scope", "239.255.0.0", "--timeout", "4500ms")
	got := map[string]string{}
	for _, lease := range []madcap.Lease{first, second} {
		got[lease.Server.String()] = joined(lease.Ranges)
	}
	if want := map[string]string{"10.77.0.1": "239.255.1.1", "10.77.0.2": "239.255.2.1"}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("leases %v, want %v", got, want)
	}
	if info, err := os.Stat(filepath.Join(l.dir, "one")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the kept lease: %v, %v", info, err)
	}
	// Nothing is left: the servers offer what will be free later, and the client does not take it for now.
	l.fails(t, 1, "too late", "lease", "--interface", "eth0", "--timeout", "2s")
}

func (l *leasing) testKilledServer(t *testing.T) {
	for _, host := range []string{"a", "b"} {
		l.signal(t, host, host, unix.SIGKILL)
	}
	l.fails(t, 1, "is a server running there", "scopes", "--server", "10.77.0.1", "--timeout", "1s")
	for _, host := range []string{"a", "b"} {
		l.start(t, host, host)
	}
	path := filepath.Join(l.dir, "one")
	before, err := readLease(path)
	if err != nil {
		t.Fatal(err)
	}
	r := l.run(t, "renew", path, "--time", "5h")
	after, err := readLease(path)
	if err != nil || r.code != 0 || joined(after.Ranges) != joined(before.Ranges) || after.Expires.Sub(before.Expires) < 3*time.Hour ||
		!strings.HasPrefix(r.out, "addresses  "+joined(before.Ranges)+"\n") {
		t.Errorf("%v: %+v: %+v, before %+v", err, r, after, before)
	}
	l.fails(t, 1, "too late", "lease", "--interface", "eth0", "--timeout", "2s") // both addresses are still leased
}

func (l *leasing) testRefusals(t *testing.T) {
	path := filepath.Join(l.dir, "one")
	kept, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if r := l.run(t, "release", path); r.code != 0 || !strings.HasPrefix(r.out, "released 239.255.") {
		t.Errorf("release: %+v", r)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the file of a released lease is still there")
	}
	if err := os.WriteFile(path, kept, 0o600); err != nil {
		t.Fatal(err)
	}
	l.fails(t, 1, "lease identifier not recognized (the lease has ended or was released", "release", path)
	l.fails(t, 1, "refuses: valid request could not be completed", "lease", "--server", "10.77.0.1", "--scope", "239.255.0.0", "--count", "2")
	l.fails(t, 1, "no server has the scope 239.1.0.0: they have 239.255.0.0, 239.192.0.0", "lease", "--server", "10.77.0.1", "--scope", "239.1.0.0")
	l.fails(t, 1, "there is something already", "lease", "--file", path)
	// What was released is there for others.
	if again := l.lease(t, "again", "--scope", "239.255.0.0", "--timeout", "4500ms"); !strings.Contains(string(kept), joined(again.Ranges)) {
		t.Errorf("leased %v, released was %s", again.Ranges, kept)
	}
}

// testKilledInDiscover: the only server is killed when the client's DISCOVER has arrived, and started again; the retransmission after 4 s
// finds it.
func (l *leasing) testKilledInDiscover(t *testing.T) {
	l.signal(t, "b", "b", unix.SIGTERM)
	a := l.Host("a")
	nft := func(args ...string) string {
		t.Helper()
		out, err := a.Exec(t.Context(), append([]string{"nft"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("nft %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	nft("add table ip deaf")
	nft("add chain ip deaf in { type filter hook input priority 0; }")
	nft("add rule ip deaf in udp dport 2535 @th,72,8 1 counter drop") // the message type behind UDP's header and the version: DISCOVER
	ended := make(chan madcap.Lease, 1)
	go func() {
		defer close(ended)
		ended <- l.lease(t, "late", "--scope", "239.192.0.0")
	}()
	for deadline := time.Now().Add(20 * time.Second); strings.Contains(nft("list", "table", "ip", "deaf"), "packets 0 "); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no DISCOVER has come")
		}
	}
	l.signal(t, "a", "a", unix.SIGKILL)
	nft("delete table ip deaf")
	l.start(t, "a", "a")
	if lease := <-ended; lease.Server != netip.MustParseAddr("10.77.0.1") {
		t.Errorf("lease %+v", lease)
	}
}

// testFiles: what cannot be used is refused with the remedy, and stays as it is. Host b's server does not run.
func (l *leasing) testFiles(t *testing.T) {
	serve := func(args ...string) result {
		out, err := l.Host("b").Exec(t.Context(), append([]string{program, "madcap", "serve", "--interface", "eth0"}, args...)...).CombinedOutput()
		if exit := (*exec.ExitError)(nil); err == nil || !errors.As(err, &exit) {
			t.Fatalf("serve %v: %v\n%s", args, err, out)
		}
		return result{string(out), "", err.(*exec.ExitError).ExitCode()}
	}
	whole, err := os.ReadFile(l.leases("b"))
	if err != nil {
		t.Fatal(err)
	}
	cut := whole[:len(whole)/2]
	if err := os.WriteFile(l.leases("b"), cut, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := serve("--leases", l.leases("b")); r.code != 1 || !strings.Contains(r.out, "put a copy of it back") {
		t.Errorf("a damaged file: %+v", r)
	}
	if after, err := os.ReadFile(l.leases("b")); err != nil || string(after) != string(cut) {
		t.Errorf("the damaged file was changed: %v\n%s", err, after)
	}
	for what, args := range map[string][]string{
		"which another server uses":      {"--leases", l.leases("a")},
		"make the directory first":       {"--leases", filepath.Join(l.dir, "none", "b.json")},
		"give this machine the address":  {"--leases", l.leases("x"), "--address", "10.77.0.9"},
		"find interface eth9":            {"--leases", l.leases("x"), "--interface", "eth9", "--address", "10.77.0.2"},
		"start a second server":          {"--leases", l.leases("x"), "--scope", "ff15::/32"},
		"is not within the scope":        {"--leases", l.leases("x"), "--scope", "239.255.0.0/16,pool=239.1.0.0/24"},
		"which no router forwards":       {"--leases", l.leases("x"), "--scope", "224.0.0.0/24"},
		"has 239.255.255.254, the group": {"--leases", l.leases("x"), "--scope", "239.255.0.0/16,pool=239.255.0.0/16"},
	} {
		if r := serve(args...); r.code != 1 || !strings.Contains(r.out, what) {
			t.Errorf("%v: %+v, want %q", args, r, what)
		}
	}
}

func (l *leasing) testIPv6(t *testing.T) {
	for _, host := range []string{"a", "c1"} {
		address := map[string]string{"a": "fd00:77::1/64", "c1": "fd00:77::c1/64"}[host]
		if out, err := l.Node(host).Exec(t.Context(), "ip", "addr", "replace", address, "dev", "eth0", "nodad").CombinedOutput(); err != nil {
			t.Fatalf("ip: %v\n%s", err, out)
		}
	}
	l.start(t, "a", "six")
	lease := l.lease(t, "six-lease", "--ipv6", "--count", "3")
	if lease.Addresses() != 3 || !strings.HasPrefix(lease.Ranges[0].First.String(), "ff15::") || lease.Server != netip.MustParseAddr("fd00:77::1") {
		t.Errorf("lease %+v", lease)
	}
	if r := l.run(t, "release", filepath.Join(l.dir, "six-lease")); r.code != 0 {
		t.Errorf("release: %+v", r)
	}
}
