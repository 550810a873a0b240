package main

import (
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/switchconfig"
)

func (a *app) switchCommand() *cobra.Command {
	var vendor, hypervisor string
	var r switchconfig.Request
	c := &cobra.Command{
		Use:   "switch",
		Short: "What a switch, a router or a hypervisor needs for the delivery chosen",
		Long: `Reads the configuration of -c, needs no agent, and prints what to enter: static ARP and neighbour entries, entries of the MAC table, IGMP snooping
with its querier, with MACs as the vendor writes them. What only the site knows stands in angle brackets. Each part says how far it can be
trusted: tested, documented by the vendor, or not verified. Directed and routed delivery need nothing.

Vendors: ` + strings.Join(switchconfig.Vendors(), ", ") + `. Hypervisors: ` + strings.Join(switchconfig.Hypervisors(), ", ") + `.`,
		Example: "muster switch --vendor cisco-ios --vlan 100 --ports Gi1/0/1,Gi1/0/2,Gi1/0/3\nmuster switch --vendor linux-bridge --bridge br0 --ports tap1,tap2\nmuster switch --hypervisor vmware",
		Args:    takes(),
		RunE: func(*cobra.Command, []string) error {
			return a.printSwitch(vendor, hypervisor, r)
		},
	}
	c.Flags().StringVar(&vendor, "vendor", "", "`NAME` of the make of the switch")
	c.Flags().StringVar(&hypervisor, "hypervisor", "", "`NAME` of the hypervisor that runs the hosts")
	c.Flags().IntVar(&r.VLAN, "vlan", 0, "`NUMBER` of the hosts' VLAN")
	c.Flags().StringSliceVar(&r.Ports, "ports", nil, "`PORTS` of the switch to which the hosts are connected, with commas")
	c.Flags().StringVar(&r.Bridge, "bridge", "", "`NAME` of a Linux bridge")
	for flag, words := range map[string][]string{"vendor": switchconfig.Vendors(), "hypervisor": switchconfig.Hypervisors()} {
		_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)) // fails for a flag that is not there only
	}
	return c
}

func (a *app) printSwitch(vendor, hypervisor string, r switchconfig.Request) error {
	if (vendor == "") == (hypervisor == "") {
		return usagef("say for what: --vendor NAME of a switch (%s) or --hypervisor NAME (%s)", strings.Join(switchconfig.Vendors(), ", "), strings.Join(switchconfig.Hypervisors(), ", "))
	}
	if err := r.Check(); err != nil {
		return usageError{err}
	}
	cfg, err := config.Load(a.config)
	if err != nil {
		return err
	}
	for _, v := range cfg.VIPs {
		r.VIPs = append(r.VIPs, switchconfig.VIP{Name: v.Name, Address: v.Address.Addr(), Mode: v.Delivery})
	}
	answer, err := switchconfig.For(vendor, r)
	if hypervisor != "" {
		answer, err = switchconfig.On(hypervisor, r)
	}
	if errors.Is(err, switchconfig.ErrUnknown) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	return a.print(answer, func(w io.Writer) { answer.Write(w) })
}
