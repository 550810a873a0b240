package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/muster-ha/muster/internal/agent"
	"github.com/muster-ha/muster/internal/api/render"
	"github.com/muster-ha/muster/internal/config"
)

// verdict is the result of a check as JSON.
type verdict struct {
	File      string          `json:"file"`
	Good      bool            `json:"good"`
	Hosts     int             `json:"hosts"`
	VIPs      int             `json:"vips"`
	Rules     int             `json:"rules"`
	Checks    int             `json:"checks"`
	Digest    string          `json:"digest"`
	Problems  config.Problems `json:"problems"`
	Warnings  config.Problems `json:"warnings"`  // of a good file
	Overrides []string        `json:"overrides"` // what was set by hand and is kept on this machine
}

func (a *app) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check [FILE]",
		Short: "Find every problem of a configuration file",
		Long: `Prints every problem of the file, one a line: file, line, column, what is wrong, what would be right. Changes nothing and
needs no agent. Without FILE it checks the one of -c. Exits with 2 if the file is not good. What of a good file is not followed is
printed as a warning, and what was set by hand and lies over it, as far as this machine has it, as an override.`,
		Example: "muster check farm.yaml",
		Args:    atMostOne,
		RunE: func(_ *cobra.Command, args []string) error {
			path := a.config
			if len(args) > 0 {
				path = args[0]
			}
			return a.check(path)
		},
	}
}

func (a *app) check(path string) error {
	file, err := config.Load(path)
	var problems config.Problems
	if err != nil && !errors.As(err, &problems) {
		return usageError{err}
	}
	if err == nil {
		return a.good(path, file)
	}
	if a.json {
		if err := render.JSON(a.out, verdict{File: path, Problems: problems, Warnings: config.Problems{}, Overrides: []string{}}); err != nil {
			return err
		}
	} else if _, err := fmt.Fprintln(a.out, problems.Error()); err != nil {
		return err
	}
	return usagef("%s is not good: %s", path, count(len(problems), "problem"))
}

func (a *app) good(path string, c *config.Config) error {
	if a.json {
		return render.JSON(a.out, verdict{File: path, Good: true, Hosts: len(c.Hosts), VIPs: len(c.VIPs), Rules: len(c.Rules),
			Checks: len(c.Checks), Digest: fmt.Sprintf("%x", c.Digest), Problems: config.Problems{}, Warnings: append(config.Problems{}, c.Warnings...), Overrides: overrideLines(c)})
	}
	for _, w := range c.Warnings {
		if _, err := fmt.Fprintf(a.out, "warning: %v\n", w); err != nil {
			return err
		}
	}
	for _, o := range overrideLines(c) {
		if _, err := fmt.Fprintf(a.out, "override: %s\n", o); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(a.out, "%s: good: %s, %s, %s\n", path, count(len(c.Hosts), "host"), count(len(c.VIPs), "VIP"), count(len(c.Rules), "rule"))
	return err
}

// overrideLines are what lies over the file on this machine, each with the command that takes it back.
func overrideLines(c *config.Config) []string {
	lines := []string{}
	for _, o := range agent.KeptOverrides(c) {
		lines = append(lines, o.Text()+": back to the file with `"+o.Undo()+"`")
	}
	return lines
}

// count is a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func atMostOne(c *cobra.Command, args []string) error {
	if len(args) > 1 {
		return fmt.Errorf("%q is one argument too many: `%s`", args[1], c.UseLine())
	}
	return nil
}
