package system

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// ErrNoInterface says that no interface of this network namespace has an address.
var ErrNoInterface = errors.New("no interface has the address")

// InterfaceOf returns the name of the interface that has an address, or ErrNoInterface.
func InterfaceOf(a netip.Addr) (string, error) {
	links, err := net.Interfaces()
	if err != nil {
		return "", fmt.Errorf("list interfaces: %w", err)
	}
	for _, link := range links {
		addrs, err := link.Addrs()
		if err != nil {
			continue // it has gone meanwhile
		}
		for _, have := range addrs {
			if p, err := netip.ParsePrefix(have.String()); err == nil && p.Addr() == a {
				return link.Name, nil
			}
		}
	}
	return "", fmt.Errorf("%w %v", ErrNoInterface, a)
}
