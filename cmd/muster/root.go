package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/muster-ha/muster/internal/lab/labcmd"
)

const defaultConfig = "/etc/muster/muster.yaml"

// app holds the global flags and where output goes.
type app struct {
	config string
	runDir string
	json   bool
	out    io.Writer
	err    io.Writer
}

func newRoot(out, errOut io.Writer) *cobra.Command {
	a := &app{out: out, err: errOut}
	root := &cobra.Command{
		Use:           "muster",
		Short:         "Ordinary Linux hosts as one highly available system",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetOut(out)
	root.SetErr(errOut)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usagef("%w: see `%s --help`", err, c.CommandPath())
	})
	root.CompletionOptions.HiddenDefaultCmd = true
	flags := root.PersistentFlags()
	flags.StringVarP(&a.config, "config", "c", defaultConfig, "the cluster's configuration `FILE`")
	flags.StringVar(&a.runDir, "run-dir", "", "run `DIRECTORY` of the agent (default: $MUSTER_RUN_DIR, then run_dir of the configuration)")
	flags.BoolVar(&a.json, "json", false, "print the result as JSON, which is stable")
	root.AddCommand(a.runCommand(), a.stopCommand(), a.reloadCommand(), a.checkCommand(), a.keyCommand(), a.statusCommand(),
		a.hostCommand(), a.ruleCommand(), a.paramsCommand(), a.switchCommand(), a.explainCommand(), a.networkCommand(), a.multicastCommand(), a.eventsCommand(), a.versionCommand(),
		a.guardCommand(), a.madcapCommand(), labcmd.New(), labcmd.NewDemo())
	root.AddCommand(a.metricsCommand(), a.doctorCommand(), a.ip2macCommand())
	strict(root)
	return root
}

// strict makes wrong arguments of every command wrong usage, also of commands from other packages.
func strict(c *cobra.Command) {
	if !c.Runnable() {
		group(c)
	}
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usageError{err}
			}
			return nil
		}
	}
	for _, child := range c.Commands() {
		strict(child)
	}
}

// group makes a command that only holds others: alone it prints its help, and an unknown word is wrong usage.
func group(c *cobra.Command) *cobra.Command {
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usagef("unknown command %q: see `%s --help`", args[0], c.CommandPath())
		}
		return c.Help()
	}
	return c
}

// takes wants exactly the named arguments.
func takes(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return fmt.Errorf("%s is missing: `%s`", names[len(args)], c.UseLine())
		case len(args) > len(names):
			return fmt.Errorf("%q is one argument too many: `%s`", args[len(names)], c.UseLine())
		}
		return nil
	}
}
