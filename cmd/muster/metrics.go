package main

import (
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-ha/muster/internal/api/render"
	"github.com/muster-ha/muster/internal/metrics"
)

func (a *app) metricsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "metrics",
		Short: "Print the host's metrics in the text format of Prometheus",
		Long: `Prints what the agent says at /metrics of its control socket: the status as numbers, with the names that docs/metrics.md lists.
With --json every series is an object with name, labels and value.`,
		Example: "muster metrics\nmuster metrics | grep loss_ratio",
		Args:    takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			text, err := client.Metrics(c.Context())
			if err != nil {
				return err
			}
			if !a.json {
				_, err = io.WriteString(a.out, text)
				return err
			}
			list, err := metrics.Samples(strings.NewReader(text))
			if err != nil {
				return err
			}
			return render.JSON(a.out, list)
		},
	}
}
