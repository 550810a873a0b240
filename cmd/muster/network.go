package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/api/render"
)

func (a *app) networkCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "network",
		Short: "The networks between hosts",
		Long:  "Heartbeats travel on every network, and a host is gone only when it is silent on all.",
	}
	c.AddCommand(a.networkListCommand(), a.networkShowCommand(), a.networkSetCommand())
	return c
}

func (a *app) networkListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "Every network, which hosts are heard on it, and what can be set",
		Example: "muster network list",
		Args:    takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := a.askStatus(c)
			if err != nil {
				return err
			}
			return a.print(s.Networks, func(w io.Writer) { render.Networks(w, s) })
		},
	}
}

func (a *app) networkShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show NETWORK",
		Short:   "One network: loss, delay and jitter for each other host, what was refused and why, and all parameters",
		Example: "muster network show lan",
		Args:    takes("NETWORK"),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := a.askStatus(c)
			if err != nil {
				return err
			}
			i := slices.IndexFunc(s.Networks, func(n api.NetworkStatus) bool { return n.Name == args[0] })
			if i < 0 {
				return fmt.Errorf("no network %q: the networks are %s", args[0], strings.Join(namesOf(s.Networks), ", "))
			}
			return a.print(s.Networks[i], func(w io.Writer) { render.Network(w, s.Networks[i], s.Host) })
		},
	}
}

func namesOf(networks []api.NetworkStatus) []string {
	names := make([]string, len(networks))
	for i, n := range networks {
		names[i] = n.Name
	}
	return names
}

// askStatus asks the agent how things are.
func (a *app) askStatus(c *cobra.Command) (api.Status, error) {
	client, err := a.client()
	if err != nil {
		return api.Status{}, err
	}
	return client.Status(c.Context())
}

// print writes an answer: as JSON, or as text does for people.
func (a *app) print(v any, text func(io.Writer)) error {
	if a.json {
		return render.JSON(a.out, v)
	}
	w := bufio.NewWriter(a.out)
	text(w)
	return w.Flush()
}
