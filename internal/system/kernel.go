package system

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// kernel is what this package asks of the host. Tests have one in memory that can die between any two calls.
type kernel interface {
	place() (Place, error)
	alive(Place) bool // is the network namespace of that place still there?
	look(dir string, c Change) (state string, err error)
	set(dir string, c Change, state string) error
}

// linux is the kernel of this host.
type linux struct{}

var _ kernel = linux{}

func (linux) look(dir string, c Change) (string, error) {
	switch c.Kind {
	case KindAddress, KindMembership:
		return lookAddress(c)
	case KindReception:
		return lookReception(c)
	case KindNeighbour:
		return lookNeighbour(c)
	case KindSysctl:
		return readSysctl(c.Sysctl)
	case KindTunnel:
		return lookTunnel(c.Link)
	case KindMount:
		return presence(mounted(filepath.Join(dir, c.Path)))
	default:
		return presence(exists(dir, c.Path))
	}
}

func (linux) set(dir string, c Change, state string) error {
	switch c.Kind {
	case KindAddress, KindMembership:
		return setAddress(c, state)
	case KindReception:
		return setReception(c, state)
	case KindNeighbour:
		return setNeighbour(c, state)
	case KindSysctl:
		return writeSysctl(c.Sysctl, state)
	case KindTunnel:
		return setTunnel(c.Link, state)
	case KindMount:
		return setMount(filepath.Join(dir, c.Path), state)
	default:
		return setPath(dir, c, state)
	}
}

func presence(there bool, err error) (string, error) {
	if there {
		return Present, err
	}
	return Absent, err
}

func lookAddress(c Change) (string, error) {
	link, err := netlink.LinkByName(c.Link)
	if _, missing := errors.AsType[netlink.LinkNotFoundError](err); missing {
		return Gone, nil
	}
	if err != nil {
		return "", fmt.Errorf("find interface %s: %w", c.Link, err)
	}
	list, err := netlink.AddrList(link, family(c))
	for range 2 { // the kernel's list changed while it was read: read it again
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
		list, err = netlink.AddrList(link, family(c))
	}
	if err != nil {
		return "", fmt.Errorf("list addresses of %s: %w", c.Link, err)
	}
	want := netlinkAddr(c)
	for _, a := range list {
		if a.Equal(*want) && a.Flags&want.Flags&unix.IFA_F_MCAUTOJOIN == want.Flags&unix.IFA_F_MCAUTOJOIN {
			return routed(link, a), nil
		}
	}
	if c.Kind == KindMembership && c.Found == Absent {
		return presence(member(c))
	}
	return Absent, nil
}

// routed tells an address that the kernel takes packets for from one whose route somebody deleted. That is looked at where the route has to be
// there: on lo. Elsewhere it comes and goes with the interface, and with the search for duplicates.
func routed(link netlink.Link, a netlink.Addr) string {
	flags := link.Attrs().Flags
	if flags&net.FlagLoopback == 0 {
		return Present
	}
	if flags&net.FlagUp == 0 {
		return Unrouted // the host's own processes do not reach it
	}
	found, err := netlink.RouteGet(a.IP)
	if err != nil || len(found) == 0 || found[0].Type != unix.RTN_LOCAL {
		return Unrouted
	}
	return Present
}

// reroute makes the route that the kernel makes with an address, so that it goes with the address again.
func reroute(link netlink.Link, a *netlink.Addr) error {
	attrs := link.Attrs()
	if attrs.Flags&net.FlagLoopback == 0 {
		return nil
	}
	if attrs.Flags&net.FlagUp == 0 {
		if err := netlink.LinkSetUp(link); err != nil {
			return fmt.Errorf("set %s up: %w", attrs.Name, err)
		}
	}
	bits := 8 * len(a.IP)
	r := &netlink.Route{LinkIndex: attrs.Index, Dst: &net.IPNet{IP: a.IP, Mask: net.CIDRMask(bits, bits)},
		Table: unix.RT_TABLE_LOCAL, Type: unix.RTN_LOCAL, Protocol: unix.RTPROT_KERNEL}
	if len(a.IP) == net.IPv4len {
		r.Scope, r.Src = netlink.SCOPE_HOST, a.IP
	}
	if err := netlink.RouteReplace(r); err != nil {
		return fmt.Errorf("add route to %s: %w", a.IP, err)
	}
	return nil
}

func setAddress(c Change, state string) error {
	link, err := netlink.LinkByName(c.Link)
	if err != nil {
		return fmt.Errorf("find interface %s: %w", c.Link, err)
	}
	if state == Absent {
		err = netlink.AddrDel(link, netlinkAddr(c))
		if errors.Is(err, unix.EADDRNOTAVAIL) {
			return nil // gone in the meantime
		}
	} else {
		err = netlink.AddrAdd(link, netlinkAddr(c))
		if errors.Is(err, unix.EEXIST) {
			return errors.Join(inTheWay(c), reroute(link, netlinkAddr(c)))
		}
	}
	if err != nil {
		return fmt.Errorf("make %s %s: %w", c.What(), state, err)
	}
	if state == Present {
		settle(link, *netlinkAddr(c))
	}
	return nil
}

// inTheWay: an address that is there already is what was wanted, unless it stands for a membership that it does not bring.
func inTheWay(c Change) error {
	if c.Kind != KindMembership {
		return nil
	}
	return fmt.Errorf("%w: %s has the address %s without the membership: run `ip address del %s dev %s`", ErrInTheWay, c.Link, c.Prefix, c.Prefix, c.Link)
}

func family(c Change) int {
	if c.Prefix.Addr().Is4() {
		return netlink.FAMILY_V4
	}
	return netlink.FAMILY_V6
}

// forever is the lifetime of an address that never becomes invalid.
const forever = 0xffffffff

func netlinkAddr(c Change) *netlink.Addr {
	a := c.Prefix.Addr()
	addr := &netlink.Addr{
		IPNet: &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(c.Prefix.Bits(), a.BitLen())},
		Scope: int(c.Scope),
	}
	if c.NoDAD && a.Is6() {
		addr.Flags = unix.IFA_F_NODAD
	}
	if c.Kind == KindMembership {
		addr.Flags = unix.IFA_F_MCAUTOJOIN | unix.IFA_F_NOPREFIXROUTE
		if a.Is6() {
			addr.Flags |= unix.IFA_F_NODAD
		}
	}
	if c.Scope == ScopeHost && a.Is6() {
		addr.ValidLft, addr.PreferedLft = forever, 0
	}
	return addr
}

// readSysctl gives the value, or Gone when the setting's interface is not there.
func readSysctl(name string) (string, error) {
	root, err := os.OpenRoot("/proc/sys")
	if err != nil {
		return "", fmt.Errorf("open sysctls: %w", err)
	}
	defer root.Close()
	data, err := root.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Gone, nil
	}
	if err != nil {
		return "", fmt.Errorf("read sysctl %s: %w", name, err)
	}
	return strings.TrimSpace(string(data)), nil
}

func writeSysctl(name, value string) error {
	root, err := os.OpenRoot("/proc/sys")
	if err != nil {
		return fmt.Errorf("open sysctls: %w", err)
	}
	defer root.Close()
	f, err := root.OpenFile(name, os.O_WRONLY, 0) // never O_CREATE
	if err != nil {
		return fmt.Errorf("write sysctl %s: %w", name, err)
	}
	_, err = f.WriteString(value + "\n")
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write sysctl %s: %w", name, err)
	}
	return nil
}
