package labcmd

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/muster-ha/muster/internal/lab/demo"
)

// NewDemo is `muster demo`.
func NewDemo() *cobra.Command {
	var o demo.Options
	cmd := &cobra.Command{
		Use: "demo", Short: "A three-host cluster on this machine, a client, failures, a report", Args: cobra.NoArgs,
		Long: "Builds three hosts and a client in network namespaces, loads the shared address and breaks things for half a minute. " +
			"Root is needed. Ctrl-C removes everything.",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			ctx, cancel := interruptible(cmd)
			defer cancel()
			if o.Binary, err = os.Executable(); err != nil {
				return fmt.Errorf("find muster: %w", err)
			}
			o.Out = cmd.OutOrStdout()
			file, isFile := o.Out.(*os.File)
			o.Terminal = isFile && term.IsTerminal(int(file.Fd()))
			return demo.Run(ctx, o)
		},
	}
	cmd.Flags().StringVar(&o.Name, "lab", "", "name of the lab (default: a random one)")
	cmd.Flags().BoolVar(&o.Stay, "stay", false, "leave the cluster running and say how to look at it")
	cmd.Flags().Float64Var(&o.Pace, "pace", 1, "factor of all pauses")
	return cmd
}
