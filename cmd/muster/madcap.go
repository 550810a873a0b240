package main

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-ha/muster/madcap"
)

func (a *app) madcapCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "madcap",
		Short: "Multicast addresses by MADCAP (RFC 2730)",
		Long: `A MADCAP server hands out multicast addresses that nobody else uses. These commands are a server and a client; neither needs an
agent or a configuration file.`,
	}
	c.AddCommand(a.madcapServeCommand(), a.madcapScopesCommand(), a.madcapLeaseCommand(), a.madcapRenewCommand(), a.madcapReleaseCommand())
	return c
}

// asking is how a client finds servers: the flags that its commands share.
type asking struct {
	device  string
	server  string
	six     bool
	timeout time.Duration
}

func (k *asking) flags(c *cobra.Command) {
	c.Flags().StringVar(&k.device, "interface", "", "`NAME` of the interface on which servers are asked (default: as the routes say)")
	c.Flags().StringVar(&k.server, "server", "", "ask the server at this `ADDRESS` alone, by unicast")
	c.Flags().BoolVar(&k.six, "ipv6", false, "IPv6 groups, and servers by IPv6")
	c.Flags().DurationVar(&k.timeout, "timeout", madcap.NoResponseDelay, "give up after this `TIME`")
}

// client makes a client as the flags say.
func (k *asking) client() (*madcap.Client, netip.Addr, error) {
	var server netip.Addr
	if k.server != "" {
		var err error
		if server, err = netip.ParseAddr(k.server); err != nil || server.IsMulticast() || server.IsUnspecified() {
			return nil, server, usagef("server %q: want the address of a host", k.server)
		}
	}
	if k.timeout <= 0 {
		return nil, server, usagef("timeout %v: want a time above zero", k.timeout)
	}
	family, local := madcap.IPv4, netip.IPv4Unspecified()
	if k.six || server.Is6() {
		family, local = madcap.IPv6, netip.IPv6Unspecified()
	}
	c, err := madcap.NewClient(madcap.ClientConfig{
		Open: madcap.OpenUDP(madcap.UDPConfig{Interface: k.device, Local: local}), Family: family,
	})
	return c, server, err
}

// within bounds what is asked by the time of the flags.
func (k *asking) within(c *cobra.Command) (context.Context, context.CancelFunc) {
	return context.WithTimeout(c.Context(), k.timeout)
}

// unanswered says what to do about servers that are silent or refuse. What they said tells more than that the time is over.
func (k *asking) unanswered(err error) error {
	var refused *madcap.RefusedError
	var silent *madcap.TimeoutError
	switch {
	case errors.As(err, &refused) && refused.Failure.ErrorCode == madcap.LeaseNotRecognized:
		return annotate(refused, "the lease has ended or was released, or the server has lost its file: lease anew")
	case errors.As(err, &refused):
		return refused
	case errors.As(err, &silent) && silent.Ignored == 0 && k.server == "":
		return annotate(silent, "no server, or none that can give what is asked for: name the interface with --interface or the server with --server; on switches with IGMP snooping look for a querier")
	case errors.As(err, &silent) && silent.Ignored == 0:
		return annotate(silent, "is a server running there, and does UDP port 2535 pass?")
	case errors.As(err, &silent):
		return silent
	}
	return err
}
