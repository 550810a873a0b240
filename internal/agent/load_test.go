package agent_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/internal/lab/load"
)

// clients is a load under way on the lab's first client.
type clients struct {
	cancel context.CancelFunc
	ended  chan error

	mu      sync.Mutex
	base    time.Time // zero of the records' times
	records []load.Record
}

// echoes keeps connections to the echo of the VIP open.
func echoes(t *testing.T, l *lab.Lab, conns int) *clients {
	t.Helper()
	c := begin(t, l, "echo", "--target", target(7), "--conns", strconv.Itoa(conns))
	eventually(t, patience, "all connections open", func() error {
		if n := c.count(load.Open); n < conns {
			return fmt.Errorf("%d of %d", n, conns)
		}
		return nil
	})
	return c
}

// requests makes new connections to the web application of the VIP. An attempt may take five seconds: its client does not give up.
func requests(t *testing.T, l *lab.Lab, rate int) *clients {
	t.Helper()
	return begin(t, l, "http", "--target", target(80), "--rate", strconv.Itoa(rate), "--timeout", "5s")
}

func target(port uint16) string { return netip.AddrPortFrom(lab.VIP().Addr(), port).String() }

func begin(t *testing.T, l *lab.Lab, args ...string) *clients {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	c := &clients{cancel: cancel, ended: make(chan error, 1)}
	cmd := l.Client(1).Exec(ctx, append([]string{l.Binary(), "lab", "load"}, args...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGTERM) } // it reports what is under way
	cmd.WaitDelay = patience
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		err := load.Read(out, c.add)
		_, _ = io.Copy(io.Discard, out)
		if wait := cmd.Wait(); err == nil && ctx.Err() == nil {
			err = fmt.Errorf("load ended early: %v: %s", wait, stderr.String())
		}
		c.ended <- err
	}()
	t.Cleanup(cancel)
	return c
}

func (c *clients) add(r load.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.Kind == load.Start {
		c.base = r.Time
	}
	c.records = append(c.records, r)
}

// all is every record until now.
func (c *clients) all() []load.Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.records)
}

// at is when a record began, or when what broke did.
func (c *clients) at(r load.Record) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.base.Add(r.At)
}

func (c *clients) count(kinds ...load.Kind) int {
	n := 0
	for _, r := range c.all() {
		if slices.Contains(kinds, r.Kind) {
			n++
		}
	}
	return n
}

// stop ends the load and gives everything that it saw.
func (c *clients) stop(t *testing.T) []load.Record {
	t.Helper()
	c.cancel()
	if err := <-c.ended; err != nil {
		t.Fatal(err)
	}
	return c.all()
}

// broken lists connections that ended against our will, or carried wrong bytes, except those of some hosts.
func broken(records []load.Record, except ...string) []load.Record {
	return slices.DeleteFunc(slices.Clone(records), func(r load.Record) bool {
		return r.Kind != load.Wrong && (r.Kind != load.Broken || slices.Contains(except, r.Host))
	})
}

// failed lists requests that got no answer.
func failed(records []load.Record) []load.Record {
	return slices.DeleteFunc(slices.Clone(records), func(r load.Record) bool { return r.Kind != load.Request || r.OK })
}

// perHost counts open connections or answered requests by host.
func perHost(records []load.Record, kind load.Kind) map[string]int {
	count := map[string]int{}
	for _, r := range records {
		if r.Kind == kind && r.OK {
			count[r.Host]++
		}
	}
	return count
}

// flow waits until that many more records of a kind have come: time in which clients were at work.
func (c *clients) flow(t *testing.T, kind load.Kind, more int) {
	t.Helper()
	from := c.count(kind)
	eventually(t, patience, "clients at work", func() error {
		if n := c.count(kind) - from; n < more {
			return fmt.Errorf("%d of %d records", n, more)
		}
		return nil
	})
}

// greeting connects to the echo from a port of the client's (0: any) and gives the name of the host that answers.
func greeting(l *lab.Lab, port uint16, to string) (string, error) {
	return dial(l, port, to, 3*time.Second)
}

// greetingWithin is for a limit below the second after which a kernel sends a lost SYN again.
func greetingWithin(l *lab.Lab, limit time.Duration) (string, error) {
	return dial(l, 0, target(7), limit)
}

func dial(l *lab.Lab, port uint16, to string, limit time.Duration) (name string, err error) {
	return dialFrom(l.Client(1), port, to, limit)
}

// dialFrom connects from any client.
func dialFrom(client *lab.Node, port uint16, to string, limit time.Duration) (name string, err error) {
	own := client.Address()
	if strings.HasPrefix(to, "[") {
		own = client.Address6()
	}
	err = client.Do(func() error {
		dialer := net.Dialer{Timeout: limit, LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(own, port))}
		conn, err := dialer.Dial("tcp", to)
		if err != nil {
			return err
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
			return err
		}
		buffer := make([]byte, 64)
		n, err := conn.Read(buffer)
		name = strings.TrimSpace(string(buffer[:n]))
		return err
	})
	return name, err
}
