package vip

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/muster-ha/muster/internal/system"
)

// The kernel's settings that keep it from speaking for a VIP, by interface.
const (
	arpAnnounce = 2 // as the sender of ARP requests name the best address of the interface itself
	arpIgnore   = 1 // answer only for addresses of the interface that the request came in on
)

const loopback = "lo"

// Carry puts a VIP on this host. The kernel is silenced first, so there is no moment in which it would answer for the address.
func Carry(j *system.Journal, addr netip.Addr, iface string) error {
	if err := Free(addr); err != nil {
		return fmt.Errorf("carry %s: %w", addr, err)
	}
	if err := silence(j, addr, iface); err != nil {
		return fmt.Errorf("carry %s: %w", addr, err)
	}
	if err := j.AddAddress(loopback, system.Address{Prefix: single(addr), Scope: system.ScopeHost, NoDAD: true}); err != nil {
		return fmt.Errorf("carry %s: %w", addr, err)
	}
	return nil
}

// silence keeps the kernel from speaking for an address on lo. By IPv6 it does not anyhow: it answers for addresses of the interface that was asked
// alone, and asks in the name of these. But it would not hear who asks for the address, so it has to be told to listen.
func silence(j *system.Journal, addr netip.Addr, iface string) error {
	if addr.Is6() {
		return j.ListenFor(iface, addr)
	}
	for name, least := range map[string]int{announceOf(iface): arpAnnounce, ignoreOf(iface): arpIgnore} {
		if err := j.RaiseSysctl(name, least); err != nil {
			return err
		}
	}
	return nil
}

// Drop takes a VIP off this host: the address first, and then, if no other VIP is carried on that interface, its settings.
func Drop(j *system.Journal, addr netip.Addr, iface string, lastOnInterface bool) error {
	err := j.Release(func(c system.Change) bool {
		switch c.Kind {
		case system.KindAddress:
			return c.Link == loopback && c.Prefix == single(addr)
		case system.KindNeighbour:
			return c.Link == iface && c.Prefix == single(addr)
		case system.KindSysctl:
			return lastOnInterface && (c.Sysctl == announceOf(iface) || c.Sysctl == ignoreOf(iface))
		default:
			return false
		}
	})
	if err != nil {
		return fmt.Errorf("drop %s: %w", addr, err)
	}
	return nil
}

// Carried says whether a change in the journal is one of Carry's or Receive's.
func Carried(c system.Change) bool {
	switch c.Kind {
	case system.KindAddress:
		return c.Link == loopback
	case system.KindNeighbour:
		return true
	case system.KindSysctl:
		return strings.HasSuffix(c.Sysctl, "/arp_announce") || strings.HasSuffix(c.Sysctl, "/arp_ignore")
	default:
		return Reception(c)
	}
}

// Free refuses an address that an interface other than lo has: the kernel would answer for it there. Carry asks first; somebody may
// add it later as well.
func Free(addr netip.Addr) error {
	links, err := list()
	if err != nil {
		return err
	}
	for _, l := range links {
		if l.loopback && !l.Up {
			return ErrLoopback
		}
		for _, a := range l.addresses {
			if a.Addr() == addr && !l.loopback {
				return fmt.Errorf("%w: %s has it: run `ip address del %s dev %s`; Muster carries it on %s", ErrTaken, l.Name, a, l.Name, loopback)
			}
		}
	}
	return nil
}

func single(addr netip.Addr) netip.Prefix { return netip.PrefixFrom(addr, addr.BitLen()) }
func announceOf(iface string) string      { return "net/ipv4/conf/" + iface + "/arp_announce" }
func ignoreOf(iface string) string        { return "net/ipv4/conf/" + iface + "/arp_ignore" }
