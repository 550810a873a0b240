package main

import (
	"bufio"
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/api/render"
)

func (a *app) explainCommand() *cobra.Command {
	var port uint16
	var protocol string
	c := &cobra.Command{
		Use:   "explain VIP CLIENT[:PORT]",
		Short: "Which host gets a client, and why",
		Long: `Says which host gets a connection from CLIENT to VIP (a name or an address), the way to it, and what happens to a new
connection and to one that is open. With affinity none the client's port decides too.`,
		Example: "muster explain web 203.0.113.9:51234\nmuster explain 10.77.0.100 203.0.113.9:51234 --port 443\nmuster explain web6 '[2001:db8::7]:51234'",
		Args:    takes("VIP", "CLIENT[:PORT]"),
		RunE: func(c *cobra.Command, args []string) error {
			request, err := explainRequest(args[0], args[1], port, protocol)
			if err != nil {
				return err
			}
			client, err := a.client()
			if err != nil {
				return err
			}
			e, err := client.Explain(c.Context(), request)
			if err != nil {
				return err
			}
			if a.json {
				return render.JSON(a.out, e)
			}
			w := bufio.NewWriter(a.out)
			render.Explanation(w, e)
			return w.Flush()
		},
	}
	c.Flags().Uint16Var(&port, "port", 0, "`PORT` of the VIP (default: the first of its first rule)")
	c.Flags().StringVar(&protocol, "protocol", "tcp", "transport `PROTOCOL`: tcp or udp")
	return c
}

func explainRequest(vip, client string, vipPort uint16, protocol string) (api.ExplainRequest, error) {
	r := api.ExplainRequest{VIP: vip, VIPPort: vipPort, Protocol: protocol}
	if protocol != "tcp" && protocol != "udp" {
		return r, usagef("protocol %q: want tcp or udp", protocol)
	}
	if both, err := netip.ParseAddrPort(client); err == nil {
		r.Client, r.Port = both.Addr(), both.Port()
		return r, nil
	}
	addr, err := netip.ParseAddr(client)
	if err != nil {
		return r, usagef("client %q: want an address like 203.0.113.9, or one with a port like 203.0.113.9:51234", client)
	}
	r.Client = addr
	return r, nil
}
