package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"github.com/muster-ha/muster/internal/lessor"
	"github.com/muster-ha/muster/madcap"
)

// serveFlags are the flags of `muster madcap serve`.
type serveFlags struct {
	leases     string
	address    string
	interfaces []string
	scopes     []string
	maxTime    time.Duration
	rest       time.Duration
	level      string
}

func (a *app) madcapServeCommand() *cobra.Command {
	var f serveFlags
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run a MADCAP server in the foreground",
		Long: `Hands out multicast addresses until it is stopped, and keeps the leases in a file: each is on disk before it is acknowledged, so
leases survive a kill -9. SIGTERM and SIGINT end it. Under systemd it reports ready when its sockets are open. The log goes to standard
error: text on a terminal, JSON otherwise. UDP port 2535 has to pass.

A scope is a prefix or FIRST-LAST, then, after commas: ttl=N (default 16), name=TEXT and name.LANGUAGE=TEXT, inside=FIRST of a scope
around it, pool=FIRST-LAST to hand out no more than these addresses. Servers beside each other need pools that do not overlap.`,
		Example: `muster madcap serve --interface eth0
muster madcap serve --address 192.0.2.1 --scope '239.255.0.0/16,name=Shop,inside=239.192.0.0' --scope '239.192.0.0/14,name=Firm,name.de=Firma,ttl=32'
muster madcap serve --address 2001:db8::1 --scope 'ff15::8000:0-ff15::ffff:ffff,name=Site'`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			o, err := f.options()
			if err != nil {
				return err
			}
			err = lessor.Serve(c.Context(), o)
			if errors.Is(err, lessor.ErrPlace) {
				return usagef("%w: --interface NAME or --address ADDRESS", err)
			}
			return err
		},
	}
	c.Flags().StringVar(&f.leases, "leases", "/var/lib/muster/madcap.json", "lease `FILE`")
	c.Flags().StringVar(&f.address, "address", "", "`ADDRESS` of this machine at which clients reach the server (default: the first one of the first --interface)")
	c.Flags().StringArrayVar(&f.interfaces, "interface", nil, "`NAME` of an interface on which clients are heard, may be said again (default: the one of --address)")
	c.Flags().StringArrayVar(&f.scopes, "scope", nil, "`SCOPE` to hand out, the smallest first, may be said again (default: 239.255.0.0/16, or ff15::8000:0-ff15::ffff:ffff with an IPv6 address, less the last 256 addresses)")
	c.Flags().DurationVar(&f.maxTime, "max-time", 24*time.Hour, "longest `TIME` of a lease; who asks for more gets this")
	c.Flags().DurationVar(&f.rest, "rest", madcap.ExtraAllocationTime, "`TIME` for which an address rests before and after a lease, for clocks that differ")
	c.Flags().StringVar(&f.level, "log-level", "info", "least `LEVEL` to log: debug, info, warn or error")
	return c
}

// options reads the flags.
func (f serveFlags) options() (lessor.Options, error) {
	o := lessor.Options{Leases: f.leases, Interfaces: f.interfaces, MaxTime: f.maxTime, Extra: f.rest}
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.level)); err != nil {
		return o, usagef("log level %q: want debug, info, warn or error", f.level)
	}
	if f.address != "" {
		var err error
		if o.Address, err = netip.ParseAddr(f.address); err != nil || o.Address.Zone() != "" {
			return o, usagef("address %q: want an IPv4 or IPv6 address, without an interface", f.address)
		}
	}
	switch {
	case f.maxTime < time.Second:
		return o, usagef("max-time %v: want 1s or more", f.maxTime)
	case f.rest < 0:
		return o, usagef("rest %v: want 0s or more", f.rest)
	case f.rest == 0:
		o.Extra = -1 // none at all
	}
	for _, text := range f.scopes {
		s, err := lessor.ParseScope(text)
		if err != nil {
			return o, usageError{err}
		}
		o.Scopes = append(o.Scopes, s)
	}
	o.Log = newLogger(os.Stderr, level)
	o.Ready = func() {
		// Without a service manager this does nothing; without the message it times out and says so.
		_, _ = daemon.SdNotify(false, daemon.SdNotifyReady)
	}
	return o, nil
}

// annotate puts what to do behind an error.
func annotate(err error, what string) error { return fmt.Errorf("%w (%s)", err, what) }
