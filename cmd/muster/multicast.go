package main

import (
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/api/render"
)

// errDeaf ends `multicast test` when somebody does not hear somebody.
var errDeaf = errors.New("multicast does not reach everybody: unicast goes beside it where it does not; on switches with IGMP snooping look for a querier")

func (a *app) multicastCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "multicast",
		Short: "Heartbeats by multicast",
		Long: `With three or more hosts a heartbeat is one datagram for all of them. A host that does not hear the group gets its heartbeats
by unicast, so multicast that breaks costs datagrams and nothing else.`,
	}
	c.AddCommand(&cobra.Command{
		Use:     "show",
		Short:   "Each network's group, how it was found, why it is used or not, and who hears whom",
		Example: "muster multicast show",
		Args:    takes(),
		RunE:    func(c *cobra.Command, _ []string) error { return a.showMulticast(c, false) },
	}, &cobra.Command{
		Use:     "test",
		Short:   "Whether every host hears every other one by multicast; the exit code says so",
		Example: "muster multicast test",
		Args:    takes(),
		RunE:    func(c *cobra.Command, _ []string) error { return a.showMulticast(c, true) },
	})
	return c
}

func (a *app) showMulticast(c *cobra.Command, judge bool) error {
	s, err := a.askStatus(c)
	if err != nil {
		return err
	}
	if err := a.print(s.Networks, func(w io.Writer) { render.Multicast(w, s) }); err != nil {
		return err
	}
	if judge && !reachesAll(s.Networks) {
		return errDeaf
	}
	return nil
}

// reachesAll says whether multicast is used somewhere, and heard by everybody wherever it is used.
func reachesAll(networks []api.NetworkStatus) bool {
	used := false
	for _, n := range networks {
		if !n.Multicast.Used {
			continue
		}
		used = true
		for _, h := range n.Multicast.Hearing {
			if !h.Known || len(h.Deaf) > 0 {
				return false
			}
		}
	}
	return used
}
