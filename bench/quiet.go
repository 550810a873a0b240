package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/internal/lab/load"
)

const (
	trial     = time.Minute
	lost      = 20.0 // per cent
	quietRate = 100  // new connections a second beside it
)

func lossRow() row {
	return row{"loss", "20 % of all heartbeats lost", `Each host loses 20 % of the heartbeats that it sends, at random, for 60 s, under 100 new connections a second. No
view may change. *lease lapses* are packets that a kernel refused because its lease had ended; *stalls* are times that an
agent's own timer came late; *loss* is what the agents themselves measured at the end.`, runLoss}
}

func stressRow() row {
	return row{"stress", "All cores busy", `stress-ng keeps twice as many processor hogs as there are cores and as many matrix multiplications as cores running for 60 s,
beside the three agents and under 100 new connections a second. No view may change. *stalls* are times that an agent's own
timer came late by more than 100 ms; *lease lapses* are packets that a kernel refused because its lease had ended.`, runStress}
}

// trouble is what happened in a time in which nothing should.
type trouble struct {
	views, stalls, lapses, failed, late int
	requests                            int
}

func (t trouble) figures() []figure {
	return []figure{
		counts("view changes on all hosts", t.views).most(0),
		counts("stalls", t.stalls),
		counts("lease lapses, packets refused", t.lapses),
		counts("new connections", t.requests),
		counts("new connections that failed", t.failed),
		counts("new connections delayed by a second", t.late),
	}
}

// watch counts what happens while f runs.
func (f *farm) watch(ctx context.Context, while func() error) (t trouble, err error) {
	stop, err := f.newConnections(ctx, quietRate, gapPatience)
	if err != nil {
		return t, err
	}
	m, err := f.mark(ctx, f.names())
	if err != nil {
		return t, err
	}
	before, err := f.counter(ctx, f.names(), "drop_lease")
	if err != nil {
		return t, err
	}
	from := time.Now()
	if err := while(); err != nil {
		return t, err
	}
	to := time.Now()
	if err := stop(); err != nil {
		return t, err
	}
	after, err := f.counter(ctx, f.names(), "drop_lease")
	if err != nil {
		return t, err
	}
	events, err := f.since(ctx, m)
	if err != nil {
		return t, err
	}
	t = trouble{views: count(events, "view_installed"), stalls: count(events, "stalled"), lapses: after - before}
	t.look(f.clients.between(from, to))
	return t, nil
}

func (t *trouble) look(records []seen) {
	for _, r := range records {
		t.requests++
		switch {
		case !r.OK && r.Class != load.Overrun:
			t.failed++
		case r.Slow():
			t.late++
		}
	}
}

func runLoss(ctx context.Context, b *bench) (figures []figure, err error) {
	f, err := serving(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	for _, h := range f.Hosts() {
		if err := h.Loss(lost, lab.HeartbeatPort, lab.Sent); err != nil {
			return nil, err
		}
	}
	losses := newFigure("loss, measured by the agents", "%")
	t, err := f.watch(ctx, func() error {
		if err := pause(ctx, trial); err != nil {
			return err
		}
		s, err := f.agents["a"].Status(ctx)
		for _, h := range s.Hosts {
			if h.LossPercent != nil {
				losses.Values = append(losses.Values, *h.LossPercent)
			}
		}
		return err
	})
	return append(t.figures(), losses), err
}

func runStress(ctx context.Context, b *bench) (figures []figure, err error) {
	f, err := serving(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	cores := runtime.NumCPU()
	hogs := exec.CommandContext(ctx, "stress-ng", "--cpu", strconv.Itoa(2*cores), "--matrix", strconv.Itoa(cores),
		"--timeout", strconv.Itoa(int(trial.Seconds()))+"s", "--temp-path", f.Dir())
	hogs.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	t, err := f.watch(ctx, func() error {
		if out, err := hogs.CombinedOutput(); err != nil {
			return fmt.Errorf("run stress-ng: %w: %s", err, out)
		}
		return nil
	})
	return t.figures(), err
}
