package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	gapTimes    = 10
	gapPatience = 5 * time.Second // of a connection: longer than the kernel's second SYN takes
)

func gapRow() row {
	return row{"gap", "Planned moves under load", `A host is drained and resumed, a, b and c in turn, under 500 new connections a second, each with 5 s. The old owner of
a bucket stops before the new one starts, and a SYN that falls into that gap is sent again by the client's kernel a second later.
*delayed* counts those connections, *gap* is the time from the first that was delayed to the last.`, runGap}
}

func runGap(ctx context.Context, b *bench) (figures []figure, err error) {
	f, err := serving(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	stop, err := f.newConnections(ctx, usualRate, gapPatience)
	if err != nil {
		return nil, err
	}
	for _, what := range []string{"drain", "resume"} {
		figures = append(figures, counts(what+": delayed"), counts(what+": failed").most(0), newFigure(what+": gap", "ms"))
	}
	for i := range b.times(gapTimes) {
		for j, what := range []string{"drain", "resume"} {
			delayed, failed, gap, err := f.move(ctx, what, f.names()[i%hosts])
			if err != nil {
				return nil, err
			}
			b.say("%s %s: %d delayed, gap %v", what, f.names()[i%hosts], delayed, gap.Round(time.Millisecond))
			for k, value := range []float64{float64(delayed), float64(failed), float64(gap.Microseconds()) / 1000} {
				figures[3*j+k].Values = append(figures[3*j+k].Values, value)
			}
		}
	}
	return figures, stop()
}

// move drains or resumes a host and says what new connections noticed.
func (f *farm) move(ctx context.Context, what, host string) (delayed, failed int, gap time.Duration, err error) {
	at := time.Now()
	if _, err := f.Host(host).Muster(ctx, "host", what, host); err != nil {
		return 0, 0, 0, err
	}
	if err := pause(ctx, lookAfter+settle); err != nil {
		return 0, 0, 0, err
	}
	slow := f.clients.slow(at, at.Add(lookAfter))
	if len(slow) == 0 {
		return 0, 0, 0, nil
	}
	first := slow[0].begun
	for _, s := range slow {
		if s.begun.Before(first) {
			first = s.begun
		}
		if s.OK {
			delayed++
		} else {
			failed++
		}
	}
	if len(slow) > usualRate {
		return 0, 0, 0, fmt.Errorf("%s %s: %d connections delayed: that is no gap", what, host, len(slow))
	}
	return delayed, failed, last(slow, first), nil
}
