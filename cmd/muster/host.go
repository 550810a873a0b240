package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-ha/muster/internal/api"
)

// maxDeadline is what the API accepts.
const maxDeadline = 24 * time.Hour

func (a *app) hostCommand() *cobra.Command {
	c := &cobra.Command{Use: "host", Short: "Drain a host, or give it its share again"}
	c.AddCommand(a.drainCommand(), a.resumeCommand())
	return c
}

func (a *app) drainCommand() *cobra.Command {
	var deadline time.Duration
	c := &cobra.Command{
		Use:   "drain NAME",
		Short: "Give a host's share of new connections to the others",
		Long: `The host gets no new connections; the ones that it has go on. With --deadline the command waits until they have ended, and
exits with 1 if some are left at the deadline. None is ever cut.`,
		Example: "muster host drain b\nmuster host drain b --deadline 5m && ssh b reboot",
		Args:    takes("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkDeadline(deadline); err != nil {
				return err
			}
			client, err := a.client()
			if err != nil {
				return err
			}
			if err := client.Drain(c.Context(), args[0], deadline); err != nil {
				return err
			}
			if deadline == 0 {
				return a.say("draining", "host "+args[0]+" gets no new connections; the ones that it has go on")
			}
			if err := waitEmpty(c.Context(), client, args[0], deadline); err != nil {
				return err
			}
			return a.say("drained", "host "+args[0]+" is drained: no connection is left")
		},
	}
	c.Flags().DurationVar(&deadline, "deadline", 0, "wait this long for its connections to end, such as 5m (default: do not wait)")
	return c
}

func (a *app) resumeCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "resume NAME",
		Short:   "Give a drained host its share again",
		Example: "muster host resume b",
		Args:    takes("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			if err := client.Resume(c.Context(), args[0]); err != nil {
				return err
			}
			return a.say("resumed", "host "+args[0]+" gets new connections again")
		},
	}
}

func checkDeadline(d time.Duration) error {
	if d < 0 || d > maxDeadline {
		return usagef("deadline %v: want between 0s and %v", d, maxDeadline)
	}
	return nil
}

// waitEmpty waits until a drained host has no connection left. What is not known counts as not empty.
func waitEmpty(ctx context.Context, client *api.Client, host string, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	left := "it is not known what host " + host + " still has"
	for {
		status, err := client.Status(ctx)
		switch {
		case err == nil:
			empty, text := emptied(status, host)
			if empty {
				return nil
			}
			left = text
		case !errors.Is(err, context.DeadlineExceeded):
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("deadline of %v is over: %s; it stays drained", limit, left)
		}
	}
}

func emptied(s api.Status, host string) (bool, string) {
	i := slices.IndexFunc(s.Hosts, func(h api.HostStatus) bool { return h.Name == host })
	switch {
	case i < 0:
		return false, "host " + host + " is not in the agent's configuration"
	case s.Hosts[i].State != api.StateDrained:
		return false, fmt.Sprintf("host %s is %s", host, s.Hosts[i].State)
	case s.Hosts[i].Holds == nil:
		return false, "host " + host + " has not said what it still has"
	case *s.Hosts[i].Holds > 0:
		return false, fmt.Sprintf("host %s still has connections in %d buckets", host, *s.Hosts[i].Holds)
	}
	return true, ""
}
