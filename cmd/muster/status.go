package main

import (
	"bufio"

	"github.com/spf13/cobra"

	"github.com/muster-ha/muster/internal/api/render"
)

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Who serves what, and what is wrong",
		Long: `Prints the cluster as this host's agent knows it: hosts, virtual addresses with their split, checks with the last probe
of those that are not up, the filter, and problems with their remedies. What is not known is printed as "unknown".
The exit code says whether the agent answered, not whether the cluster is well.`,
		Example: "muster status\nmuster status --json | jq .epoch",
		Args:    takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			s, err := client.Status(c.Context())
			if err != nil {
				return err
			}
			if a.json {
				return render.JSON(a.out, s)
			}
			w := bufio.NewWriter(a.out)
			render.Status(w, s)
			return w.Flush()
		},
	}
}
