package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/muster-ha/muster/internal/api/render"
	"github.com/muster-ha/muster/internal/config"
)

func (a *app) keyCommand() *cobra.Command {
	c := &cobra.Command{Use: "key", Short: "The secret that the hosts share, and the keys that they draw"}
	c.AddCommand(&cobra.Command{
		Use:     "new FILE",
		Short:   "Make a new secret",
		Long:    "Writes a random secret to a new file that only its owner may read. A file that exists is never overwritten.",
		Example: "muster key new /etc/muster/secret.key",
		Args:    takes("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := config.NewSecret(args[0]); err != nil {
				return err
			}
			path, err := filepath.Abs(args[0])
			if err != nil {
				return fmt.Errorf("name secret: %w", err)
			}
			return a.newKey(path)
		},
	})
	c.AddCommand(a.keyListCommand(), a.keyRotateCommand())
	return c
}

func (a *app) newKey(path string) error {
	if a.json {
		return render.JSON(a.out, map[string]string{"file": path})
	}
	fmt.Fprintln(a.out, path)
	_, err := fmt.Fprintf(a.err, `Next: copy it to the same place on every host of the cluster, readable by root alone, for example
  scp -p %s root@HOST:%s
and name it in the configuration: secret_file: %s
`, path, path, filepath.Base(path))
	return err
}
