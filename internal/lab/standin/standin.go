package standin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// New is a stand-in for the root command.
func New() *cobra.Command {
	var a agent
	root := &cobra.Command{Use: "muster", SilenceUsage: true}
	root.PersistentFlags().StringVarP(&a.config, "config", "c", "", "configuration")
	root.PersistentFlags().StringVar(&a.runDir, "run-dir", "", "run directory")
	root.PersistentFlags().Bool("json", false, "ignored: status is always JSON")

	run := &cobra.Command{Use: "run", RunE: func(*cobra.Command, []string) error {
		ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
		defer cancel()
		return a.run(ctx)
	}}
	run.Flags().StringVar(&a.host, "host", "", "name")
	run.Flags().String("state-dir", "", "ignored")
	status := &cobra.Command{Use: "status", RunE: func(cmd *cobra.Command, _ []string) error {
		data, err := os.ReadFile(a.statusPath())
		if err != nil {
			return err
		}
		_, err = cmd.OutOrStdout().Write(data)
		return err
	}}
	host := &cobra.Command{Use: "host", Args: cobra.ExactArgs(2), RunE: func(_ *cobra.Command, args []string) error {
		return a.drain(args[0] == "drain", args[1])
	}}
	key := &cobra.Command{Use: "key", Args: cobra.ExactArgs(2), RunE: func(_ *cobra.Command, args []string) error {
		return os.WriteFile(args[1], []byte("stand-in\n"), 0o600)
	}}
	root.AddCommand(run, status, host, key)
	return root
}

// agent is one host's.
type agent struct {
	config, runDir, host string

	peers map[string]netip.Addr
	vip   netip.Prefix
	alive map[string]peer
	began time.Time
	has   bool // the address is here
}

var (
	hostLine = regexp.MustCompile(`(?m)^  (\w+): \{address: ([0-9.]+)\}`)
	vipLine  = regexp.MustCompile(`(?m)^    address: ([0-9./]+)`)
)

// read takes what it needs out of a configuration.
func (a *agent) read() error {
	text, err := os.ReadFile(a.config)
	if err != nil {
		return err
	}
	a.peers = make(map[string]netip.Addr)
	for _, m := range hostLine.FindAllStringSubmatch(string(text), -1) {
		if a.peers[m[1]], err = netip.ParseAddr(m[2]); err != nil {
			return err
		}
	}
	m := vipLine.FindStringSubmatch(string(text))
	if m == nil || len(a.peers) == 0 {
		return errors.New("no VIP or no hosts in the configuration")
	}
	a.vip, err = netip.ParsePrefix(m[1])
	return err
}

func (a *agent) statusPath() string { return filepath.Join(a.runDir, "status.json") }

// drainPath is a file that is there while a host is drained; run directories stand side by side.
func (a *agent) drainPath(host string) string { return filepath.Join(a.runDir, "..", host, "drained") }

func (a *agent) drain(on bool, host string) error {
	if on {
		return os.WriteFile(a.drainPath(host), nil, 0o644)
	}
	if err := os.Remove(a.drainPath(host)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// write says what this host knows. The epoch is made from the set of hosts: equal sets, equal epochs is all that is asked of it here.
func (a *agent) write() error {
	type host struct {
		Name  string `json:"name"`
		State string `json:"state"`
	}
	status := struct {
		Epoch int    `json:"epoch"`
		Hosts []host `json:"hosts"`
	}{Epoch: 1}
	for i, name := range a.names() {
		p, ok := a.alive[name]
		state := "silent"
		if ok {
			state = "serving"
			status.Epoch += 2 << i
		}
		if ok && p.drained {
			state = "drained"
		}
		status.Hosts = append(status.Hosts, host{name, state})
	}
	data, err := json.Marshal(status)
	if err != nil {
		return err
	}
	next := a.statusPath() + ".new"
	if err := os.WriteFile(next, data, 0o644); err != nil {
		return fmt.Errorf("write status: %w", err)
	}
	return os.Rename(next, a.statusPath())
}

func (a *agent) names() []string {
	var names []string
	for name := range a.peers {
		names = append(names, name)
	}
	slices.SortFunc(names, strings.Compare)
	return names
}
