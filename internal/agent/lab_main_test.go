package agent_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/lab"
)

const (
	// binaryEnv hands the program that TestMain has built to the tests.
	binaryEnv = "AGENT_TEST_MUSTER"
	// patience is for what takes a second at most on an idle machine.
	patience = 20 * time.Second
	poll     = 20 * time.Millisecond
)

func TestMain(m *testing.M) { os.Exit(built(m)) }

// built makes the program that the hosts run, once, and runs the tests.
func built(m *testing.M) int {
	dir, err := os.MkdirTemp("", "agent-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "muster")
	if out, err := exec.Command("go", "build", "-o", binary, "github.com/muster-ha/muster/cmd/muster").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build muster: %v\n%s", err, out)
		return 1
	}
	os.Setenv(binaryEnv, binary)
	return m.Run()
}

// machines builds a lab in which nothing runs yet.
func machines(t *testing.T, o lab.Options) *lab.Lab {
	t.Helper()
	o.Binary = os.Getenv(binaryEnv)
	l, err := lab.Up(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			tellLogs(t, l)
		}
		if err := l.Down(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// tellLogs shows the end of each agent's log, and keeps no test from ending.
func tellLogs(t *testing.T, l *lab.Lab) {
	const most = 6000
	for _, h := range l.Hosts() {
		text, err := os.ReadFile(h.LogPath("agent"))
		if err != nil {
			continue
		}
		t.Logf("log of host %s:\n%s", h.Name(), text[max(0, len(text)-most):])
	}
}

// farm is three hosts that serve, with a web application and an echo on each, and a client.
func farm(t *testing.T, config string) *lab.Lab {
	t.Helper()
	l := machines(t, lab.Options{Hosts: 3, Clients: 1, Config: config})
	if err := l.StartWeb(); err != nil {
		t.Fatal(err)
	}
	if err := l.StartAll(); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
	return l
}

// ready waits until these hosts, or all, serve in one view, and gives its epoch.
func ready(t *testing.T, l *lab.Lab, hosts ...string) uint64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	epoch, err := l.WaitReady(ctx, hosts...)
	if err != nil {
		t.Fatal(err)
	}
	return epoch
}

// start starts a host's agent and waits until all hosts serve.
func start(t *testing.T, l *lab.Lab, host string) {
	t.Helper()
	if err := l.Host(host).Start(); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
}

// eventually waits until there is no problem any more.
func eventually(t *testing.T, limit time.Duration, what string, problem func() error) {
	t.Helper()
	for deadline := time.Now().Add(limit); ; time.Sleep(poll) {
		err := problem()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v: %v", what, limit, err)
		}
	}
}

// ask is the state of the cluster by a host's own agent.
func ask(h *lab.Host) (api.Status, error) {
	client := api.New(h.RunDir())
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return client.Status(ctx)
}

func status(t *testing.T, h *lab.Host) api.Status {
	t.Helper()
	s, err := ask(h)
	if err != nil {
		t.Fatalf("status of host %s: %v", h.Name(), err)
	}
	return s
}

// events lists a host's events of some kinds, or all.
func events(t *testing.T, h *lab.Host, kinds ...string) []api.Event {
	t.Helper()
	client := api.New(h.RunDir())
	defer client.Close()
	page, err := client.Events(t.Context(), 0)
	if err != nil {
		t.Fatalf("events of host %s: %v", h.Name(), err)
	}
	return slices.DeleteFunc(page.Events, func(e api.Event) bool { return len(kinds) > 0 && !slices.Contains(kinds, e.Kind) })
}

// muster runs a command on a host, which must succeed.
func muster(t *testing.T, h *lab.Host, args ...string) string {
	t.Helper()
	out, err := h.Muster(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// hostIn finds a host in a status.
func hostIn(s api.Status, name string) api.HostStatus {
	i := slices.IndexFunc(s.Hosts, func(h api.HostStatus) bool { return h.Name == name })
	if i < 0 {
		return api.HostStatus{}
	}
	return s.Hosts[i]
}

// members waits until a host is in a view of exactly these hosts, with everything handed over, and gives its epoch.
func members(t *testing.T, h *lab.Host, want ...string) uint64 {
	t.Helper()
	var epoch uint64
	eventually(t, patience, "host "+h.Name()+" in a view of "+fmt.Sprint(want), func() error {
		s, err := ask(h)
		if err != nil {
			return err
		}
		if !slices.Equal(s.View.Members, want) {
			return fmt.Errorf("it is in view %d of %v", s.Epoch, s.View.Members)
		}
		epoch = s.Epoch
		if !slices.ContainsFunc(events(t, h, "view_installed"), func(e api.Event) bool { return e.Epoch == epoch }) {
			return fmt.Errorf("view %d is not installed yet", epoch)
		}
		return nil
	})
	return epoch
}
