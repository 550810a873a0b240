package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/standing"
)

const (
	drainPoll = 100 * time.Millisecond

	// drainGrace is how long after the deadline the host may take to say that it has stopped: a few heartbeats, and more when it must be looked for.
	drainGrace = 10 * time.Second
)

// Errors of a drain that was waited for.
var (
	errResumed     = errors.New("somebody has taken the order back meanwhile: it serves again")
	errNotStopped  = errors.New("the deadline is over, and it has not said that it is stopped: see `muster host show`")
	errInterrupted = errors.New("interrupted")
)

func (a *app) drainCommand() *cobra.Command {
	var deadline time.Duration
	c := &cobra.Command{
		Use:   "drain NAME",
		Short: "Give a host's share of new connections to the others, and let its own ones end",
		Long: `The host gets no new connections; the ones that it has go on. With --deadline the command waits and tells how many are left; the host is stopped as
soon as there are none, or at the deadline, when those that are left are closed. Ctrl-C ends the waiting and nothing else: the host goes on
draining, with its deadline. ` + "`muster host resume NAME`" + ` takes it back at any time.`,
		Example:           "muster host drain b\nmuster host drain b --deadline 5m && ssh b reboot",
		Args:              takes("NAME"),
		ValidArgsFunction: a.completeHosts,
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkDeadline(deadline); err != nil {
				return err
			}
			return a.drain(c.Context(), args[0], deadline)
		},
	}
	c.Flags().DurationVar(&deadline, "deadline", 0, "stop the host after this long, such as 5m (default: never)")
	return c
}

func (a *app) drain(ctx context.Context, host string, deadline time.Duration) error {
	client, err := a.client()
	if err != nil {
		return err
	}
	answer, err := client.OrderHost(ctx, api.HostOrder{Host: host, Verb: api.DrainHost, Deadline: deadline})
	if err != nil {
		return err
	}
	if deadline == 0 || slices.Contains(answer.Silent, host) {
		return a.ordered(answer, drainSentence(host, answer.State), host)
	}
	began := time.Now()
	w := drainWait{host: host, began: began, ends: began.Add(deadline), ask: client.Status, progress: newProgress(a.err)}
	end, err := w.wait(ctx)
	w.progress.end()
	if err != nil {
		return fmt.Errorf("host %s: %w", host, err)
	}
	return a.print(end, func(out io.Writer) { fmt.Fprintln(out, end.text()) })
}

// drainSentence says what became of an order to drain: a host that is stopped stays so, for that is more.
func drainSentence(host, state string) string {
	if state == standing.Stopped.String() {
		return "host " + host + " is stopped already"
	}
	return "host " + host + " gets no new connections; the ones that it has go on"
}

// drainEnd is how a drain ended.
type drainEnd struct {
	State  string `json:"state"`  // stopped, or what somebody made of it meanwhile
	Host   string `json:"host"`   // its name
	Reason string `json:"reason"` // empty or deadline; an empty text: by an order
	Left   *int   `json:"left"`   // connections that were left when it was heard of last; null: not known
}

func (e drainEnd) text() string {
	switch {
	case e.Reason == "empty":
		return "host " + e.Host + " is stopped: no connection is left"
	case e.Reason == "deadline" && e.Left != nil:
		return fmt.Sprintf("host %s is stopped: the deadline is over, and the %d connections that were left are closed", e.Host, *e.Left)
	case e.Reason == "deadline":
		return "host " + e.Host + " is stopped: the deadline is over, and what was left is closed"
	}
	return "host " + e.Host + " is " + e.State
}

// drainWait waits for a host that drains.
type drainWait struct {
	host     string
	began    time.Time
	ends     time.Time
	ask      func(context.Context) (api.Status, error)
	progress *progress
}

func (w *drainWait) wait(ctx context.Context) (drainEnd, error) {
	ticker := time.NewTicker(drainPoll)
	defer ticker.Stop()
	end := drainEnd{Host: w.host}
	for {
		s, err := w.ask(ctx)
		switch {
		case ctx.Err() != nil:
			return end, w.interrupted()
		case err != nil:
			return end, err
		}
		if done, err := w.judge(s, &end); done || err != nil {
			return end, err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return end, w.interrupted()
		}
	}
}

// judge takes in a status and reports whether it is over.
func (w *drainWait) judge(s api.Status, end *drainEnd) (done bool, err error) {
	i := slices.IndexFunc(s.Hosts, func(h api.HostStatus) bool { return h.Name == w.host })
	switch {
	case i < 0:
		return false, fmt.Errorf("it is not in the configuration of host %s", s.Host)
	case s.Hosts[i].Order == nil:
		return false, errResumed
	}
	h := s.Hosts[i]
	end.State, end.Reason = h.Order.State, h.Order.Reason
	if h.Order.State != "draining" {
		return true, nil
	}
	if time.Now().After(w.ends.Add(drainGrace)) {
		return false, errNotStopped
	}
	end.Left = h.Connections
	if h.Connections != nil || time.Since(w.began) > progressPause { // it looks for them now
		w.progress.say(w.text(h))
	}
	return false, nil
}

// text is how far it has come.
func (w *drainWait) text(h api.HostStatus) string {
	left := "it has not said yet how many connections are left"
	switch {
	case h.State == api.StateSilent:
		left = "it is not heard"
	case h.Connections != nil:
		left = fmt.Sprintf("%d connections left", *h.Connections)
	}
	return fmt.Sprintf("host %s drains: %s, stops in %v at the latest", w.host, left, max(time.Until(w.ends), 0).Round(time.Second))
}

func (w *drainWait) interrupted() error {
	return fmt.Errorf("%w: it goes on draining and stops at %s at the latest; `muster host resume %s` takes it back", errInterrupted, w.ends.Local().Format("15:04:05"), w.host)
}
