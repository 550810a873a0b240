package main

import (
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/muster-ha/muster/internal/config"
)

// runFlags are the flags of `muster run`.
type runFlags struct {
	host     string
	stateDir string
	level    string
}

func (a *app) runCommand() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "run",
		Short: "Run this host's agent in the foreground",
		Long: `Joins the cluster and serves until it is stopped. SIGTERM and SIGINT hand over first and put the host back as it was found; SIGHUP
reads the file again. Under systemd it reports ready when it is in a view and its filter is armed. The log goes to standard
error: text on a terminal, JSON otherwise.`,
		Example: "muster run -c /etc/muster/muster.yaml\nmuster run -c farm.yaml --host a --run-dir /run/muster-a --state-dir /var/lib/muster-a",
		Args:    takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			var level slog.Level
			if err := level.UnmarshalText([]byte(f.level)); err != nil {
				return usagef("log level %q: want debug, info, warn or error", f.level)
			}
			file, err := config.Load(a.config)
			if err != nil {
				return err
			}
			host, err := whoAmI(file, f.host)
			if err != nil {
				return err
			}
			return a.runAgent(c.Context(), file, host, f, newLogger(os.Stderr, level))
		},
	}
	c.Flags().StringVar(&f.host, "host", "", "`NAME` of this host in the file (default: the one with this machine's name or address)")
	c.Flags().StringVar(&f.stateDir, "state-dir", "", "state `DIRECTORY` (default: state_dir of the configuration)")
	c.Flags().StringVar(&f.level, "log-level", "info", "least `LEVEL` to log: debug, info, warn or error")
	return c
}

// newLogger writes for people on a terminal and for programs elsewhere.
func newLogger(w *os.File, level slog.Level) *slog.Logger {
	return logger(w, level, term.IsTerminal(int(w.Fd())))
}

func logger(w io.Writer, level slog.Level, terminal bool) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	if terminal {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}
