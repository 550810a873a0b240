package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/lab/load"
)

const killTimes = 10

func killRow() row {
	return row{"kill", "kill -9 of an agent alone", `The agent of a, b and c in turn is killed under 500 new connections a second, 900 ms for each; its host, kernel and
web application live. Its guard process takes the lease and tells the others. *excluded* is when the last of the others uses a
view without it, by the time of the event; *last failed* is when the last new connection began that failed.`, runKill}
}

// kills is what kills did.
type kills struct {
	told, excluded, failed []time.Duration
	failures               []int
}

func runKill(ctx context.Context, b *bench) (figures []figure, err error) {
	f, err := serving(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	stop, err := f.newConnections(ctx, usualRate, load.DefaultTimeout)
	if err != nil {
		return nil, err
	}
	var k kills
	for i := range b.times(killTimes) {
		if err := k.once(ctx, b, f, f.names()[i%hosts]); err != nil {
			return nil, err
		}
	}
	return []figure{
		milliseconds("excluded", k.excluded).most(100),
		milliseconds("last failed", k.failed).most(100),
		milliseconds("the first of the others told", k.told),
		counts("failed connections", k.failures...),
	}, stop()
}

func (k *kills) once(ctx context.Context, b *bench, f *farm, victim string) error {
	m, err := f.mark(ctx, f.others(victim))
	if err != nil {
		return err
	}
	at, err := f.Host(victim).Kill()
	if err != nil {
		return err
	}
	if err := pause(ctx, lookAfter); err != nil {
		return err
	}
	slow := f.clients.slow(at.Add(-load.DefaultTimeout), at.Add(lookAfter))
	events, err := f.since(ctx, m)
	if err != nil {
		return err
	}
	told, excluded, err := exclusion(events, victim, at)
	if err != nil {
		return err
	}
	b.say("kill %s: told after %v, excluded after %v, last failed %v (%d)", victim, told.Round(time.Millisecond/10),
		excluded.Round(time.Millisecond/10), last(slow, at).Round(time.Millisecond), len(slow))
	k.told, k.excluded = append(k.told, told), append(k.excluded, excluded)
	k.failed, k.failures = append(k.failed, last(slow, at)), append(k.failures, len(slow))
	if err := f.Host(victim).Start(); err != nil {
		return err
	}
	return f.ready(ctx)
}

// exclusion reads from the others' events when the first of them was told that a host had gone, and when the last used a view
// without it.
func exclusion(events map[string][]api.Event, victim string, at time.Time) (told, excluded time.Duration, err error) {
	told = time.Hour
	for host, list := range events {
		gone, done := false, false
		for _, e := range list {
			switch {
			case (e.Kind == "host_left" || e.Kind == "host_silent") && e.Host == victim && !gone:
				gone, told = true, min(told, e.At.Sub(at))
			case e.Kind == "view_installed" && gone && !done:
				done, excluded = true, max(excluded, e.At.Sub(at))
			}
		}
		if !done {
			return 0, 0, fmt.Errorf("%s never used a view without %s", host, victim)
		}
	}
	return told, excluded, nil
}
