package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/api/render"
)

const (
	// rotateLimit is how long a rotation is waited for: at the slowest interval a member that does not answer holds it up for longer
	// than anybody wants to look at a command.
	rotateLimit = 30 * time.Second
	rotatePoll  = 50 * time.Millisecond
)

// errRotating ends a wait for a rotation that goes on.
var errRotating = errors.New("not all hosts sign with the new key yet: it goes on by itself, see `muster key list`")

func (a *app) keyListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "Each network's keys by their ids: who holds and who uses them, when the next one is due",
		Example: "muster key list",
		Args:    takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			keys, err := client.Keys(c.Context())
			if err != nil {
				return err
			}
			return a.print(keys, func(w io.Writer) { render.Keys(w, keys) })
		},
	}
}

func (a *app) keyRotateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rotate [NETWORK]",
		Short: "Replace a network's key, or those of all networks, by new random ones",
		Long: `Works on any host of the cluster, and waits until all hosts sign with the new keys; no heartbeat is lost. Without this command keys are
replaced every hour (heartbeat.keys.rotate) and when a host leaves. The cluster's secret stays: to replace that, put a new file on every host and
run ` + "`muster reload`" + ` on each.`,
		Example: "muster key rotate\nmuster key rotate lan",
		Args:    takesAtMost("NETWORK"),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			return a.rotate(c.Context(), client, strings.Join(args, ""))
		},
	}
}

// takesAtMost wants the named arguments or fewer.
func takesAtMost(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		return takes(names[:min(len(args), len(names))]...)(c, args)
	}
}

// rotate orders new keys and waits for them.
func (a *app) rotate(ctx context.Context, client *api.Client, network string) error {
	ctx, cancel := context.WithTimeout(ctx, rotateLimit)
	defer cancel()
	before, err := client.Keys(ctx)
	if err != nil {
		return err
	}
	if err := client.RotateKeys(ctx, network); err != nil {
		return err
	}
	ticker := time.NewTicker(rotatePoll)
	defer ticker.Stop()
	for told := ""; ; {
		now, err := client.Keys(ctx)
		if err != nil && ctx.Err() == nil {
			return err
		}
		done, progress := rotated(before, now, network)
		if done {
			return a.print(now, func(w io.Writer) { fmt.Fprint(w, progress) })
		}
		if progress != told && ctx.Err() == nil {
			fmt.Fprint(a.err, progress)
			told = progress
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return errRotating
		}
	}
}

// rotated says how far a network, or all, have come.
func rotated(before, now api.Keys, network string) (done bool, progress string) {
	done = len(now.Networks) > 0
	for _, n := range now.Networks {
		if network != "" && n.Network != network {
			continue
		}
		old := slices.IndexFunc(before.Networks, func(b api.NetworkKeys) bool { return b.Network == n.Network })
		signing := 0
		for _, h := range n.Hosts {
			if h.Sign != "" && (old < 0 || h.Sign != before.Networks[old].Sign) {
				signing++
			}
		}
		fresh := n.Agreed && n.Sign == n.Newest && (old < 0 || n.Sign != before.Networks[old].Sign)
		done = done && fresh
		if fresh {
			progress += fmt.Sprintf("network %s: all hosts of the view sign with key %s\n", n.Network, n.Sign)
			continue
		}
		progress += fmt.Sprintf("network %s: %d of %d hosts sign with a new key\n", n.Network, signing, len(n.Hosts))
	}
	return done, progress
}
