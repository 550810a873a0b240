package agent_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/internal/lab/load"
)

// generation builds the program of another release: one that speaks other versions of heartbeats.
func generation(t *testing.T, tag string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), tag)
	if out, err := exec.Command("go", "build", "-tags", tag, "-o", binary, "github.com/muster-ha/muster/cmd/muster").CombinedOutput(); err != nil {
		t.Fatalf("build with %s: %v\n%s", tag, err, out)
	}
	return binary
}

// upgradeCommands are what docs/upgrade.md tells to type on each host.
func upgradeCommands(t *testing.T) []string {
	t.Helper()
	page, err := os.ReadFile("../../docs/upgrade.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```sh\n")
	block, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("docs/upgrade.md has no commands")
	}
	var commands []string
	for line := range strings.Lines(block) {
		command, _, _ := strings.Cut(line, "#")
		commands = append(commands, strings.TrimSpace(command))
	}
	return commands
}

// replace does on a host what the page says; installing and the service manager are played by the lab.
func replace(t *testing.T, l *lab.Lab, commands []string, host, binary string) {
	t.Helper()
	h := l.Host(host)
	for _, command := range commands {
		fields := strings.Fields(command)
		switch {
		case fields[0] == "install":
		case command == "systemctl start muster":
			awaitEnd(t, h) // as the service manager does: `muster stop` ends a moment before the process
			if err := h.StartBuild(binary); err != nil {
				t.Fatal(err)
			}
			ready(t, l)
		case command == "muster status":
			says(t, h, "No problem known") // heartbeats that were lost at the start count for a few seconds
		case fields[0] == "muster":
			muster(t, h, fields[1:]...)
		default:
			t.Fatalf("docs/upgrade.md says %q, which this test cannot do", command)
		}
	}
}

// awaitEnd waits until a host's agent, which was told to stop, has ended.
func awaitEnd(t *testing.T, h *lab.Host) {
	t.Helper()
	agent, err := h.Agent()
	if errors.Is(err, lab.ErrNotRunning) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := agent.Wait(ctx); err != nil {
		t.Fatal(err)
	}
}

// unicastBecause waits until a host says that it does not use multicast because of another one.
func unicastBecause(t *testing.T, h *lab.Host, culprit string) {
	t.Helper()
	want := "heartbeats by unicast: host " + culprit + " runs a version that cannot"
	eventually(t, patience, "unicast because of "+culprit, func() error {
		if text, err := h.Muster(t.Context(), "multicast", "show"); err != nil || !strings.Contains(text, want) {
			return fmt.Errorf("%s, %w", text, err)
		}
		return nil
	})
}

// signedWith waits until the last that a host has told of its key is a text.
func signedWith(t *testing.T, h *lab.Host, want string) {
	t.Helper()
	eventually(t, patience, "heartbeats of "+h.Name()+" signed with "+want, func() error {
		told := events(t, h, "key_used")
		if len(told) == 0 || !strings.Contains(told[len(told)-1].Text, "signed with "+want) {
			return fmt.Errorf("%+v", told)
		}
		return nil
	})
}

// oneView wants every epoch to be of the same members on all hosts, and nobody to have been lost.
func oneView(t *testing.T, l *lab.Lab, since time.Time) {
	t.Helper()
	seen := map[uint64]string{}
	for _, h := range l.Hosts() {
		for _, e := range events(t, h, "view_installed") {
			if seen[e.Epoch] == "" {
				seen[e.Epoch] = e.Text
			}
			if seen[e.Epoch] != e.Text {
				t.Errorf("view %d is of %q and of %q", e.Epoch, seen[e.Epoch], e.Text)
			}
		}
		for _, e := range events(t, h, "host_silent", "put_out", "standing_aside") {
			if e.At.After(since) {
				t.Errorf("on host %s: %s %s %s", h.Name(), e.Kind, e.Host, e.Text)
			}
		}
	}
}

