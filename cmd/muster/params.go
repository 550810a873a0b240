package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/api/render"
)

func (a *app) paramsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "params [HOST]",
		Short: "Every parameter as it is in use, and where its value comes from",
		Long: `Prints the parameters of cluster, networks, hosts, virtual addresses, rules and checks as this host's agent uses them, also those that the file does
not mention, each with where it comes from: default, file, set by hand (on which host, when, and how it is taken back), or agreed on by the
hosts. With HOST, of the hosts only that one.`,
		Example:           "muster params\nmuster params b\nmuster params --json | jq '.parameters[] | select(.source == \"override\")'",
		Args:              takesAtMost("HOST"),
		ValidArgsFunction: a.completeHosts,
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			p, err := client.Params(c.Context())
			if err != nil {
				return err
			}
			if len(args) > 0 {
				if p, err = paramsOf(p, args[0]); err != nil {
					return err
				}
			}
			return a.print(p, func(w io.Writer) { render.Params(w, p) })
		},
	}
}

// paramsOf leaves out what is of other hosts.
func paramsOf(p api.Params, host string) (api.Params, error) {
	var hosts []string
	for _, e := range p.Parameters {
		if name, ok := strings.CutPrefix(e.About, "host "); ok && !slices.Contains(hosts, name) {
			hosts = append(hosts, name)
		}
	}
	if !slices.Contains(hosts, host) {
		return p, fmt.Errorf("no host %q: the hosts are %s", host, strings.Join(hosts, ", "))
	}
	p.Parameters = slices.DeleteFunc(p.Parameters, func(e api.EffectiveParameter) bool {
		return strings.HasPrefix(e.About, "host ") && e.About != "host "+host
	})
	return p, nil
}
