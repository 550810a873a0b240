package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/internal/lab/load"
)

// The size of the demo.
const (
	hosts         = 3
	rate          = 300 // new connections a second
	conns         = 100 // established connections in the background
	patience      = 5 * time.Second
	readyPatience = 20 * time.Second
)

// Options says how to show it.
type Options struct {
	Name     string    // of the lab; default: a random one
	Binary   string    // path of muster
	Stay     bool      // leave the cluster running
	Out      io.Writer // where to show it
	Terminal bool      // Out is a terminal: repaint one line, use colour
	Pace     float64   // factor of all pauses; default 1, which takes half a minute
}

// show is a demo under way.
type show struct {
	Options
	lab   *lab.Lab
	feed  *feed
	paint *painter
	marks []load.Mark
}

// Run shows it. It returns when the lab is gone, or with Stay when everything has been shown.
func Run(ctx context.Context, o Options) (err error) {
	if o.Pace == 0 {
		o.Pace = 1
	}
	s := &show{Options: o, feed: newFeed(), paint: newPainter(o.Out, o.Terminal)}
	s.paint.say("Three hosts and a client on this machine, in network namespaces. Each host runs a muster agent and a web application.")
	s.lab, err = lab.Up(ctx, lab.Options{Name: o.Name, Hosts: hosts, Clients: 1, Binary: o.Binary, Detached: o.Stay})
	if err != nil {
		return err
	}
	if err := s.play(ctx); err != nil {
		return errors.Join(err, s.lab.Down())
	}
	if !o.Stay {
		return s.lab.Down()
	}
	s.lab.Close()
	s.lab.Explain(o.Out)
	return nil
}

// play starts everything, goes through the script under load and shows the table.
func (s *show) play(ctx context.Context) error {
	if err := s.start(ctx); err != nil {
		return err
	}
	loadCtx, stop := context.WithCancel(ctx)
	defer stop()
	wait, err := s.startLoad(loadCtx)
	if err != nil {
		return err
	}
	err = s.script(ctx)
	end := s.feed.now()
	stop()
	if loadErr := wait(); err == nil && ctx.Err() == nil {
		err = loadErr
	}
	if err == nil {
		err = s.report(end)
	}
	return err
}

func (s *show) start(ctx context.Context) error {
	began := time.Now()
	if err := s.lab.StartWeb(); err != nil {
		return err
	}
	if err := s.lab.StartAll(); err != nil {
		return err
	}
	epoch, err := s.ready(ctx)
	if err != nil {
		return err
	}
	s.paint.say("Hosts a, b and c share %s: ready after %s, in view %d.", lab.VIP().Addr(), load.Short(time.Since(began)), epoch)
	return nil
}

func (s *show) ready(ctx context.Context, names ...string) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, readyPatience)
	defer cancel()
	return s.lab.WaitReady(ctx, names...)
}

// report shows the table and says what should catch the eye.
func (s *show) report(end time.Duration) error {
	phases := load.Summarise(s.feed.all(), s.marks, end)
	s.paint.say("\nWhat the clients saw:\n")
	if err := load.Table(s.Out, phases); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	var failed, elsewhere, wrong int
	for _, p := range phases {
		failed, elsewhere, wrong = failed+p.Failed, elsewhere+p.Elsewhere, wrong+p.Wrong
	}
	s.paint.say("\nRequests that never got an answer: %d. Connections broken on hosts that nothing was done to: %d. Wrong bytes: on %d.",
		failed, elsewhere, wrong)
	s.paint.say("last delay: how long after the event the last request began that failed or took over a second. A client whose first")
	s.paint.say("SYN meets a gap waits a second whatever the gap is: its own kernel sends the SYN again no sooner.")
	return nil
}
