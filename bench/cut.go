package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/muster-ha/muster/internal/lab/load"
)

const (
	cutTimes        = 10
	keepalivedTimes = 6
	// lookAfter is how long to look at a fault: until attempts that began a second after it have timed out.
	lookAfter = 2 * time.Second
)

func cutRow() row {
	return row{"cut", "Power cut of one of three hosts", `The link of a host goes down and everything on it is killed, a, b and c in turn, while a client opens 500 new
connections a second, 900 ms for each (a lost SYN is sent again after a second, so it fails). *last failed* is how long after the
cut the last connection began that failed. Each failed connection is put down to the host that owned its bucket at the
cut. Those of other hosts may fail only when the host that is cut was the director; they are counted apart.

keepalived is measured in the same run, on the same lab, client and load: VRRP version 3, adverts every 100 ms, one master and two
backups, each with the web application, the master cut. All connections fail until a backup takes over; with Muster a third do.`, runCut}
}

// cuts is what power cuts did.
type cuts struct {
	director, bystander []time.Duration // last failed connection; the director was cut, or another host
	own, strangers      []int           // failed connections of the share of the host that was cut, and of others' shares
	cross               []time.Duration // director cut: last failed connection of others' shares
	strangersLive       []int           // the same as strangers, when the director lives
	attempts            int
}

func runCut(ctx context.Context, b *bench) (figures []figure, err error) {
	var c cuts
	if err := c.measure(ctx, b); err != nil {
		return nil, err
	}
	vrrp, err := runKeepalived(ctx, b)
	if err != nil {
		return nil, fmt.Errorf("keepalived: %w", err)
	}
	all := append(append([]time.Duration{}, c.director...), c.bystander...)
	figures = []figure{
		milliseconds("last failed", all).median(380).most(450),
		milliseconds("last failed, the director cut", c.director),
		milliseconds("last failed, another host cut", c.bystander),
		counts("failed connections of the cut host's share", c.own...),
		counts("failed connections of other shares, another host than the director cut", c.strangersLive...).most(0),
		counts("failed connections of other shares, the director cut", c.strangers...),
		milliseconds("last failed of other shares, the director cut", c.cross),
	}
	return append(figures, vrrp...), nil
}

func (c *cuts) measure(ctx context.Context, b *bench) (err error) {
	f, err := serving(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	stop, err := f.newConnections(ctx, usualRate, load.DefaultTimeout)
	if err != nil {
		return err
	}
	for i := range b.times(cutTimes) {
		if err := c.once(ctx, b, f, f.names()[i%hosts]); err != nil {
			return err
		}
	}
	return stop()
}

func (c *cuts) once(ctx context.Context, b *bench, f *farm, victim string) error {
	director, err := f.director(ctx)
	if err != nil {
		return err
	}
	at, err := f.Host(victim).PowerCut()
	if err != nil {
		return err
	}
	if err := pause(ctx, lookAfter); err != nil {
		return err
	}
	failed := f.clients.slow(at.Add(-load.DefaultTimeout), at.Add(lookAfter))
	if err := f.Host(victim).PowerOn(); err != nil {
		return err
	}
	if err := f.ready(ctx); err != nil {
		return err
	}
	own, strange, err := f.split(ctx, failed, victim) // the view is the one from before again, and so are the owners
	if err != nil {
		return err
	}
	if len(own) == 0 {
		return fmt.Errorf("cut %s: no connection of its share failed: the cut did not happen", victim)
	}
	c.own = append(c.own, len(own))
	b.say("cut %s (director %s): last failed %v; %d of its share, %d of others until %v", victim, director,
		last(failed, at).Round(time.Millisecond), len(own), len(strange), last(strange, at).Round(time.Millisecond))
	if victim == director {
		c.director = append(c.director, last(failed, at))
		c.strangers = append(c.strangers, len(strange))
		c.cross = append(c.cross, last(strange, at))
		return nil
	}
	c.bystander = append(c.bystander, last(failed, at))
	c.strangersLive = append(c.strangersLive, len(strange))
	return nil
}

// split tells the requests of one host's share from those of others.
func (f *farm) split(ctx context.Context, requests []seen, host string) (own, others []seen, err error) {
	for _, r := range requests {
		if r.Class == load.Overrun || r.Port == 0 {
			return nil, nil, fmt.Errorf("the client did not keep up: %v", r.Record)
		}
		owner, err := f.owner(ctx, r.Port)
		if err != nil {
			return nil, nil, err
		}
		if owner == host {
			own = append(own, r)
		} else {
			others = append(others, r)
		}
	}
	return own, others, nil
}
