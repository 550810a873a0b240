package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-ha/muster/madcap"
)

func (a *app) madcapLeaseCommand() *cobra.Command {
	var k asking
	var scope, file string
	var count int
	var length time.Duration
	c := &cobra.Command{
		Use:   "lease",
		Short: "Lease multicast addresses",
		Long: `Asks the servers of the network for addresses, takes the best offer and prints the lease. Without --scope it takes the first scope
that a server lists, which is the smallest. The lease ends by itself; to renew or release it keep it with --file, or keep what --json
prints. Whoever can read it can release it.`,
		Example: "muster madcap lease --interface eth0 --time 8h --file group.json\nmuster madcap lease --server 192.0.2.1 --scope 239.192.0.0 --count 4 --json",
		Args:    takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			r := madcap.Request{Desired: count, Time: length, Prefer: []madcap.Feature{madcap.SharedLeaseID}}
			if count < 1 || length < time.Second {
				return usagef("count %d, time %v: want at least 1 address for at least 1s", count, length)
			}
			if err := absent(file); err != nil {
				return err
			}
			lease, err := k.lease(c, scope, r)
			if err != nil {
				return k.unanswered(err)
			}
			return a.keepLease(lease, file)
		},
	}
	k.flags(c)
	c.Flags().StringVar(&scope, "scope", "", "`FIRST` address of the scope (default: the smallest one)")
	c.Flags().IntVar(&count, "count", 1, "how many addresses")
	c.Flags().DurationVar(&length, "time", time.Hour, "for this `TIME`")
	c.Flags().StringVar(&file, "file", "", "keep the lease in a new `FILE`")
	return c
}

// lease finds the scope and leases addresses of it.
func (k *asking) lease(c *cobra.Command, scope string, r madcap.Request) (madcap.Lease, error) {
	client, server, err := k.client()
	if err != nil {
		return madcap.Lease{}, err
	}
	ctx, cancel := k.within(c)
	defer cancel()
	r.Server = server
	if r.Scope, err = k.scope(ctx, client, server, scope); err != nil {
		return madcap.Lease{}, err
	}
	return client.Lease(ctx, r)
}

// scope finds the scope that is named, or the smallest one, among those that servers list.
func (k *asking) scope(ctx context.Context, client *madcap.Client, server netip.Addr, name string) (madcap.Scope, error) {
	var want netip.Addr
	if name != "" {
		var err error
		if want, err = netip.ParseAddr(name); err != nil || !want.IsMulticast() {
			return madcap.Scope{}, usagef("scope %q: want the first address of a scope, such as 239.255.0.0", name)
		}
	}
	found, err := client.Scopes(ctx, server, "")
	if err != nil {
		return madcap.Scope{}, err
	}
	var have []netip.Addr
	for _, info := range found {
		for _, s := range info.Scopes {
			if !want.IsValid() || s.First == want {
				return s, nil
			}
			if !slices.Contains(have, s.First) {
				have = append(have, s.First)
			}
		}
	}
	return madcap.Scope{}, fmt.Errorf("no server has the scope %s: they have %s", name, joined(have))
}

func (a *app) madcapRenewCommand() *cobra.Command {
	var k asking
	var length time.Duration
	c := &cobra.Command{
		Use:     "renew FILE",
		Short:   "Renew a lease that is kept in a file",
		Long:    "Asks the lease's server for more time, counted from now, and keeps the renewed lease in the file. On an error the old lease stands until it ends.",
		Example: "muster madcap renew group.json --time 8h",
		Args:    takes("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			return k.withLease(c, args[0], func(ctx context.Context, client *madcap.Client, l madcap.Lease) error {
				renewed, err := client.Renew(ctx, l, madcap.Terms{Time: length})
				if err != nil {
					return err
				}
				return a.keepLease(renewed, args[0])
			})
		},
	}
	k.flags(c)
	c.Flags().DurationVar(&length, "time", time.Hour, "for this `TIME` from now on")
	return c
}

func (a *app) madcapReleaseCommand() *cobra.Command {
	var k asking
	c := &cobra.Command{
		Use:     "release FILE",
		Short:   "Give a lease back that is kept in a file, and remove the file",
		Example: "muster madcap release group.json",
		Args:    takes("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			return k.withLease(c, args[0], func(ctx context.Context, client *madcap.Client, l madcap.Lease) error {
				if err := client.Release(ctx, l); err != nil {
					return err
				}
				if err := os.Remove(args[0]); err != nil {
					return fmt.Errorf("remove lease that was released: %w", err)
				}
				return a.say("released", "released "+joined(l.Ranges))
			})
		},
	}
	k.flags(c)
	return c
}

// withLease does something with a kept lease. Its server is asked, or the one of the flags.
func (k *asking) withLease(c *cobra.Command, path string, do func(context.Context, *madcap.Client, madcap.Lease) error) error {
	l, err := readLease(path)
	if err != nil {
		return err
	}
	k.six = madcap.FamilyOf(l.Scope) == madcap.IPv6
	client, server, err := k.client()
	if err != nil {
		return err
	}
	if server.IsValid() {
		l.Server = server
	}
	ctx, cancel := k.within(c)
	defer cancel()
	return k.unanswered(do(ctx, client, l))
}
