package agent_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/internal/lab/load"
)

// edit changes the configuration file of every host, at once as an editor does.
func edit(t *testing.T, l *lab.Lab, pairs ...string) {
	t.Helper()
	text, err := os.ReadFile(l.ConfigPath())
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(string(text), pairs[i]) {
			t.Fatalf("%q is not in the configuration", pairs[i])
		}
	}
	next := strings.NewReplacer(pairs...).Replace(string(text))
	if err := os.WriteFile(l.ConfigPath(), []byte(next), 0o644); err != nil {
		t.Fatal(err)
	}
}

// hangUp sends SIGHUP to the agents of hosts.
func hangUp(t *testing.T, l *lab.Lab, hosts ...string) {
	t.Helper()
	for _, name := range hosts {
		agent, err := l.Host(name).Agent()
		if err != nil {
			t.Fatal(err)
		}
		if err := agent.Signal(unix.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
}

// digest is the configuration in use on a host.
func digest(t *testing.T, h *lab.Host) string {
	t.Helper()
	return status(t, h).Config.Digest
}

// changedOver waits until every host uses another configuration than before, the same one.
func changedOver(t *testing.T, l *lab.Lab, before string) {
	t.Helper()
	eventually(t, patience, "all use the new configuration", func() error {
		var all []string
		for _, h := range l.Hosts() {
			s, err := ask(h)
			if err != nil {
				return err
			}
			all = append(all, s.Config.Digest)
		}
		if all[0] == before || len(slices.Compact(slices.Clone(all))) != 1 {
			return fmt.Errorf("in use: %v, before: %s", all, before)
		}
		return nil
	})
}

func TestHangUpTakesAChangeLive(t *testing.T) {
	l := farm(t, "")
	conns := echoes(t, l, 200)
	web := requests(t, l, 100)
	web.flow(t, load.Request, 50)
	for _, change := range []struct {
		name  string
		edits []string
	}{
		{"a new port", []string{"[80, 443, 7]", "[80, 443, 7, 8443]"}},
		{"another affinity", []string{"affinity: none", "affinity: client"}},
		{"affinity back", []string{"affinity: client", "affinity: none"}},
		{"a weight", []string{"address: 10.77.0.2}", "address: 10.77.0.2, weight: 2}"}},
		{"another probe", []string{"fall: 2", "fall: 3"}},
		{"a second check", []string{"check: web}", "check: [web, echo]}", "checks:\n", "checks:\n  echo: {tcp: {address: \"127.0.0.1:7\"}, interval: 300ms, timeout: 200ms}\n"}},
		{"a new VIP, first by name", []string{"vips:\n", "vips:\n  apps:\n    address: 10.77.0.101/24\n    rules:\n      - {ports: [7], protocol: tcp}\n"}},
		{"the VIP is gone again", []string{"  apps:\n    address: 10.77.0.101/24\n    rules:\n      - {ports: [7], protocol: tcp}\n", ""}},
	} {
		t.Run(change.name, func(t *testing.T) {
			before, seen := digest(t, l.Host("a")), len(web.all())
			edit(t, l, change.edits...)
			hangUp(t, l, "a", "b", "c")
			changedOver(t, l, before)
			ready(t, l)
			web.flow(t, load.Request, 150)
			slow := 0
			for _, r := range web.all()[seen:] {
				if r.Slow() {
					slow++
				}
			}
			// What moves stops for a few milliseconds; a SYN that meets that comes again after a second.
			if slow > 5 {
				t.Errorf("%d requests lost their first SYN: the change stopped new connections for long", slow)
			}
		})
	}
	if bad := failed(web.stop(t)); len(bad) > 0 {
		t.Errorf("%d requests got no answer, the first: %+v", len(bad), bad[0])
	}
	if bad := broken(conns.stop(t)); len(bad) > 0 {
		t.Errorf("%d connections broke, the first: %+v", len(bad), bad[0])
	}
}

func TestANewVIPServes(t *testing.T) {
	l := farm(t, "")
	before := digest(t, l.Host("a"))
	edit(t, l, "vips:\n", "vips:\n  apps:\n    address: 10.77.0.101/24\n    rules:\n      - {ports: [7], protocol: tcp}\n")
	hangUp(t, l, "a", "b", "c")
	changedOver(t, l, before)
	ready(t, l)
	seen := map[string]bool{}
	for range 40 {
		name, err := greeting(l, 0, "10.77.0.101:7")
		if err != nil {
			t.Fatal(err)
		}
		seen[name] = true
	}
	if len(seen) != 3 {
		t.Errorf("the new VIP is served by %v", seen)
	}
}

func TestAFileThatIsNotGoodChangesNothing(t *testing.T) {
	l := farm(t, "")
	a := l.Host("a")
	before, view := digest(t, a), status(t, a).Epoch
	for _, tt := range []struct {
		name  string
		edits []string
		want  []string
	}{
		{"unknown key", []string{"check: web", "chekc: web"}, []string{"cluster.yaml:14:", "`chekc`", "`check`"}},
		{"needs a restart", []string{"cluster: shop", "cluster: shoe"}, []string{"needs a restart of the agent", "cluster changes from shop to shoe", "muster stop"}},
		{"no interface for the VIP", []string{"delivery: directed", "delivery: directed\n    interface: eth7"}, []string{"eth7", "eth0", "interface:"}},
		{"the address is taken", []string{"vips:\n", "vips:\n  apps:\n    address: 10.77.0.102/24\n    rules:\n      - {ports: [7], protocol: tcp}\n"}, []string{"10.77.0.102", "ip address del"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			addAddress(t, a, "10.77.0.102/24")
			original, err := os.ReadFile(l.ConfigPath())
			if err != nil {
				t.Fatal(err)
			}
			edit(t, l, tt.edits...)
			hangUp(t, l, "a")
			_, err = a.Muster(t.Context(), "reload")
			if err == nil {
				t.Fatal("muster reload took it")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("muster reload says %v, without %q", err, want)
				}
				logged(t, a, want)
			}
			if s := status(t, a); s.Config.Digest != before || s.Config.Pending != "" || s.Epoch != view {
				t.Errorf("configuration %s, pending %q, view %d; want still %s, none, %d", s.Config.Digest, s.Config.Pending, s.Epoch, before, view)
			}
			if err := os.WriteFile(l.ConfigPath(), original, 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// logged wants something in a host's log.
func logged(t *testing.T, h *lab.Host, want string) {
	t.Helper()
	eventually(t, patience, "log says "+want, func() error {
		text, err := os.ReadFile(h.LogPath("agent"))
		if err == nil && !strings.Contains(string(text), want) {
			return fmt.Errorf("not yet")
		}
		return err
	})
}

func addAddress(t *testing.T, h *lab.Host, address string) {
	t.Helper()
	err := h.Do(func() error {
		eth, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		a, err := netlink.ParseAddr(address)
		if err != nil {
			return err
		}
		return netlink.AddrReplace(eth, a)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func removeAddress(t *testing.T, h *lab.Host, device, address string) {
	t.Helper()
	err := h.Do(func() error {
		link, err := netlink.LinkByName(device)
		if err != nil {
			return err
		}
		a, err := netlink.ParseAddr(address)
		if err != nil {
			return err
		}
		return netlink.AddrDel(link, a)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A change waits for the last host; the address that it brings is taken on one of them meanwhile. That host gives its share away and
// says why; it neither dies nor serves something else than the others think.
func TestAChangeThatOneHostCannotCarry(t *testing.T) {
	l := farm(t, "")
	a, b := l.Host("a"), l.Host("b")
	before := digest(t, a)
	edit(t, l, "vips:\n", "vips:\n  apps:\n    address: 10.77.0.103/24\n    rules:\n      - {ports: [7], protocol: tcp}\n")
	hangUp(t, l, "b")
	eventually(t, patience, "b waits", func() error {
		if s := status(t, b); s.Config.Pending == "" {
			return fmt.Errorf("nothing is pending")
		}
		return nil
	})
	addAddress(t, b, "10.77.0.103/24")
	hangUp(t, l, "a", "c")
	changedOver(t, l, before)
	work(t) // longer than the time between two looks at the filter
	s := status(t, b)
	if s.Filter.Armed || len(s.Problems) == 0 {
		t.Errorf("b: filter armed %v, problems %v; want it disarmed and said so", s.Filter.Armed, s.Problems)
	}
	if share := hostIn(status(t, a), "b"); share.Weight != 0 {
		t.Errorf("b has weight %d, want none", share.Weight)
	}
	for range 20 {
		name, err := greeting(l, 0, target(7))
		if err != nil || name == "b" {
			t.Fatalf("connected to %q, %v; want a or c", name, err)
		}
	}
	if !slices.ContainsFunc(s.Problems, func(p api.Problem) bool { return strings.Contains(p.What, "10.77.0.103") }) {
		t.Errorf("problems %+v do not name the address", s.Problems)
	}
	removeAddress(t, b, "eth0", "10.77.0.103/24") // the remedy that the problem names; nothing else is needed
	ready(t, l)
	mustServe(t, l, "a", "b", "c")
}

func TestADifferentFileOnOneHost(t *testing.T) {
	l := machines(t, lab.Options{Hosts: 3, Clients: 1})
	if err := l.StartWeb(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(l.ConfigPath())
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(l.Dir(), "other.yaml")
	if err := os.WriteFile(other, []byte(strings.Replace(string(text), "affinity: none", "affinity: client", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		if err := l.Host(name).Start(); err != nil {
			t.Fatal(err)
		}
	}
	c := l.Host("c")
	startWith(t, l, c, other)
	members(t, l.Host("a"), "a", "b")
	eventually(t, patience, "each host shows both digests", func() error {
		for _, h := range l.Hosts() {
			s, err := ask(h)
			if err != nil {
				return err
			}
			mine, theirs := "a", "c"
			if h == c || h.Name() == "c" {
				mine, theirs = "c", "a"
			}
			own, foreign := hostIn(s, mine), hostIn(s, theirs)
			if own.ConfigDigest == "" || foreign.ConfigDigest == "" || own.ConfigDigest == foreign.ConfigDigest {
				return fmt.Errorf("host %s shows %q and %q", h.Name(), own.ConfigDigest, foreign.ConfigDigest)
			}
			if foreign.ConfigDiffers == nil || !*foreign.ConfigDiffers {
				return fmt.Errorf("host %s does not say that they differ", h.Name())
			}
		}
		return nil
	})
	mustServe(t, l, "a", "b")
	if s := status(t, c); s.Epoch != 0 || s.State != "joining" || !strings.Contains(s.Why, "differs") {
		t.Errorf("c is %s in view %d because %q; want joining, because its configuration differs", s.State, s.Epoch, s.Why)
	}
	if out := muster(t, l.Host("a"), "status"); !strings.Contains(out, status(t, c).Config.Digest) || !strings.Contains(out, digest(t, l.Host("a"))) {
		t.Errorf("muster status on a shows not both digests:\n%s", out)
	}
	// The remedy: the same file, and SIGHUP.
	if err := os.WriteFile(other, text, 0o644); err != nil {
		t.Fatal(err)
	}
	hangUp(t, l, "c")
	ready(t, l)
	mustServe(t, l, "a", "b", "c")
}

// startWith starts a host's agent with a file of its own.
func startWith(t *testing.T, l *lab.Lab, h *lab.Host, config string) {
	t.Helper()
	if _, err := h.Spawn("agent", l.Binary(), "run", "-c", config, "--host", h.Name(), "--run-dir", h.RunDir(), "--state-dir", h.StateDir()); err != nil {
		t.Fatal(err)
	}
}
