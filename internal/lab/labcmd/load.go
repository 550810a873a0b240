package labcmd

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-ha/muster/internal/lab/load"
	"github.com/muster-ha/muster/internal/lab/web"
)

func newWeb() *cobra.Command {
	var o web.Options
	cmd := &cobra.Command{
		Use: "web", Short: "Serve this host's name over HTTP, and an echo", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := interruptible(cmd)
			defer cancel()
			return web.Run(ctx, o)
		},
	}
	cmd.Flags().StringVar(&o.Name, "name", "", "name of the host")
	cmd.Flags().StringVar(&o.Listen, "listen", "", "address for HTTP, for example :80")
	cmd.Flags().StringVar(&o.Echo, "echo", "", "address for the echo, for example :7")
	cmd.Flags().IntVar(&o.Corrupt, "corrupt", 0, "flip a bit of every N-th block of the echo, to prove that a load notices")
	return cmd
}

type loadFlags struct {
	target   string
	duration time.Duration
	table    bool
}

func newLoad() *cobra.Command {
	cmd := &cobra.Command{Use: "load", Short: "Play clients and write what they see as JSON lines"}
	cmd.AddCommand(newLoadHTTP(), newLoadEcho())
	return cmd
}

func (f *loadFlags) add(cmd *cobra.Command, target string) {
	cmd.Flags().StringVar(&f.target, "target", target, "address and port")
	cmd.Flags().DurationVar(&f.duration, "duration", 0, "how long (default: until Ctrl-C)")
	cmd.Flags().BoolVar(&f.table, "table", false, "write a summary instead of JSON lines")
}

func newLoadHTTP() *cobra.Command {
	var f loadFlags
	var o load.HTTPOptions
	cmd := &cobra.Command{
		Use: "http", Short: "Open new connections at a fixed rate, one request on each", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.Target, err = parseTarget(f.target); err != nil {
				return err
			}
			o.Duration = f.duration
			return f.run(cmd, func(ctx context.Context, emit func(load.Record)) error { return load.HTTP(ctx, o, emit) })
		},
	}
	f.add(cmd, "10.77.0.100:80")
	cmd.Flags().IntVar(&o.Rate, "rate", 500, "connections a second")
	cmd.Flags().DurationVar(&o.Timeout, "timeout", load.DefaultTimeout,
		"of an attempt; below 1s a lost first SYN fails it, above it is only late")
	cmd.Flags().StringVar(&o.Path, "path", "/", "what to ask for")
	return cmd
}

func newLoadEcho() *cobra.Command {
	var f loadFlags
	var o load.EchoOptions
	cmd := &cobra.Command{
		Use: "echo", Short: "Keep connections open and check every byte that comes back", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.Target, err = parseTarget(f.target); err != nil {
				return err
			}
			o.Duration = f.duration
			return f.run(cmd, func(ctx context.Context, emit func(load.Record)) error { return load.Echo(ctx, o, emit) })
		},
	}
	f.add(cmd, "10.77.0.100:7")
	cmd.Flags().IntVar(&o.Conns, "conns", 100, "connections")
	cmd.Flags().DurationVar(&o.Interval, "interval", load.DefaultInterval, "between two exchanges of a connection")
	cmd.Flags().DurationVar(&o.Silence, "silence", load.DefaultSilence, "without an answer after which a connection is broken")
	cmd.Flags().DurationVar(&o.Stall, "stall", load.DefaultStall, "an exchange longer than this is reported")
	cmd.Flags().Uint64Var(&o.Seed, "seed", 1, "of the random data")
	cmd.Flags().BoolVar(&o.Reopen, "reopen", false, "put a new connection in place of a broken one")
	return cmd
}

func parseTarget(text string) (netip.AddrPort, error) {
	target, err := netip.ParseAddrPort(text)
	if err != nil {
		return target, fmt.Errorf("target %q: give address and port, for example 10.77.0.100:80", text)
	}
	return target, nil
}

// run runs a load and writes its records, or their summary.
func (f *loadFlags) run(cmd *cobra.Command, play func(context.Context, func(load.Record)) error) error {
	ctx, cancel := interruptible(cmd)
	defer cancel()
	if !f.table {
		emit, failed := load.Write(cmd.OutOrStdout())
		return errors.Join(play(ctx, emit), failed())
	}
	var records []load.Record
	var end time.Duration
	err := play(ctx, func(r load.Record) {
		records, end = append(records, r), max(end, r.At+r.Took)
	})
	phases := load.Summarise(records, []load.Mark{{Name: "load"}}, end)
	return errors.Join(err, load.Table(cmd.OutOrStdout(), phases))
}
