package api

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func listenIn(t *testing.T, dir string) *Server {
	t.Helper()
	s, err := Listen(dir, "v1", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "muster")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestSocketIsForItsOwnerOnly(t *testing.T) {
	dir := filepath.Join(shortDir(t), "made", "by", "listen")
	listenIn(t, dir)
	info, err := os.Stat(SocketPath(dir))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("mode %v, want a socket with 0600", info.Mode())
	}
}

func TestASecondAgentIsRefused(t *testing.T) {
	dir := shortDir(t)
	first := listenIn(t, dir)
	_, err := Listen(dir, "v1", slog.New(slog.DiscardHandler))
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "--run-dir") {
		t.Errorf("got %v, want ErrInUse with a remedy", err)
	}
	conn, err := net.Dial("unix", SocketPath(dir))
	if err != nil {
		t.Fatalf("the first agent was disturbed: %v", err)
	}
	conn.Close()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	listenIn(t, dir)
}

func TestAStaleSocketIsReplaced(t *testing.T) {
	tests := []struct {
		name string
		make func(t *testing.T, path string)
	}{
		{"of a killed agent", func(t *testing.T, path string) { leaveSocket(t, path) }},
		{"of one killed while it started", func(t *testing.T, path string) { leaveSocket(t, path+".new") }},
		{"that is a plain file", func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte("junk"), 0o644); err != nil {
				t.Fatal(err)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := shortDir(t)
			tt.make(t, SocketPath(dir))
			if err := os.WriteFile(filepath.Join(dir, lockName), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			listenIn(t, dir)
			conn, err := net.Dial("unix", SocketPath(dir))
			if err != nil {
				t.Fatal(err)
			}
			conn.Close()
		})
	}
}

// leaveSocket makes a socket that nobody listens on, as a kill leaves it.
func leaveSocket(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
}

func TestCloseLeavesNothing(t *testing.T) {
	dir := shortDir(t)
	s := listenIn(t, dir)
	for range 2 { // twice does no harm
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left in the run directory: %v, %v", left, err)
	}
}

func TestALongRunDirectoryIsExplained(t *testing.T) {
	dir := filepath.Join(shortDir(t), strings.Repeat("x", maxSocketPath))
	_, err := Listen(dir, "v1", slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "choose a shorter one") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the directory was made all the same")
	}
}

func TestALockWhoseFileWasReplacedDoesNotCount(t *testing.T) {
	path := filepath.Join(shortDir(t), lockName)
	old, err := lockFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if stillNamed(old, path) {
		t.Error("a removed file still counts")
	}
	fresh, err := lockFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Close()
	if stillNamed(old, path) || !stillNamed(fresh, path) {
		t.Error("the name stands for the wrong file")
	}
}

func TestBoundedListenerHoldsTheRestBack(t *testing.T) {
	inner, err := net.Listen("unix", filepath.Join(shortDir(t), "s"))
	if err != nil {
		t.Fatal(err)
	}
	l := newBounded(inner, 2)
	defer l.Close()
	accepted := make(chan net.Conn)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				close(accepted)
				return
			}
			accepted <- c
		}
	}()
	for range 3 {
		c, err := net.Dial("unix", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	first := <-accepted
	<-accepted
	if len(l.free) != 2 {
		t.Fatalf("%d places taken, want 2", len(l.free))
	}
	select {
	case <-accepted:
		t.Fatal("a third connection was accepted")
	case <-time.After(20 * time.Millisecond):
	}
	first.Close()
	first.Close() // gives its place back once
	<-accepted
	l.Close()
	if _, open := <-accepted; open {
		t.Error("accepts after Close")
	}
}

func TestServeEndsWithItsContextAndKeepsTheSocket(t *testing.T) {
	dir := shortDir(t)
	s := listenIn(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Serve(ctx, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(SocketPath(dir)); err != nil {
		t.Errorf("the socket went before Close: %v", err)
	}
}
