package check

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-ha/muster/internal/config"
)

const ms = time.Millisecond

// service is a probe in memory, with the times at which it was asked.
type service struct {
	mu       sync.Mutex
	start    time.Time
	bad      bool
	takes    time.Duration
	at       []time.Duration
	inFlight int
	most     int // probes in flight at once
	changes  []string
	log      bytes.Buffer
}

func (s *service) probe(ctx context.Context) Transcript {
	s.mu.Lock()
	s.at = append(s.at, time.Since(s.start))
	s.inFlight++
	s.most = max(s.most, s.inFlight)
	bad, takes := s.bad, s.takes
	s.mu.Unlock()
	defer func() { s.mu.Lock(); s.inFlight--; s.mu.Unlock() }()
	select {
	case <-ctx.Done():
		return failed(ctx.Err().Error(), "wait")
	case <-time.After(takes):
	}
	if bad {
		return failed("sick", "cure it")
	}
	return Transcript{Good: true, Status: "fine"}
}

func (s *service) onChange(name string, up bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changes = append(s.changes, fmt.Sprintf("%s %v at %v", name, up, time.Since(s.start)))
}

func (s *service) set(bad bool, takes time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bad, s.takes = bad, takes
}

func (s *service) wantChanges(t *testing.T, want ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.changes, want) {
		t.Errorf("changes %q, want %q", s.changes, want)
	}
}

// running runs a test with a Checker every 500 ms, timeout 400 ms, fall 2, rise 2, in a bubble of fake time.
func running(t *testing.T, s *service, test func(c *Checker)) {
	t.Helper()
	runningWith(t, s, 400*ms, test)
}

func runningWith(t *testing.T, s *service, timeout time.Duration, test func(c *Checker)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s.start = time.Now()
		conf := config.Check{Name: "web", Interval: 500 * ms, Timeout: timeout, Fall: 2, Rise: 2}
		c := New(conf, s.onChange, slog.New(slog.NewTextHandler(&s.log, nil)))
		c.probe = s.probe
		c.jitter = func(time.Duration) time.Duration { return 100 * ms }
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { c.Run(ctx); close(done) }()
		test(c)
		cancel()
		<-done
	})
}

// after lets fake time pass and waits until everybody is idle.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestUnknownUntilTheFirstProbe(t *testing.T) {
	s := &service{takes: 50 * ms}
	running(t, s, func(c *Checker) {
		after(149 * ms)
		if c.State() != Unknown || !c.Since().IsZero() || !c.Last().At.IsZero() {
			t.Errorf("%v since %v, last %+v", c.State(), c.Since(), c.Last())
		}
		after(1 * ms)
		last := c.Last()
		if c.State() != Up || !last.Good || last.Took != 50*ms || last.At.Sub(s.start) != 100*ms || c.Since().Sub(s.start) != 150*ms {
			t.Errorf("%v since %v, last %+v", c.State(), c.Since(), last)
		}
		s.wantChanges(t, "web true at 150ms")
	})
}

func TestProbesKeepTheInterval(t *testing.T) {
	s := &service{}
	running(t, s, func(*Checker) {
		after(1700 * ms)
		s.mu.Lock()
		defer s.mu.Unlock()
		if want := []time.Duration{100 * ms, 600 * ms, 1100 * ms, 1600 * ms}; !slices.Equal(s.at, want) {
			t.Errorf("asked at %v, want %v", s.at, want)
		}
	})
}

func TestFallAndRise(t *testing.T) {
	s := &service{}
	running(t, s, func(c *Checker) {
		after(200 * ms)
		s.set(true, 0)
		after(500 * ms)
		if last := c.Last(); c.State() != Up || last.Good || last.Error != "sick" || last.Remedy != "cure it" {
			t.Errorf("after one failure: %v, %+v", c.State(), last)
		}
		after(500 * ms)
		if c.State() != Down {
			t.Errorf("after two: %v", c.State())
		}
		after(5000 * ms)
		s.set(false, 0)
		after(1000 * ms)
		s.wantChanges(t, "web true at 100ms", "web false at 1.1s", "web true at 7.1s")
	})
	for _, want := range []string{"level=WARN", "from=up to=down error=sick remedy=\"cure it\"", "from=down to=up"} {
		if !strings.Contains(s.log.String(), want) {
			t.Errorf("log lacks %q:\n%s", want, &s.log)
		}
	}
}

func TestAHangingServiceFallsWithItsTimeout(t *testing.T) {
	s := &service{takes: time.Hour}
	running(t, s, func(c *Checker) {
		after(2 * time.Second)
		if last := c.Last(); c.State() != Down || last.Took != 400*ms {
			t.Errorf("%v, %+v", c.State(), last)
		}
		s.wantChanges(t, "web false at 1s") // 100 ms + 500 ms + 400 ms
	})
}

func TestNeverTwoProbesInFlight(t *testing.T) {
	s := &service{takes: 350 * ms}
	runningWith(t, s, 10*time.Second, func(*Checker) {
		after(100 * ms)
		s.set(false, 1700*ms)
		after(20 * time.Second)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.most != 1 || len(s.at) > 14 || len(s.at) < 10 {
			t.Errorf("%d at once, %d in all", s.most, len(s.at))
		}
	})
}

func TestStoppingSaysNothingAboutTheService(t *testing.T) {
	s := &service{takes: 300 * ms}
	var c *Checker
	running(t, s, func(running *Checker) {
		c = running
		after(700 * ms) // one probe done, the second in flight
	})
	if last := c.Last(); c.State() != Up || !last.Good {
		t.Errorf("%v, %+v", c.State(), last)
	}
}

func TestAKindThatIsNotKnownIsNeverGood(t *testing.T) {
	c := New(config.Check{Name: "x"}, nil, slog.New(slog.DiscardHandler))
	if got := c.probe(t.Context()); got.Good || got.Remedy == "" {
		t.Errorf("got %+v", got)
	}
}

func TestJitterIsBounded(t *testing.T) {
	c := New(config.Check{Name: "x"}, nil, slog.New(slog.DiscardHandler))
	for range 1000 {
		if j := c.jitter(maxJitter); j < 0 || j >= maxJitter {
			t.Fatalf("jitter %v", j)
		}
	}
}
