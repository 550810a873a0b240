package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/internal/lab/load"
)

// lastAnswers is how long a load may take to end: as long as its longest attempt, and some more.
const lastAnswers = 20 * time.Second

// seen is what a client saw, with the time at which it began.
type seen struct {
	load.Record
	begun time.Time
}

// clients gathers what load processes report.
type clients struct {
	mu  sync.Mutex
	all []seen
}

// start starts a load on a node. stop ends it and waits for what it has still to say.
func (c *clients) start(ctx context.Context, node *lab.Node, argv ...string) (stop func() error, err error) {
	ctx, cancel := context.WithCancel(ctx)
	cmd := node.Exec(ctx, argv...)
	cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGTERM) }
	cmd.WaitDelay = lastAnswers
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("start load: %w", err)
	}
	ended := make(chan error, 1)
	go func() {
		err := load.Read(out, c.reader())
		_, _ = io.Copy(io.Discard, out) // after a line that cannot be read: let it end
		asked := ctx.Err() != nil
		if waited := cmd.Wait(); !asked {
			err = errors.Join(err, waited, fmt.Errorf("it ended by itself: %s", bytes.TrimSpace(stderr.Bytes())))
		}
		ended <- err
	}()
	return sync.OnceValue(func() error {
		cancel()
		if err := <-ended; err != nil {
			return fmt.Errorf("run load: %w", err)
		}
		return nil
	}), nil
}

// reader takes the records of one process. Their times count from its start, told by the machine's clock.
func (c *clients) reader() func(load.Record) {
	var start time.Time
	return func(r load.Record) {
		if r.Kind == load.Start {
			start = r.Time
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.all = append(c.all, seen{r, start.Add(r.At)})
	}
}

// between gives the records that began in a span of time.
func (c *clients) between(from, to time.Time) []seen {
	c.mu.Lock()
	defer c.mu.Unlock()
	var some []seen
	for _, s := range c.all {
		if !s.begun.Before(from) && s.begun.Before(to) {
			some = append(some, s)
		}
	}
	return some
}

// slow gives the requests of a span that failed or waited for the kernel to send the SYN again.
func (c *clients) slow(from, to time.Time) []seen {
	var some []seen
	for _, s := range c.between(from, to) {
		if s.Slow() {
			some = append(some, s)
		}
	}
	return some
}

// last is how long after a moment the last of some records began; 0: none did after it.
func last(records []seen, after time.Time) time.Duration {
	var latest time.Duration
	for _, s := range records {
		latest = max(latest, s.begun.Sub(after))
	}
	return latest
}
