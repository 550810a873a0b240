package agent_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/lab"
)

// systemd is the socket that a service manager listens on.
type systemd struct {
	conn *net.UnixConn
	path string
}

func newSystemd(t *testing.T, l *lab.Lab) *systemd {
	t.Helper()
	s := &systemd{path: filepath.Join(l.Dir(), "notify")}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: s.path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	s.conn = conn
	return s
}

// hear waits for a message, at most for the time given, and tells when it came.
func (s *systemd) hear(t *testing.T, limit time.Duration) (string, time.Time) {
	t.Helper()
	if err := s.conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 1024)
	n, err := s.conn.Read(buffer)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return "", time.Time{}
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(buffer[:n]), time.Now()
}

// run starts a host's agent as a service manager does.
func (s *systemd) run(t *testing.T, l *lab.Lab, h *lab.Host, config string) {
	t.Helper()
	_, err := h.Spawn("agent", "env", "NOTIFY_SOCKET="+s.path, l.Binary(), "run", "-c", config, "--host", h.Name(),
		"--run-dir", h.RunDir(), "--state-dir", h.StateDir())
	if err != nil {
		t.Fatal(err)
	}
}

func TestReadyOnlyInAViewWithTheFilterArmed(t *testing.T) {
	l := machines(t, lab.Options{Hosts: 3, Clients: 1})
	for _, name := range []string{"a", "b"} {
		if err := l.Host(name).Start(); err != nil {
			t.Fatal(err)
		}
	}
	members(t, l.Host("a"), "a", "b")
	manager, c := newSystemd(t, l), l.Host("c")

	// With another file it runs, and answers, and is in no view.
	text, err := os.ReadFile(l.ConfigPath())
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(l.Dir(), "other.yaml")
	if err := os.WriteFile(other, []byte(strings.Replace(string(text), "affinity: none", "affinity: client", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	manager.run(t, l, c, other)
	if said, _ := manager.hear(t, 2*time.Second); said != "" {
		t.Fatalf("host c says %q in view %d", said, status(t, c).Epoch)
	}
	if s := status(t, c); s.Epoch != 0 || s.Filter.Armed {
		t.Errorf("c is in view %d, armed %v; this test wants it outside", s.Epoch, s.Filter.Armed)
	}

	// With the right one it joins, and then says so.
	if err := os.WriteFile(other, text, 0o644); err != nil {
		t.Fatal(err)
	}
	hangUp(t, l, "c")
	said, at := manager.hear(t, patience)
	if said != "READY=1" {
		t.Fatalf("host c says %q, want READY=1", said)
	}
	installed := events(t, c, "view_installed")
	if len(installed) == 0 || installed[0].At.After(at) {
		t.Errorf("ready at %v, views installed: %+v", at, installed)
	}
	if s := status(t, c); s.Epoch == 0 || !s.Filter.Armed {
		t.Errorf("ready in view %d, filter armed %v", s.Epoch, s.Filter.Armed)
	}

	agent, err := c.Agent()
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if said, _ := manager.hear(t, patience); said != "STOPPING=1" {
		t.Errorf("host c says %q at its end, want STOPPING=1 and ready only once", said)
	}
}
