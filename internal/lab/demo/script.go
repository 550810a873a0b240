package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/muster-ha/muster/internal/lab/load"
)

// step is an event and how long to look at what it does.
type step struct {
	name string
	host string // whose connections may break
	say  string
	do   func(context.Context) (time.Time, error) // returns when it was done to the cluster
	look time.Duration
}

// steps is the script. Every step leaves the cluster in order for the next.
func (s *show) steps() []step {
	b, c, a := s.lab.Host("b"), s.lab.Host("c"), s.lab.Host("a")
	return []step{
		{"all well", "", "All well: " + fmt.Sprint(rate) + " new connections a second, and " + fmt.Sprint(conns) +
			" that stay open and check every byte.", now(nil), 4 * time.Second},
		{"power cut of b", "b", "Power cut: b is gone, link down and everything killed.",
			func(context.Context) (time.Time, error) { return b.PowerCut() }, 6 * time.Second},
		{"b comes back", "", "Power on: b boots and joins.", now(func(ctx context.Context) error {
			if err := b.PowerOn(); err != nil {
				return err
			}
			_, err := s.ready(ctx)
			return err
		}), 4 * time.Second},
		{"drain of c", "", "Drain: c gets no new connections; its open ones go on.", now(func(ctx context.Context) error {
			_, err := c.Muster(ctx, "host", "drain", "c")
			return err
		}), 4 * time.Second},
		{"c resumes", "", "Resume: c gets its share again.", now(func(ctx context.Context) error {
			_, err := c.Muster(ctx, "host", "resume", "c")
			return err
		}), 3 * time.Second},
		{"kill -9 of a's agent", "a", "kill -9: the agent of a dies without a word; its host and web application live.",
			func(context.Context) (time.Time, error) { return a.Kill() }, 4 * time.Second},
		{"a's agent starts again", "", "Start: the agent of a is back.", now(func(ctx context.Context) error {
			if err := a.Start(); err != nil {
				return err
			}
			_, err := s.ready(ctx)
			return err
		}), 2 * time.Second},
	}
}

// now makes an event that began when it was asked for.
func now(f func(context.Context) error) func(context.Context) (time.Time, error) {
	return func(ctx context.Context) (time.Time, error) {
		at := time.Now()
		if f == nil {
			return at, nil
		}
		return at, f(ctx)
	}
}

// script goes through the steps, showing the split while it looks.
func (s *show) script(ctx context.Context) error {
	live, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.paint.follow(live, s.feed)
	}()
	defer func() { stop(); <-done }()
	for _, st := range s.steps() {
		s.paint.event("%s", st.say)
		at, err := st.do(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", st.name, err)
		}
		s.marks = append(s.marks, load.Mark{Name: st.name, At: s.feed.offset(at), Host: st.host})
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(float64(st.look) * s.Pace)):
		}
		if err := s.feed.failure(); err != nil {
			return err
		}
		s.tell()
	}
	return nil
}

// tell says in words what the last event did to clients.
func (s *show) tell() {
	phases := load.Summarise(s.feed.all(), s.marks, s.feed.now())
	p := phases[len(phases)-1]
	if slow := p.Failed + p.Late; slow > 0 {
		s.paint.say("  -> new connections were delayed until %s after it: %d of %d, the longest by %s, %d in vain.",
			load.Short(p.Recovered), slow, p.Requests, load.Short(p.Longest), p.Failed)
	} else {
		s.paint.say("  -> %d requests, none failed or delayed; the longest took %s.", p.Requests, load.Short(p.Longest))
	}
	switch died := p.Broken - p.Elsewhere; {
	case p.Elsewhere > 0:
		s.paint.say("  -> %d open connections broke, %d of them on hosts that nothing was done to.", p.Broken, p.Elsewhere)
	case died > 0:
		s.paint.say("  -> %d open connections to %s ended; no other broke.", died, p.Host)
	default:
		s.paint.say("  -> no open connection broke.")
	}
}
