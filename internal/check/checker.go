package check

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/muster-ha/muster/internal/config"
)

// maxJitter bounds the wait before the first probe: checks that start together should not ask in step, but a host that starts
// should not wait for them either.
const maxJitter = 250 * time.Millisecond

// Checker runs one check.
type Checker struct {
	conf     config.Check
	probe    func(context.Context) Transcript
	jitter   func(limit time.Duration) time.Duration
	onChange func(name string, up bool)
	log      *slog.Logger

	mu    sync.Mutex
	count counter
	since time.Time // when the state was entered; zero: never
	last  Transcript
}

// New makes a Checker in state Unknown. onChange is told of each new state, Up or not; it may be nil.
func New(c config.Check, onChange func(name string, up bool), log *slog.Logger) *Checker {
	if onChange == nil {
		onChange = func(string, bool) {}
	}
	return &Checker{
		conf: c, probe: prober(c), onChange: onChange, log: log.With("check", c.Name),
		jitter: func(limit time.Duration) time.Duration { return rand.N(limit) },
		count:  counter{fall: max(c.Fall, 1), rise: max(c.Rise, 1)},
	}
}

// prober chooses the probe.
func prober(c config.Check) func(context.Context) Transcript {
	switch {
	case c.HTTP != nil:
		return newHTTP(c.Name, *c.HTTP, c.Timeout).probe
	case c.TCP != nil:
		return tcpProbe{name: c.Name, address: c.TCP.Address, timeout: c.Timeout}.probe
	default:
		return func(context.Context) Transcript {
			return failed("no probe", "this version of Muster does not know this kind of check: remove it from the configuration")
		}
	}
}

// Run probes once an interval until the context ends. A probe that takes longer than the interval delays the next.
func (c *Checker) Run(ctx context.Context) {
	first := time.NewTimer(c.jitter(max(min(c.conf.Interval/4, maxJitter), 1)))
	defer first.Stop()
	select {
	case <-ctx.Done():
		return
	case <-first.C:
	}
	ticker := time.NewTicker(max(c.conf.Interval, time.Millisecond))
	defer ticker.Stop()
	for {
		c.once(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// once runs one probe. A probe that our own stopping has cut short says nothing about the service.
func (c *Checker) once(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, c.conf.Timeout)
	defer cancel()
	start := time.Now()
	t := c.probe(limited)
	if ctx.Err() != nil {
		return
	}
	t.At, t.Took = start, time.Since(start)
	c.conclude(t)
}

func (c *Checker) conclude(t Transcript) {
	c.mu.Lock()
	c.last = t
	before := c.count.state
	changed := c.count.count(t.Good)
	now := c.count.state
	if changed {
		c.since = time.Now()
	}
	c.mu.Unlock()
	if !changed {
		return
	}
	level := slog.LevelInfo
	if now == Down {
		level = slog.LevelWarn
	}
	c.log.Log(context.Background(), level, "check changed", "from", before, "to", now, "error", t.Error, "remedy", t.Remedy, "took", t.Took)
	c.onChange(c.conf.Name, now == Up)
}

// Name is the check's name in the configuration.
func (c *Checker) Name() string { return c.conf.Name }

// State says what is known now.
func (c *Checker) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count.state
}

// Since is when the state was entered; zero while Unknown.
func (c *Checker) Since() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.since
}

// Last is the newest probe; its At is zero before the first has ended.
func (c *Checker) Last() Transcript {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}
