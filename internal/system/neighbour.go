package system

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ListenFor has an interface take in the neighbour solicitations for an IPv6 address that is not its own: its kernel joins the address's
// solicited-node group (RFC 4291, 2.7.1), tells switches so by MLD, and stays in it when the agent dies. The kernel itself answers none of them,
// unless the host is a router with proxy_ndp set.
//
// It is done by an entry in the table of proxied neighbours. An address of the group with the autojoin flag would join it as well, but cannot be
// added again after the link was down: the kernel takes the address away then, and believes to be in the group still.
func (j *Journal) ListenFor(link string, addr netip.Addr) error {
	return j.change(Change{Kind: KindNeighbour, Link: link, Prefix: netip.PrefixFrom(addr, addr.BitLen()), Want: Present})
}

func (c Change) validateNeighbour() error {
	if c.Scope != 0 || c.NoDAD || c.Prefix.IsValid() && (!c.Prefix.Addr().Is6() || !c.Prefix.IsSingleIP()) {
		return fmt.Errorf("%w: stray field in %s", ErrMalformed, c.What())
	}
	return c.validateAddress()
}

func lookNeighbour(c Change) (string, error) {
	link, err := netlink.LinkByName(c.Link)
	if _, missing := errors.AsType[netlink.LinkNotFoundError](err); missing {
		return Gone, nil
	}
	if err != nil {
		return "", fmt.Errorf("find interface %s: %w", c.Link, err)
	}
	list, err := netlink.NeighProxyList(link.Attrs().Index, netlink.FAMILY_V6)
	for range 2 { // the kernel's list changed while it was read: read it again
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
		list, err = netlink.NeighProxyList(link.Attrs().Index, netlink.FAMILY_V6)
	}
	if err != nil {
		return "", fmt.Errorf("list neighbours that %s listens for: %w", c.Link, err)
	}
	for _, n := range list {
		if a, ok := netip.AddrFromSlice(n.IP); ok && a == c.Prefix.Addr() && n.LinkIndex == link.Attrs().Index {
			return Present, nil
		}
	}
	return Absent, nil
}

func setNeighbour(c Change, state string) error {
	link, err := netlink.LinkByName(c.Link)
	if err != nil {
		return fmt.Errorf("find interface %s: %w", c.Link, err)
	}
	entry := &netlink.Neigh{LinkIndex: link.Attrs().Index, Family: netlink.FAMILY_V6, Flags: netlink.NTF_PROXY, IP: c.Prefix.Addr().AsSlice()}
	if state == Absent {
		err = netlink.NeighDel(entry)
		if errors.Is(err, unix.ENOENT) {
			return nil // gone in the meantime
		}
	} else {
		err = netlink.NeighSet(entry)
	}
	if err != nil {
		return fmt.Errorf("make %s %s: %w", c.What(), state, err)
	}
	return nil
}
