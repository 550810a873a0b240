package main

import (
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/api/render"
)

// Errors of `network set` when the settings are made, and not all is well.
var (
	errLacking = errors.New("not every host that is heard has confirmed the settings: they get them as soon as they can; see `muster status`")
	errNotKept = errors.New("the settings are in effect, but this host cannot keep them over a restart of the whole cluster")
)

func (a *app) networkSetCommand() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "set NETWORK KEY=VALUE...",
		Short: "Set parameters of a network by hand on all hosts, over what the file says",
		Long: `The settings are in effect at once on all hosts, without a restart, and stay over restarts. A host that is not heard gets
them when it returns. KEY= takes an override back: then the file counts again. With --cluster instead of NETWORK they are of
all networks.

` + "`muster network show NETWORK`" + ` lists all parameters. The private properties of Windows Server 2003 are understood by their
names, such as MulticastDisabled=1:DWORD; unlike there, a value that cannot be meant is an error and changes nothing.`,
		Example: "muster network set lan address=239.255.7.9\nmuster network set lan disabled=true\nmuster network set --cluster MulticastClusterDisabled=0:DWORD\nmuster network set lan address= disabled=",
		RunE: func(c *cobra.Command, args []string) error {
			r := api.SettingsRequest{Settings: args}
			if !all {
				r = api.SettingsRequest{Network: args[0], Settings: args[1:]}
			}
			return a.setNetwork(c, r)
		},
	}
	c.Args = func(c *cobra.Command, args []string) error { return settingsArgs(all, args) }
	c.Flags().BoolVar(&all, "cluster", false, "set parameters of all networks")
	return c
}

// settingsArgs wants a network, unless all are meant, and settings.
func settingsArgs(all bool, args []string) error {
	if !all {
		if len(args) == 0 || strings.Contains(args[0], "=") {
			return usagef("NETWORK is missing: `muster network set NETWORK KEY=VALUE...`, or --cluster for all networks")
		}
		args = args[1:]
	}
	if len(args) == 0 {
		return usagef("KEY=VALUE is missing: for example `address=239.255.7.9`")
	}
	for _, s := range args {
		if !strings.Contains(s, "=") {
			return usagef("%q is no setting: write KEY=VALUE, or KEY= to go back to the file", s)
		}
	}
	return nil
}

func (a *app) setNetwork(c *cobra.Command, r api.SettingsRequest) error {
	client, err := a.client()
	if err != nil {
		return err
	}
	answer, err := client.SetNetwork(c.Context(), r)
	if err != nil {
		return err
	}
	if err := a.print(answer, func(w io.Writer) { render.Settings(w, answer) }); err != nil {
		return err
	}
	switch {
	case len(answer.Lacking) > 0:
		return errLacking
	case answer.NotKept != "":
		return errNotKept
	}
	return nil
}
