package main

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/muster-ha/muster/internal/config"
)

// whoAmI returns the name of this host in the configuration: the given one, or the one with the machine's name, or the one
// with an address of the machine.
func whoAmI(c *config.Config, given string) (string, error) {
	hostname, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("read host name: %w", err)
	}
	local, err := localAddresses()
	if err != nil {
		return "", err
	}
	return pickHost(c, given, hostname, local)
}

func localAddresses() ([]netip.Addr, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list addresses of this machine: %w", err)
	}
	var found []netip.Addr
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			found = append(found, p.Addr().Unmap())
		}
	}
	return found, nil
}

func pickHost(c *config.Config, given, hostname string, local []netip.Addr) (string, error) {
	named := func(name string) bool {
		return slices.ContainsFunc(c.Hosts, func(h config.Host) bool { return h.Name == name })
	}
	if given != "" {
		if !named(given) {
			return "", usagef("host %q is not in %s: it has %s", given, c.Path, hostNames(c.Hosts))
		}
		return given, nil
	}
	short, _, _ := strings.Cut(hostname, ".")
	for _, name := range []string{hostname, short} {
		if named(name) {
			return name, nil
		}
	}
	return pickByAddress(c, hostname, local)
}

func pickByAddress(c *config.Config, hostname string, local []netip.Addr) (string, error) {
	var here []config.Host
	for _, h := range c.Hosts {
		if slices.Contains(local, h.Address) {
			here = append(here, h)
		}
	}
	switch len(here) {
	case 1:
		return here[0].Name, nil
	case 0:
		return "", usagef("which host is this? Neither the name %q nor an address of this machine is in %s: name it with --host, one of %s", hostname, c.Path, hostNames(c.Hosts))
	}
	return "", usagef("which host is this? This machine has the addresses of %s: name it with --host", hostNames(here))
}

func hostNames(hosts []config.Host) string {
	names := make([]string, len(hosts))
	for i, h := range hosts {
		names[i] = h.Name
	}
	return strings.Join(names, ", ")
}