// TestRollingUpgrade: item 2 of the issue. Three hosts go from one release to the next and back as docs/upgrade.md says, under load: no
// request fails, nobody is lost, and multicast and its keys come with the last host and go with the first.
func TestRollingUpgrade(t *testing.T) {
	previous, commands := generation(t, "muster_previous"), upgradeCommands(t)
	l := machines(t, lab.Options{Hosts: 3, Clients: 1})
	if err := l.StartWeb(); err != nil {
		t.Fatal(err)
	}
	for _, h := range l.Hosts() {
		if err := h.StartBuild(previous); err != nil {
			t.Fatal(err)
		}
	}
	ready(t, l)
	begun := time.Now()
	unicastBecause(t, l.Host("a"), "a")
	c := requests(t, l, 500)
	for i, host := range []string{"a", "b", "c"} {
		replace(t, l, commands, host, l.Binary())
		if i < 2 {
			unicastBecause(t, l.Host("a"), []string{"b", "c"}[i])
		}
		c.flow(t, load.Request, 300)
	}
	by(t, l.Host("b"), "multicast when all are upgraded", "239.255.", true, 2, 2, 2)
	signedWith(t, l.Host("b"), "key ")
	if s := status(t, l.Host("a")); s.Language.Version != 2 || !slices.Equal(spoken(s), []string{"1-2", "1-2", "1-2"}) {
		t.Errorf("after the upgrade: version %d, hosts speak %v", s.Language.Version, spoken(s))
	}
	for i, host := range []string{"c", "a", "b"} {
		replace(t, l, commands, host, previous)
		if i == 0 {
			unicastBecause(t, l.Host("a"), "c")
			signedWith(t, l.Host("b"), "the cluster's secret: host c has a version that knows of no others")
		}
		c.flow(t, load.Request, 300)
	}
	oneView(t, l, begun)
	if lost := failed(c.stop(t)); len(lost) > 0 {
		t.Errorf("%d requests failed: %+v", len(lost), lost[:min(len(lost), 5)])
	}
}

// spoken is the range of versions of each host.
func spoken(s api.Status) []string {
	var list []string
	for _, h := range s.Hosts {
		if h.Speaks == nil {
			list = append(list, "")
			continue
		}
		list = append(list, fmt.Sprintf("%d-%d", h.Speaks.Lowest, h.Speaks.Highest))
	}
	return list
}

// TestReleasesTooFarApart: a host of the release after the next starts among hosts of the old one. It stands aside and changes nothing;
// both sides say who has to be upgraded; when that is done it joins.
func TestReleasesTooFarApart(t *testing.T) {
	previous, next := generation(t, "muster_previous"), generation(t, "muster_next")
	l := machines(t, lab.Options{Hosts: 2, Clients: 1})
	if err := l.StartWeb(); err != nil {
		t.Fatal(err)
	}
	a, b := l.Host("a"), l.Host("b")
	if err := a.StartBuild(previous); err != nil {
		t.Fatal(err)
	}
	epoch := members(t, a, "a")
	if err := b.StartBuild(next); err != nil {
		t.Fatal(err)
	}
	for _, h := range []*lab.Host{a, b} {
		eventually(t, patience, h.Name()+" says who has to be upgraded", func() error {
			text, err := h.Muster(t.Context(), "status")
			if err != nil || !strings.Contains(text, "do: upgrade host a first") {
				return fmt.Errorf("%s, %w", text, err)
			}
			return nil
		})
		eventually(t, patience, h.Name()+" counts what it refuses", func() error {
			s, err := ask(h)
			if err != nil || s.Datagrams.Refused["version"] < 20 {
				return fmt.Errorf("%+v, %w", s.Datagrams, err)
			}
			return nil
		})
	}
	members(t, b, "b") // it has founded a view of its own by now, and serves nobody in it
	if s := status(t, b); s.Filter.Armed {
		t.Error("b accepts connections beside a")
	}
	if s := status(t, a); s.Epoch != epoch || !s.Filter.Armed {
		t.Errorf("a is in view %d, armed %v; before b came in %d", s.Epoch, s.Filter.Armed, epoch)
	}
	if name, err := greeting(l, 0, target(7)); err != nil || name != "a" {
		t.Errorf("served by %q, %v", name, err)
	}
	stop(t, a)
	if err := a.StartBuild(l.Binary()); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
}
