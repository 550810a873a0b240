package main

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/api/render"
	"github.com/muster-ha/muster/internal/standing"
)

func (a *app) ruleCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "rule",
		Short: "Enable, drain or disable a rule, on one host or on all",
		Long: `A rule is named by its virtual address (a name or an address) and one of its ports, the one for all other ports by ` + "`rest`" + `. Orders stay until they are taken back, over a restart of the
agent, of the host and of the whole cluster. An order for one host wins over one for all; a new order for all replaces those for one.`,
	}
	c.AddCommand(a.ruleShowCommand())
	for _, verb := range []ruleVerb{
		{"enable", "enabled", "Serve a rule again", "rule %s is enabled %s"},
		{"drain", "drained", "Take no new connections of a rule; those that there are go on", "rule %s is drained %s: no new connections, the old ones go on"},
		{"disable", "disabled", "Take no new connections of a rule, and close those that there are", "rule %s is disabled %s: its connections are closed"},
	} {
		c.AddCommand(a.ruleOrderCommand(verb))
	}
	return c
}

// ruleVerb is an order about a rule.
type ruleVerb struct{ name, state, short, done string }

func (a *app) ruleOrderCommand(verb ruleVerb) *cobra.Command {
	var host string
	c := &cobra.Command{
		Use:               verb.name + " VIP:PORT[/udp]",
		Short:             verb.short,
		Example:           fmt.Sprintf("muster rule %[1]s web:443\nmuster rule %[1]s 10.77.0.100:53/udp --host b", verb.name),
		Args:              takes("VIP:PORT[/udp]"),
		ValidArgsFunction: a.completeRules,
		RunE: func(c *cobra.Command, args []string) error {
			order, err := parseRule(args[0])
			if err != nil {
				return err
			}
			client, err := a.client()
			if err != nil {
				return err
			}
			order.Host, order.State = host, verb.state
			answer, err := client.OrderRule(c.Context(), order)
			if err != nil {
				return err
			}
			where := "on all hosts"
			if host != "" {
				where = "on host " + host
			}
			return a.ordered(answer, fmt.Sprintf(verb.done, args[0], where), host)
		},
	}
	c.Flags().StringVar(&host, "host", "", "on this `HOST` alone (default: on all)")
	_ = c.RegisterFlagCompletionFunc("host", a.completeHostFlag) // fails for a flag that is not there only
	return c
}

// parseRule reads VIP:PORT[/udp], or VIP:rest. An IPv6 address stands in brackets.
func parseRule(text string) (api.RuleOrder, error) {
	rest, protocol, named := strings.Cut(text, "/")
	if named && protocol != "udp" && protocol != "tcp" {
		return api.RuleOrder{}, usagef("rule %q: the protocol is tcp or udp, as in `web:53/udp`", text)
	}
	vip, port, err := net.SplitHostPort(rest)
	if err != nil || vip == "" {
		return api.RuleOrder{}, usagef("rule %q: name a virtual address and one of the rule's ports, as in `web:443`, `10.77.0.100:53/udp` or `[2001:db8::1]:80`", text)
	}
	if port == standing.Rest {
		return api.RuleOrder{VIP: vip, UDP: protocol == "udp"}, nil
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 {
		return api.RuleOrder{}, usagef("rule %q: %q is no port from 1 to 65535", text, port)
	}
	return api.RuleOrder{VIP: vip, Port: uint16(number), UDP: protocol == "udp"}, nil
}

func (a *app) ruleShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "show [VIP:PORT[/udp]]",
		Short:             "What has been said of rules by hand, and who serves them; or of one",
		Example:           "muster rule show\nmuster rule show web:443",
		Args:              takesAtMost("VIP:PORT[/udp]"),
		ValidArgsFunction: a.completeRules,
		RunE: func(c *cobra.Command, args []string) error {
			var want api.RuleOrder
			if len(args) > 0 {
				var err error
				if want, err = parseRule(args[0]); err != nil {
					return err
				}
			}
			s, err := a.askStatus(c)
			if err != nil {
				return err
			}
			vips, found := rulesOf(s, want)
			if !found {
				return fmt.Errorf("no rule %s: `muster rule show` lists them", strings.Join(args, ""))
			}
			return a.print(vips, func(w io.Writer) { render.Rules(w, vips, s.Host) })
		},
	}
}

// rulesOf gives the VIPs with the rules that are meant: all, or the one that has a port.
func rulesOf(s api.Status, want api.RuleOrder) (vips []api.VIPStatus, found bool) {
	vips = []api.VIPStatus{}
	for _, v := range s.VIPs {
		address, _, _ := strings.Cut(v.Address, "/")
		if want.VIP != "" && want.VIP != v.Name && want.VIP != address {
			continue
		}
		rules := []api.RuleStatus{}
		for _, r := range v.Rules {
			if want.VIP == "" || r.Has(want.Port, want.UDP) {
				rules = append(rules, r)
			}
		}
		if v.Rules = rules; len(rules) > 0 {
			vips = append(vips, v)
		}
	}
	return vips, want.VIP == "" || len(vips) > 0
}
