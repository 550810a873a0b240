package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/api/render"
)

func (a *app) eventsCommand() *cobra.Command {
	var follow bool
	var since uint64
	c := &cobra.Command{
		Use:   "events",
		Short: "What happened, and why",
		Long: `Prints the events that the agent keeps, the oldest first. With -f it goes on with new ones, also over a restart of the
agent, until it is interrupted. --json prints one object; with -f, one object a line and event.`,
		Example: "muster events\nmuster events -f --json",
		Args:    takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			if follow {
				return a.followEvents(c.Context(), client, since)
			}
			page, err := client.Events(c.Context(), since)
			if err != nil {
				return err
			}
			return a.printEvents(page)
		},
	}
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on with new events")
	c.Flags().Uint64Var(&since, "since", 0, "only events after the one with this `ID`")
	return c
}

func (a *app) printEvents(page api.EventPage) error {
	if a.json {
		return render.JSON(a.out, page)
	}
	if page.Missed > 0 {
		fmt.Fprintf(a.err, "%d older events are not kept any more\n", page.Missed)
	}
	w := bufio.NewWriter(a.out)
	for _, e := range page.Events {
		if err := render.Event(w, e); err != nil {
			return err
		}
	}
	return w.Flush()
}

func (a *app) followEvents(ctx context.Context, client *api.Client, since uint64) error {
	err := client.Follow(ctx, since, api.Follower{
		Event: func(e api.Event) error {
			if a.json {
				return render.Line(a.out, e)
			}
			return render.Event(a.out, e)
		},
		Missed: func(count uint64) { fmt.Fprintf(a.err, "%d events are not kept any more\n", count) },
		Lost:   func(error) { fmt.Fprintln(a.err, "the agent has gone; waiting for it to come back (Ctrl-C ends)") },
	})
	if errors.Is(err, context.Canceled) {
		return nil // Ctrl-C is how one ends this
	}
	return err
}
