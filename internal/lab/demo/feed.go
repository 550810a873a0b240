package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/internal/lab/load"
)

// feed gathers what the client processes report, on one time line.
type feed struct {
	base time.Time // zero of the time line

	mu      sync.Mutex
	records []load.Record
	open    int // echo connections
	recent  recent
	failed  error // a client process ended before its time
}

// recent is what happened since somebody last asked.
type recent struct {
	split   map[string]int
	count   int
	failed  int
	longest time.Duration
	open    int
}

func newFeed() *feed { return &feed{base: time.Now(), recent: recent{split: make(map[string]int)}} }

func (f *feed) now() time.Duration               { return time.Since(f.base) }
func (f *feed) offset(t time.Time) time.Duration { return t.Sub(f.base) }

// reader returns a function that takes the records of one process and moves them onto the feed's time line.
func (f *feed) reader() func(load.Record) {
	var shift time.Duration
	return func(r load.Record) {
		if r.Kind == load.Start {
			shift = f.offset(r.Time)
			return
		}
		r.At += shift
		f.add(r)
	}
}

func (f *feed) add(r load.Record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.records = append(f.records, r)
	switch r.Kind {
	case load.Request:
		f.recent.count++
		f.recent.longest = max(f.recent.longest, r.Took)
		if r.OK {
			f.recent.split[r.Host]++
		} else {
			f.recent.failed++
		}
	case load.Open:
		f.open++
	case load.Broken, load.Wrong, load.Closed:
		f.open--
	}
}

// all is a copy of everything so far.
func (f *feed) all() []load.Record {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.records)
}

// take returns what happened since the last call.
func (f *feed) take() recent {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.recent
	r.open = f.open
	f.recent = recent{split: make(map[string]int)}
	return r
}

func (f *feed) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failed = errors.Join(f.failed, err)
}

func (f *feed) failure() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}

// startLoad starts both client processes. They end with the context; wait returns when they have.
func (s *show) startLoad(ctx context.Context) (wait func() error, err error) {
	web, echo := lab.VIP().Addr().String()+":80", lab.VIP().Addr().String()+":7"
	var both sync.WaitGroup
	for _, argv := range [][]string{
		{"http", "--target", web, "--rate", strconv.Itoa(rate), "--timeout", patience.String()},
		{"echo", "--target", echo, "--conns", strconv.Itoa(conns), "--reopen"},
	} {
		if err := s.feed.run(ctx, s.lab.Client(1), &both, append([]string{s.Binary, "lab", "load"}, argv...)); err != nil {
			return nil, err
		}
	}
	return func() error { both.Wait(); return s.feed.failure() }, nil
}

// run starts a client process and reads it to its end.
func (f *feed) run(ctx context.Context, client *lab.Node, running *sync.WaitGroup, argv []string) error {
	cmd := client.Exec(ctx, argv...)
	// SIGTERM lets it report the last answers; an interrupt at the terminal is not for it.
	cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGTERM) }
	cmd.WaitDelay = patience + time.Second
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("start load: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start load: %w", err)
	}
	running.Go(func() {
		err := load.Read(out, f.reader())
		_, _ = io.Copy(io.Discard, out) // after a line that cannot be read: let it end
		err = errors.Join(err, cmd.Wait())
		if ctx.Err() == nil {
			f.fail(fmt.Errorf("load ended early: %w: %s", err, bytes.TrimSpace(stderr.Bytes())))
		}
	})
	return nil
}
