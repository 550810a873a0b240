package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/muster-ha/muster/internal/lab/load"
)

const (
	surviveConns    = 1000
	surviveInterval = 200 * time.Millisecond // 5,000 exchanges a second
	surviveLook     = 4 * time.Second
)

func surviveRow() row {
	return row{"survive", "Established connections through every planned move", `1,000 connections exchange random data, 5 blocks a second each, and check every byte, while: the third host joins,
a host is drained and comes back, the agent of the director is killed (another host becomes director) and starts again.
A connection is broken when it ends or gets no answer for 15 s.`, runSurvive}
}

func runSurvive(ctx context.Context, b *bench) (figures []figure, err error) {
	f, err := newFarm(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	if err := errors.Join(f.Host("a").Start(), f.Host("b").Start()); err != nil {
		return nil, err
	}
	if err := f.ready(ctx, "a", "b"); err != nil {
		return nil, err
	}
	from := time.Now()
	stop, err := f.establishedConnections(ctx, surviveConns, surviveInterval)
	if err != nil {
		return nil, err
	}
	if err := pause(ctx, surviveLook); err != nil {
		return nil, err
	}
	for _, step := range f.moves() {
		if err := step.do(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", step.name, err)
		}
		if err := pause(ctx, surviveLook); err != nil {
			return nil, err
		}
		t := tally(f.clients.between(from, time.Now()))
		b.say("%s: %d open, %d broken, %d wrong", step.name, t.opened-t.broken-t.wrong, t.broken, t.wrong)
	}
	if err := stop(); err != nil {
		return nil, err
	}
	return tally(f.clients.between(from, time.Now())).figures()
}

type move struct {
	name string
	do   func(context.Context) error
}

func (f *farm) moves() []move {
	order := func(host string, args ...string) func(context.Context) error {
		return func(ctx context.Context) error { _, err := f.Host(host).Muster(ctx, args...); return err }
	}
	var director string
	return []move{
		{"c joins", func(ctx context.Context) error { return errors.Join(f.Host("c").Start(), f.ready(ctx)) }},
		{"drain of b", order("b", "host", "drain", "b")},
		{"b resumes", order("b", "host", "resume", "b")},
		{"kill -9 of the director's agent", func(ctx context.Context) (err error) {
			if director, err = f.director(ctx); err != nil {
				return err
			}
			_, err = f.Host(director).Kill()
			return err
		}},
		{"it starts again", func(ctx context.Context) error { return errors.Join(f.Host(director).Start(), f.ready(ctx)) }},
	}
}

// sum is what became of established connections.
type sum struct {
	opened, broken, wrong, closed int
	bytes                         int64
	stall                         time.Duration
}

func tally(records []seen) sum {
	var t sum
	for _, r := range records {
		switch r.Kind {
		case load.Open:
			t.opened++
		case load.Broken:
			t.broken++
		case load.Wrong:
			t.wrong++
		case load.Closed:
			t.closed++
			t.bytes += r.Bytes
		}
		if r.Kind == load.Exchange || r.Kind == load.Closed {
			t.stall = max(t.stall, r.Took)
		}
	}
	return t
}

func (t sum) figures() ([]figure, error) {
	if t.opened < surviveConns || t.opened != t.broken+t.wrong+t.closed {
		return nil, fmt.Errorf("%d connections opened, %d broken, %d wrong, %d closed: want %d and none lost",
			t.opened, t.broken, t.wrong, t.closed, surviveConns)
	}
	return []figure{
		counts("connections broken", t.broken).most(0),
		counts("connections with wrong bytes", t.wrong).most(0),
		counts("connections", t.opened),
		newFigure("bytes exchanged and compared", "MB", float64(t.bytes)/1e6),
		milliseconds("longest wait for an answer", []time.Duration{t.stall}),
	}, nil
}
