package main

import (
	"errors"
	"io/fs"
	"os"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/config"
)

// runDirVariable names the run directory for a whole shell, for those who run several agents on one machine.
const runDirVariable = "MUSTER_RUN_DIR"

// client returns a client of the agent that the flags, the environment or the configuration name, in this order.
func (a *app) client() (*api.Client, error) {
	dir, err := a.chosenRunDir()
	if err != nil {
		return nil, err
	}
	return api.New(dir), nil
}

func (a *app) chosenRunDir() (string, error) {
	if dir := a.givenRunDir(); dir != "" {
		return dir, nil
	}
	if _, err := os.Stat(a.config); errors.Is(err, fs.ErrNotExist) {
		return "", usagef("which agent? There is no %s: name the configuration with -c FILE, or the run directory with --run-dir or %s", a.config, runDirVariable)
	}
	file, err := config.Load(a.config)
	if err != nil {
		return "", usagef("which agent? The configuration is not good; name the run directory with --run-dir or %s, or mend the file:\n%w", runDirVariable, err)
	}
	return file.RunDir, nil
}

// givenRunDir is the run directory of the flags or the environment; empty if they say nothing.
func (a *app) givenRunDir() string {
	if a.runDir != "" {
		return a.runDir
	}
	return os.Getenv(runDirVariable)
}
