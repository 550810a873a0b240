package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-ha/muster/internal/agent"
	"github.com/muster-ha/muster/internal/api"
)

// undoTime is what an agent may take, after the deadline for connections, to hand over and put the host back.
const undoTime = 20 * time.Second

func (a *app) stopCommand() *cobra.Command {
	var deadline time.Duration
	c := &cobra.Command{
		Use:   "stop",
		Short: "Leave the cluster and put the host back as it was found",
		Long: `Tells the agent to leave and waits until it has gone: the share goes to the others first, connections may end until the
deadline, then addresses, filter and settings are undone.`,
		Example: "muster stop\nmuster stop --deadline 5m",
		Args:    takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := checkDeadline(deadline); err != nil {
				return err
			}
			client, err := a.client()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(c.Context(), deadline+undoTime)
			defer cancel()
			err = client.StopAndWait(ctx, api.StopRequest{Deadline: deadline})
			if errors.Is(err, api.ErrNoAgent) || errors.Is(err, api.ErrDied) {
				return a.cleanUp(err)
			}
			if errors.Is(err, context.DeadlineExceeded) {
				return fmt.Errorf("the agent has not gone after %v: see `muster status` and its log", deadline+undoTime)
			}
			if err != nil {
				return err
			}
			return a.say("stopped", "stopped: this host is as it was found")
		},
	}
	c.Flags().DurationVar(&deadline, "deadline", 30*time.Second, "let connections go on this long before leaving without them")
	return c
}

// cleanUp undoes what an agent left behind that was killed. With nothing to undo, the missing agent is the error.
func (a *app) cleanUp(gone error) error {
	dir, err := a.chosenRunDir()
	if err != nil {
		return err
	}
	undone, err := agent.Cleanup(dir, newLogger(os.Stderr, slog.LevelWarn))
	if err != nil {
		return err
	}
	if !undone {
		return gone
	}
	return a.say("stopped", "the agent was gone already: what it had left behind is undone, this host is as it was found")
}

func (a *app) reloadCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "reload",
		Short: "Read the configuration file again",
		Long: `Makes the agent check its file and take it, as SIGHUP does. A changed file takes effect when every host of the view has it;
a file with problems changes nothing.`,
		Example: "muster reload",
		Args:    takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			if err := client.Reload(c.Context()); err != nil {
				return err
			}
			return a.say("reloaded", "reloaded: `muster status` shows whether it waits for other hosts")
		},
	}
}
