package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/internal/lab/load"
)

const (
	hosts         = 3
	readyPatience = 30 * time.Second
	settle        = time.Second // between being ready and the next fault: what the last one left behind is over
	usualRate     = 500         // new connections a second
)

// farm is a lab with the web application on every host.
type farm struct {
	*lab.Lab
	clients *clients
	agents  map[string]*api.Client
}

// newFarm builds hosts without agents. The caller closes it.
func newFarm(ctx context.Context) (*farm, error) {
	l, err := lab.Up(ctx, lab.Options{Hosts: hosts, Clients: 1, Binary: binary})
	if err != nil {
		return nil, err
	}
	f := &farm{Lab: l, clients: &clients{}, agents: make(map[string]*api.Client)}
	for _, h := range l.Hosts() {
		f.agents[h.Name()] = api.New(h.RunDir())
	}
	// A minute of 500 connections a second leaves 30,000 ports in TIME_WAIT, more than the usual range has.
	err = l.Client(1).Do(func() error {
		return os.WriteFile("/proc/sys/net/ipv4/ip_local_port_range", []byte("1024 65535"), 0o644)
	})
	if err == nil {
		err = l.StartWeb()
	}
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

// serving builds hosts with agents and waits until they serve.
func serving(ctx context.Context) (*farm, error) {
	f, err := newFarm(ctx)
	if err != nil {
		return nil, err
	}
	if err := f.StartAll(); err != nil {
		return nil, errors.Join(err, f.close())
	}
	if err := f.ready(ctx); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

func (f *farm) close() error {
	for _, a := range f.agents {
		a.Close()
	}
	return f.Down()
}

// ready waits until these hosts serve, all if none is named, and a moment longer.
func (f *farm) ready(ctx context.Context, names ...string) error {
	limited, cancel := context.WithTimeout(ctx, readyPatience)
	defer cancel()
	if _, err := f.WaitReady(limited, names...); err != nil {
		return err
	}
	return pause(ctx, settle)
}

// pause waits, unless the context ends before.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// director is the host that answers for the address.
func (f *farm) director(ctx context.Context) (string, error) {
	s, err := f.agents["a"].Status(ctx)
	if err != nil {
		return "", err
	}
	return s.VIPs[0].Director, nil
}

// owner is the host that a client's new connection from a port goes to, in the view of now.
func (f *farm) owner(ctx context.Context, port uint16) (string, error) {
	e, err := f.agents["a"].Explain(ctx, api.ExplainRequest{VIP: lab.VIP().Addr().String(), VIPPort: 80, Client: f.Client(1).Address(), Port: port})
	return e.Owner, err
}

// marks are the newest events of agents; since them is later.
type marks map[string]uint64

func (f *farm) mark(ctx context.Context, names []string) (marks, error) {
	m := make(marks)
	for _, name := range names {
		page, err := f.agents[name].Events(ctx, 0)
		if err != nil {
			return nil, fmt.Errorf("events of %s: %w", name, err)
		}
		m[name] = page.Newest
	}
	return m, nil
}

// since gives the events of each host after its mark.
func (f *farm) since(ctx context.Context, m marks) (map[string][]api.Event, error) {
	all := make(map[string][]api.Event)
	for name, id := range m {
		page, err := f.agents[name].Events(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("events of %s: %w", name, err)
		}
		if page.Missed > 0 {
			return nil, fmt.Errorf("events of %s: %d are not kept any more", name, page.Missed)
		}
		all[name] = page.Events
	}
	return all, nil
}

// count counts the events of a kind on all hosts.
func count(events map[string][]api.Event, kind string) int {
	n := 0
	for _, list := range events {
		for _, e := range list {
			if e.Kind == kind {
				n++
			}
		}
	}
	return n
}

// counter adds up a counter of the filters of some hosts.
func (f *farm) counter(ctx context.Context, names []string, counter string) (int, error) {
	sum := 0
	for _, name := range names {
		s, err := f.agents[name].Status(ctx)
		if err != nil {
			return 0, fmt.Errorf("status of %s: %w", name, err)
		}
		sum += int(s.Filter.Counters[counter])
	}
	return sum, nil
}

func (f *farm) names() []string {
	var names []string
	for _, h := range f.Hosts() {
		names = append(names, h.Name())
	}
	return names
}

func (f *farm) others(than string) []string {
	return slices.DeleteFunc(f.names(), func(name string) bool { return name == than })
}

// newConnections loads the web application with a connection for each request, and returns when the load runs.
func (f *farm) newConnections(ctx context.Context, rate int, timeout time.Duration) (stop func() error, err error) {
	target := netip.AddrPortFrom(lab.VIP().Addr(), 80).String()
	stop, err = f.clients.start(ctx, f.Client(1), binary, "lab", "load", "http", "--target", target,
		"--rate", strconv.Itoa(rate), "--timeout", timeout.String())
	if err != nil {
		return nil, err
	}
	return stop, pause(ctx, settle)
}

// establishedConnections keeps connections to the echo server.
func (f *farm) establishedConnections(ctx context.Context, conns int, interval time.Duration) (stop func() error, err error) {
	target := netip.AddrPortFrom(lab.VIP().Addr(), 7).String()
	return f.clients.start(ctx, f.Client(1), binary, "lab", "load", "echo", "--target", target,
		"--conns", strconv.Itoa(conns), "--interval", interval.String(), "--stall", load.DefaultStall.String())
}
