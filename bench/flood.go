package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/filter"
	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/internal/lab/syn"
)

const (
	floodFor       = 20 * time.Second
	floodPort      = 7 // the echo's: its listener is flooded, and greets whoever ends a handshake
	floodConns     = 1000
	floodStrangers = 100
	floodPatience  = 10 * time.Second
)

func floodRow() row {
	return row{"flood", "A SYN flood at the VIP", `One client sends SYNs from random sources to a port of the VIP, as many as it can, for 20 s, while 1,000 connections to
that port exchange data, 5 blocks a second each. After 10 s strangers have 100 handshakes half done with a host that is not the director, by
syncookies; this host is drained; then they finish. The kernel's cookies are the same on all hosts of a lab, so they are turned off on the others: only the drained
host can take them. A view change is any but the drain's; all hosts and the client share the machine.`, runFlood}
}

// flooded is what one flood came to.
type flooded struct {
	sent      uint64
	cookies   int // handshakes that the drained host took by their cookies
	finished  int
	views     int // installed before the drain, by all hosts
	silent    int // hosts taken for silent, by all hosts
	broken    int
	opened    int
	elsewhere time.Duration // longest wait for an answer on a connection that was there
}

func runFlood(ctx context.Context, b *bench) (figures []figure, err error) {
	f, err := serving(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	from := time.Now()
	stop, err := f.establishedConnections(ctx, floodConns, surviveInterval)
	if err != nil {
		return nil, err
	}
	if err := pause(ctx, surviveLook); err != nil {
		return nil, err
	}
	r, err := f.flood(ctx)
	if err != nil {
		return nil, err
	}
	if err := stop(); err != nil {
		return nil, err
	}
	t := tally(f.clients.between(from, time.Now()))
	r.broken, r.opened, r.elsewhere = t.broken+t.wrong, t.opened, t.stall
	return r.figures(), nil
}

// flood makes the flood, and the drain in its middle.
func (f *farm) flood(ctx context.Context) (r flooded, err error) {
	leaver, err := f.prepareFlood(ctx)
	if err != nil {
		return r, err
	}
	o, err := f.aim()
	if err != nil {
		return r, err
	}
	before, err := f.mark(ctx, f.names())
	if err != nil {
		return r, err
	}
	limited, cancel := context.WithTimeout(ctx, floodFor)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		var err error
		r.sent, err = syn.Flood(limited, f.Client(1), o)
		ended <- err
	}()
	moveErr := f.moveUnderFlood(ctx, leaver, o, before, &r)
	if moveErr != nil {
		cancel()
	}
	if err := errors.Join(moveErr, <-ended); err != nil {
		return r, err
	}
	events, err := f.since(ctx, before)
	r.silent = count(events, "host_silent") + count(events, "link_down")
	return r, err
}

// prepareFlood gives the hosts a way back to strangers, and names the host that will be drained.
func (f *farm) prepareFlood(ctx context.Context) (leaver string, err error) {
	director, err := f.director(ctx)
	if err != nil {
		return "", err
	}
	leaver = f.others(director)[0]
	for _, name := range f.others(leaver) {
		err := f.Host(name).Do(func() error { return os.WriteFile("/proc/sys/net/ipv4/tcp_syncookies", []byte("0"), 0o644) })
		if err != nil {
			return "", fmt.Errorf("turn cookies of %s off: %w", name, err)
		}
	}
	return leaver, syn.ReturnPath(f.Lab)
}

// aim finds where the client sends what is for the VIP.
func (f *farm) aim() (o syn.Options, err error) {
	o.Target = netip.AddrPortFrom(lab.VIP().Addr(), floodPort)
	err = f.Client(1).Do(func() error {
		card, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		known, err := netlink.NeighList(card.Index, netlink.FAMILY_V4)
		for _, n := range known {
			if n.IP.Equal(lab.VIP().Addr().AsSlice()) {
				o.To = n.HardwareAddr
			}
		}
		return err
	})
	if err == nil && o.To == nil {
		err = errors.New("the client has connections to the VIP and does not know its MAC")
	}
	return o, err
}

// moveUnderFlood has strangers begin handshakes with a host, drains it, and has them finish.
func (f *farm) moveUnderFlood(ctx context.Context, leaver string, o syn.Options, before marks, r *flooded) error {
	if err := pause(ctx, floodFor/2); err != nil {
		return err
	}
	events, err := f.since(ctx, before)
	if err != nil {
		return err
	}
	r.views = count(events, "view_installed")
	ports, err := f.strangers(ctx, leaver)
	if err != nil {
		return err
	}
	caller, err := syn.NewCaller(f.Client(1), o.To, o.Target)
	if err != nil {
		return err
	}
	defer caller.Close()
	calls, err := caller.Begin(floodPatience, ports...)
	if err != nil {
		return err
	}
	if _, err := f.Host(leaver).Muster(ctx, "host", "drain", leaver); err != nil {
		return err
	}
	for _, c := range calls {
		if c.Finish(floodPatience) == nil {
			r.finished++
		}
	}
	r.cookies, err = f.counter(ctx, []string{leaver}, filter.AcceptCookie.String())
	return err
}

// strangers lists ports from which a stranger's connections begin at a host.
func (f *farm) strangers(ctx context.Context, host string) (ports []uint16, err error) {
	for port := uint16(20000); len(ports) < floodStrangers; port++ {
		e, err := f.agents[host].Explain(ctx, api.ExplainRequest{VIP: lab.VIP().Addr().String(), VIPPort: floodPort, Client: syn.CallerAddress(), Port: port})
		if err != nil {
			return nil, err
		}
		if e.Owner == host {
			ports = append(ports, port)
		}
	}
	return ports, nil
}

func (r flooded) figures() []figure {
	return []figure{
		newFigure("SYNs", "1,000/s", float64(r.sent)/floodFor.Seconds()/1000),
		counts("view changes", r.views).most(0),
		counts("hosts taken for silent", r.silent).most(0),
		counts("connections broken", r.broken).most(0),
		counts("connections", r.opened),
		milliseconds("longest wait for an answer", []time.Duration{r.elsewhere}),
		counts("handshakes lost by the move", floodStrangers-r.finished).most(0),
		counts("of them taken by a cookie of the drained host", r.cookies),
	}
}
