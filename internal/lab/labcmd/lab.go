package labcmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/lab"
)

const readyPatience = 20 * time.Second

// New is `muster lab`.
func New() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lab",
		Short: "Build a cluster of network namespaces on this machine, and break it",
		Long: "A lab is a set of hosts and clients in network namespaces on this machine, joined by a bridge of their own. " +
			"Real agents run on the hosts. Nothing else on the machine sees any of it. Root is needed.",
	}
	name := cmd.PersistentFlags().String("lab", "", "name of the lab (default: the only one there is)")
	cmd.AddCommand(newUp(name), newDown(name), newExec(name), newFault(name), newList(), newWeb(), newLoad())
	return cmd
}

// interruptible is a command's context until Ctrl-C or SIGTERM.
func interruptible(cmd *cobra.Command) (context.Context, context.CancelFunc) {
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	return signal.NotifyContext(ctx, os.Interrupt, unix.SIGTERM)
}

// open finds the lab that is meant: by name, or the only one.
func open(name string) (*lab.Lab, error) {
	if name != "" {
		return lab.Open(name)
	}
	names, err := lab.List()
	if err != nil {
		return nil, err
	}
	switch len(names) {
	case 0:
		return nil, errors.New("no lab is up: make one with `muster lab up`")
	case 1:
		return lab.Open(names[0])
	}
	return nil, fmt.Errorf("several labs are up: choose with --lab one of %s", strings.Join(names, ", "))
}

func newUp(name *string) *cobra.Command {
	o := lab.Options{Detached: true}
	var config string
	cmd := &cobra.Command{
		Use: "up", Short: "Build hosts and clients, start the agents and a web application on each host", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			ctx, cancel := interruptible(cmd)
			defer cancel()
			if o.Config, err = readTemplate(config); err != nil {
				return err
			}
			if o.Binary, err = os.Executable(); err != nil {
				return fmt.Errorf("find muster: %w", err)
			}
			o.Name = *name
			return up(ctx, cmd, o)
		},
	}
	cmd.Flags().IntVar(&o.Hosts, "hosts", 3, "number of hosts")
	cmd.Flags().IntVar(&o.Clients, "clients", 1, "number of clients")
	cmd.Flags().StringVar(&o.Dir, "dir", "", "directory for configuration, logs and state (default: a temporary one)")
	cmd.Flags().StringVar(&config, "template", "", "file with a Go text/template of the configuration (default: the example farm)")
	return cmd
}

func readTemplate(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read template: %w", err)
	}
	return string(text), nil
}

func up(ctx context.Context, cmd *cobra.Command, o lab.Options) error {
	l, err := lab.Up(ctx, o)
	if err != nil {
		return err
	}
	if err := serve(ctx, l); err != nil {
		return errors.Join(err, l.Down())
	}
	l.Close()
	l.Explain(cmd.OutOrStdout())
	return nil
}

func serve(ctx context.Context, l *lab.Lab) error {
	if err := l.StartWeb(); err != nil {
		return err
	}
	if err := l.StartAll(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readyPatience)
	defer cancel()
	_, err := l.WaitReady(ctx)
	return err
}

func newDown(name *string) *cobra.Command {
	return &cobra.Command{
		Use: "down", Short: "End everything in the lab and remove it", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			l, err := open(*name)
			if err != nil {
				return err
			}
			return l.Down()
		},
	}
}

func newExec(name *string) *cobra.Command {
	return &cobra.Command{
		Use: "exec NODE -- COMMAND...", Short: "Run a command on a host or client; `muster` stands for this program with the host's agent",
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := open(*name)
			if err != nil {
				return err
			}
			defer l.Close()
			node := l.Node(args[0])
			if node == nil {
				return fmt.Errorf("no node %q in lab %s", args[0], l.Name())
			}
			command := node.Exec(context.Background(), l.Expand(args[0], args[1:])...)
			command.Stdin, command.Stdout, command.Stderr = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
			// Ctrl-C is for the command, which has the same terminal; this program waits for its end.
			interrupts := make(chan os.Signal, 1)
			signal.Notify(interrupts, os.Interrupt)
			defer signal.Stop(interrupts)
			return command.Run()
		},
	}
}

func newList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "Name the labs of this machine", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			names, err := lab.List()
			for _, n := range names {
				fmt.Fprintln(cmd.OutOrStdout(), n)
			}
			return err
		},
	}
}

const faults = `  cut            power cut: link down and everything on the host killed
  restore        power on after a cut; what ran before runs again
  unplug, plug   pull the network cable out, put it in
  freeze, thaw   stop every process of the host, let it go on
  kill           kill -9 of the agent alone
  start          start the agent again
  loss P         lose P per cent of the heartbeats that the host sends
  loss-all P     lose P per cent of all frames that the host sends
  partition G    divide the network into groups of nodes: a,b/c (NODE is -)
  divide G       the same, but clients go on reaching everybody (NODE is -)
  heal           end partition and divide (NODE is -)`

func newFault(name *string) *cobra.Command {
	return &cobra.Command{
		Use: "fault NODE FAULT [VALUE]", Short: "Break something, or mend it", Long: "Faults:\n" + faults,
		Args: cobra.RangeArgs(2, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := open(*name)
			if err != nil {
				return err
			}
			defer l.Close()
			value := ""
			if len(args) == 3 {
				value = args[2]
			}
			return fault(l, args[0], args[1], value)
		},
	}
}

// fault does one fault, for the network or for a host.
func fault(l *lab.Lab, node, kind, value string) error {
	switch kind {
	case "partition":
		return l.Partition(lab.ParseGroups(value)...)
	case "divide":
		return l.Divide(lab.ParseGroups(value)...)
	case "heal":
		return l.Heal()
	}
	h := l.Host(node)
	if h == nil {
		return fmt.Errorf("no host %q in lab %s", node, l.Name())
	}
	switch kind {
	case "loss", "loss-all":
		percent, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return fmt.Errorf("loss %q: give per cent, for example 20", value)
		}
		port := uint16(lab.HeartbeatPort)
		if kind == "loss-all" {
			port = 0
		}
		return h.Loss(percent, port, lab.Sent)
	}
	act, ok := map[string]func() error{
		"cut": func() error { _, err := h.PowerCut(); return err }, "restore": h.PowerOn,
		"unplug": h.LinkDown, "plug": h.LinkUp, "freeze": h.Freeze, "thaw": h.Thaw,
		"kill": func() error { _, err := h.Kill(); return err }, "start": h.Start,
	}[kind]
	if !ok {
		return fmt.Errorf("no fault %q; there are:\n%s", kind, faults)
	}
	return act()
}
