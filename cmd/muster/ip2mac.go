package main

import (
	"io"
	"net/netip"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/muster-ha/muster/internal/api/render"
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/delivery"
)

func (a *app) ip2macCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "ip2mac ADDRESS",
		Short: "Cluster MACs and groups of an address in every delivery mode",
		Long: `Says to which MAC clients send for an address in each mode of delivery, and which multicast group the hosts join, so that static ARP
entries and MAC tables of routers and switches can be written. They are those of Windows NLB. Needs no agent and asks nobody. If the
configuration file is there and has a VIP of this address, its mode is marked.`,
		Example: "muster ip2mac 10.77.0.100",
		Args:    takes("ADDRESS"),
		RunE: func(_ *cobra.Command, args []string) error {
			addr, err := netip.ParseAddr(args[0])
			if err != nil || addr.IsMulticast() || addr.IsUnspecified() {
				return usagef("%q is no address of a host: write for example 10.77.0.100 or 2001:db8::100", args[0])
			}
			targets, err := a.targets(addr.Unmap())
			if err != nil {
				return err
			}
			return a.print(targets, func(w io.Writer) { render.Targets(w, targets) })
		},
	}
}

// targets lists what an address is in each mode, and marks the mode of the configuration.
func (a *app) targets(addr netip.Addr) (render.AddressTargets, error) {
	all := render.AddressTargets{Address: addr.String(), Modes: []render.ModeTarget{}}
	var file *config.Config
	if _, err := os.Stat(a.config); err == nil {
		if file, err = config.Load(a.config); err != nil {
			return all, usagef("%w: correct it, or name another with -c", err)
		}
	}
	for _, t := range delivery.All(addr) {
		m := render.ModeTarget{Mode: t.Mode.String(), MAC: t.MAC.String()}
		if t.Group.IsValid() {
			m.Group = t.Group.String()
		}
		if file != nil {
			m.VIP = nameOf(file, addr, t.Mode)
		}
		all.Modes = append(all.Modes, m)
	}
	return all, nil
}

// nameOf is the VIP that has the address in that mode; empty: none.
func nameOf(file *config.Config, addr netip.Addr, mode delivery.Mode) string {
	i := slices.IndexFunc(file.VIPs, func(v config.VIP) bool { return v.Address.Addr() == addr && v.Delivery == mode })
	if i < 0 {
		return ""
	}
	return file.VIPs[i].Name
}
