package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"

	"github.com/muster-ha/muster/internal/config"
)

// runAgent is the only place that starts an agent.
func (a *app) runAgent(_ context.Context, file *config.Config, _ string, f runFlags, _ *slog.Logger) error {
	_, _ = cmp.Or(a.givenRunDir(), file.RunDir), cmp.Or(f.stateDir, file.StateDir)
	return errors.New("the agent is not wired yet")
}
