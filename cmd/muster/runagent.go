package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"

	"github.com/spf13/cobra"

	"github.com/muster-ha/muster/internal/agent"
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/filter"
	"github.com/muster-ha/muster/internal/guard"
)

// runAgent is the only place that starts an agent.
func (a *app) runAgent(ctx context.Context, file *config.Config, host string, f runFlags, log *slog.Logger) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	return agent.Run(ctx, agent.Options{
		Config:     file,
		ConfigPath: a.config,
		Host:       host,
		RunDir:     cmp.Or(a.givenRunDir(), file.RunDir),
		StateDir:   cmp.Or(f.stateDir, file.StateDir),
		Version:    buildVersion(),
		Log:        log,
		Guard: func() *exec.Cmd {
			c := exec.Command(self, guardCommand)
			c.Env = append(os.Environ(), "GOMAXPROCS=1") // it only waits
			return c
		},
	})
}

const guardCommand = "guard"

// guardCommand is what an agent runs beside itself; it is of no use to a person.
func (a *app) guardCommand() *cobra.Command {
	return &cobra.Command{
		Use:    guardCommand,
		Short:  "Tell the other hosts when the agent dies",
		Hidden: true,
		Args:   takes(),
		RunE: func(*cobra.Command, []string) error {
			_, err := guard.Main(os.Stdin, filter.Revoke)
			return err
		},
	}
}
