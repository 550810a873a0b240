package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/internal/lab/load"
)

const (
	frozenTimes = 5
	frozenFor   = 10 * time.Second
	frozenRate  = 100
	thawLook    = 3 * time.Second
)

func frozenRow() row {
	return row{"frozen", "All hosts frozen at once", `Every process of every host, the guards and web applications included, is stopped for 10 s at once and goes on at once, under 100 new
connections a second. *full service* is when, after that, connections begun after it had been answered by every host; *last
failed* is when the last connection began that failed; *one view* is when the last view was installed.`, runFrozen}
}

func runFrozen(ctx context.Context, b *bench) (figures []figure, err error) {
	f, err := serving(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	stop, err := f.newConnections(ctx, frozenRate, load.DefaultTimeout)
	if err != nil {
		return nil, err
	}
	figures = []figure{newFigure("full service", "ms").most(1000), newFigure("one view", "ms").most(1000),
		newFigure("last failed", "ms").most(1000), counts("view changes on all hosts")}
	for range b.times(frozenTimes) {
		values, err := f.freeze(ctx)
		if err != nil {
			return nil, err
		}
		b.say("full service after %.0f ms, one view after %.0f ms, last failed %.0f ms, %.0f view changes",
			values[0], values[1], values[2], values[3])
		for i := range figures {
			figures[i].Values = append(figures[i].Values, values[i])
		}
	}
	return figures, stop()
}

// freeze stops everything for a while and looks at how it comes back.
func (f *farm) freeze(ctx context.Context) (values [4]float64, err error) {
	m, err := f.mark(ctx, f.names())
	if err != nil {
		return values, err
	}
	if err := f.atOnce((*lab.Host).Freeze); err != nil {
		return values, err
	}
	paused := pause(ctx, frozenFor)
	at := time.Now()
	if err := errors.Join(paused, f.atOnce((*lab.Host).Thaw)); err != nil {
		return values, err
	}
	if err := pause(ctx, thawLook); err != nil {
		return values, err
	}
	full, err := fullService(f.clients.between(at, at.Add(thawLook)), at, f.names())
	if err != nil {
		return values, err
	}
	events, err := f.since(ctx, m)
	if err != nil {
		return values, err
	}
	var view time.Duration
	for _, list := range events {
		for _, e := range list {
			if e.Kind == "view_installed" {
				view = max(view, e.At.Sub(at))
			}
		}
	}
	failed := last(f.clients.slow(at, at.Add(thawLook)), at)
	for i, d := range []time.Duration{full, view, failed} {
		values[i] = float64(d.Microseconds()) / 1000
	}
	values[3] = float64(count(events, "view_installed"))
	return values, f.ready(ctx)
}

// atOnce does something to all hosts at the same time.
func (f *farm) atOnce(do func(*lab.Host) error) error {
	all := f.Hosts()
	failed := make([]error, len(all))
	var group sync.WaitGroup
	for i, h := range all {
		group.Go(func() { failed[i] = do(h) })
	}
	group.Wait()
	return errors.Join(failed...)
}

// fullService is how long it took until each host had answered a connection.
func fullService(records []seen, at time.Time, names []string) (time.Duration, error) {
	first := make(map[string]time.Duration)
	for _, r := range records {
		answered := r.begun.Add(r.Took).Sub(at)
		if known, ok := first[r.Host]; r.OK && (!ok || answered < known) {
			first[r.Host] = answered
		}
	}
	var full time.Duration
	for _, name := range names {
		if _, ok := first[name]; !ok {
			return 0, fmt.Errorf("%s answered nothing in %v", name, thawLook)
		}
		full = max(full, first[name])
	}
	if unknown := len(first) - len(names); unknown > 0 {
		return 0, fmt.Errorf("%d unknown hosts answered, beside %v", unknown, slices.Sorted(slices.Values(names)))
	}
	return full, nil
}
