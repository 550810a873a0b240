package system

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// KeepAddress keeps up an address that the host has anyway, and says whether it does: one whose lifetime somebody else sees to, as a
// DHCP client does, is left to them. Undo leaves it alone.
func (j *Journal) KeepAddress(a netip.Addr) (bool, error) {
	list, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return false, fmt.Errorf("keep address %s: %w", a, err)
	}
	for _, have := range list {
		if found, ok := netip.AddrFromSlice(have.IP); !ok || found.Unmap() != a || have.Flags&unix.IFA_F_PERMANENT == 0 {
			continue
		}
		link, err := netlink.LinkByIndex(have.LinkIndex)
		if err != nil {
			return false, fmt.Errorf("keep address %s: %w", a, err)
		}
		bits, _ := have.Mask.Size()
		return true, j.AddAddress(link.Attrs().Name, Address{Prefix: netip.PrefixFrom(a, bits), Scope: Scope(have.Scope)})
	}
	return false, nil
}

// Rename says that an interface has another name now: what was changed of it is known by that name from here on, with what was found
// before the first change. The settings themselves went with the interface.
func (j *Journal) Rename(from, to string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	next := j.doc
	next.Changes = nil
	for _, c := range j.doc.Changes {
		was := c.What()
		if c.rename(from, to) {
			if err := c.validate(); err != nil {
				return fmt.Errorf("rename interface %s to %s: %w", from, to, err)
			}
			j.claimed[c.What()] = j.claimed[was]
			delete(j.claimed, was)
			delete(j.drifted, was)
		}
		twin := slices.IndexFunc(next.Changes, func(o Change) bool { return o.What() == c.What() })
		if twin >= 0 {
			continue // the older of the two knows what was found first
		}
		next.Changes = append(next.Changes, c)
	}
	if err := store(j.dir, next); err != nil {
		return fmt.Errorf("rename interface %s to %s: %w", from, to, err)
	}
	j.doc = next
	return nil
}

// rename gives the change its interface's new name, and says whether it had the old one.
func (c *Change) rename(from, to string) bool {
	if c.Kind == KindSysctl {
		parts := strings.Split(c.Sysctl, "/")
		i := slices.Index(parts, from)
		if i < 0 {
			return false
		}
		parts[i] = to
		c.Sysctl = strings.Join(parts, "/")
		return true
	}
	if c.Link != from {
		return false
	}
	c.Link = to
	return true
}
