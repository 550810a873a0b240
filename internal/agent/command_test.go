package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/lab"
)

func TestExplainAgreesWithWhereConnectionsLand(t *testing.T) {
	l := farm(t, "")
	client := l.Client(1).Address().String()
	seen := map[string]bool{}
	for i := range uint16(20) {
		port := 42000 + 37*i
		var e api.Explanation
		asked := l.Hosts()[i%3] // every host knows
		out := muster(t, asked, "explain", "web", client+":"+strconv.Itoa(int(port)), "--json")
		if err := json.Unmarshal([]byte(out), &e); err != nil {
			t.Fatal(err)
		}
		name, err := greeting(l, port, target(7))
		if err != nil || name != e.Owner {
			t.Errorf("from port %d the connection is at %q, %v; host %s explains %q: %s", port, name, err, asked.Name(), e.Owner, e.Why)
		}
		seen[name] = true
	}
	if len(seen) != 3 {
		t.Errorf("20 ports reached only %v", seen)
	}
}

func TestDrainAndResumeFromAnotherHost(t *testing.T) {
	l := farm(t, "")
	a, b, c := l.Host("a"), l.Host("b"), l.Host("c")
	muster(t, a, "host", "drain", "c")
	drained(t, b, "c")
	mustServe(t, l, "a", "b")
	if e := lastEvent(t, c, "drained"); !strings.Contains(e.Text, "host a") {
		t.Errorf("c was drained because %q, want a's order", e.Text)
	}
	muster(t, b, "host", "resume", "c")
	ready(t, l)
	mustServe(t, l, "a", "b", "c")
	if e := lastEvent(t, c, "resumed"); !strings.Contains(e.Text, "host b") {
		t.Errorf("c was resumed because %q, want b's order", e.Text)
	}
}

// exit runs a command on a host and gives its exit code and what it said on standard error.
func exit(t *testing.T, h *lab.Host, args ...string) (int, string) {
	t.Helper()
	_, err := h.Muster(t.Context(), args...)
	var failure *exec.ExitError
	switch {
	case err == nil:
		return 0, ""
	case errors.As(err, &failure):
		return failure.ExitCode(), err.Error()
	}
	t.Fatal(err)
	return 0, ""
}

func TestCommandsAgainstRunningAgents(t *testing.T) {
	l := farm(t, "")
	a := l.Host("a")
	for _, tt := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no such host", []string{"host", "drain", "z"}, 1, "the hosts are a, b, c"},
		{"no such VIP", []string{"explain", "mail", "10.77.0.201:1"}, 1, "the VIPs are web"},
		{"no rule for the port", []string{"explain", "web", "10.77.0.201:1", "--port", "22"}, 1, "dropped"},
		{"not an address", []string{"explain", "web", "somebody"}, 2, "somebody"},
		{"no such command", []string{"statsu"}, 2, "status"},
		{"no agent in that directory", []string{"status", "--run-dir", "/nowhere"}, 1, "no agent answers"},
		{"good", []string{"status", "--json"}, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if code, said := exit(t, a, tt.args...); code != tt.code || !strings.Contains(said, tt.want) {
				t.Errorf("exit code %d, %q; want %d and %q", code, said, tt.code, tt.want)
			}
		})
	}
	t.Run("status has the epoch", func(t *testing.T) {
		var s struct{ Epoch uint64 }
		if err := json.Unmarshal([]byte(muster(t, a, "status", "--json")), &s); err != nil || s.Epoch == 0 || s.Epoch != status(t, l.Host("b")).Epoch {
			t.Errorf("epoch %d, %v; b has %d", s.Epoch, err, status(t, l.Host("b")).Epoch)
		}
	})
	t.Run("events tell how it came about", func(t *testing.T) {
		var page api.EventPage
		if err := json.Unmarshal([]byte(muster(t, a, "events", "--json")), &page); err != nil {
			t.Fatal(err)
		}
		for _, kind := range []string{"host_heard", "link_up", "view_accepted", "view_installed"} {
			if !slices.ContainsFunc(page.Events, func(e api.Event) bool { return e.Kind == kind }) {
				t.Errorf("no %s among %d events", kind, len(page.Events))
			}
		}
	})
}

// On one machine, as in a lab, all agents share the file system: which one is meant is said by the run directory alone.
func TestAgentsOfOneMachineDoNotMeet(t *testing.T) {
	l := farm(t, "")
	for _, h := range l.Hosts() {
		for how, cmd := range map[string]*lab.Cmd{
			"flag":        l.Host("a").Exec(t.Context(), l.Binary(), "--run-dir", h.RunDir(), "status", "--json"),
			"environment": l.Host("a").Exec(t.Context(), "env", "MUSTER_RUN_DIR="+h.RunDir(), l.Binary(), "status", "--json"),
			"flag wins":   l.Host("a").Exec(t.Context(), "env", "MUSTER_RUN_DIR=/nowhere", l.Binary(), "--run-dir", h.RunDir(), "status", "--json"),
		} {
			out, err := cmd.Output()
			var s api.Status
			if err == nil {
				err = json.Unmarshal(out, &s)
			}
			if err != nil || s.Host != h.Name() {
				t.Errorf("run directory of %s by %s: host %q answers, %v", h.Name(), how, s.Host, err)
			}
		}
	}
}

func TestASecondAgentInOneRunDirectoryIsRefused(t *testing.T) {
	l := farm(t, "")
	b := l.Host("b")
	before := footprint(t, l, b)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err := b.Exec(ctx, l.Binary(), "run", "-c", l.ConfigPath(), "--host", "b", "--run-dir", b.RunDir(), "--state-dir", t.TempDir()).Output()
	var failure *exec.ExitError
	if !errors.As(err, &failure) || failure.ExitCode() != 1 || !strings.Contains(err.Error(), "another agent runs there") {
		t.Errorf("second agent: %v; want exit code 1 and why", err)
	}
	// In a directory of its own it meets the first one's port. What it undoes is what it has changed, and nothing of the first.
	own := t.TempDir()
	_, err = b.Exec(ctx, l.Binary(), "run", "-c", l.ConfigPath(), "--host", "b", "--run-dir", own, "--state-dir", own).Output()
	if !errors.As(err, &failure) || failure.ExitCode() != 1 || !strings.Contains(err.Error(), "3343") {
		t.Errorf("second agent for one host: %v; want exit code 1 and the port that is taken", err)
	}
	eventually(t, 5*time.Second, "host b as before", func() error {
		if now := footprint(t, l, b); now != before {
			return fmt.Errorf("before:\n%s\nafter:\n%s", before, now)
		}
		return nil
	})
	ready(t, l)
	mustServe(t, l, "a", "b", "c")
}
