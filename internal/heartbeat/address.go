package heartbeat

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/member"
)

// errNoAddress says that an interface has no address that another host could reach.
var errNoAddress = errors.New("it has no address")

// Kinds is a set of kinds of addresses that a host has on a network.
type Kinds uint8

// The kinds, the least wanted first. A network uses the best one that all hosts have on it: what one cannot reach is of no use to the others.
const (
	LinkLocal Kinds = 1 << iota // IPv6, made by the kernel: a cable without any configuration has it
	Routed                      // IPv6, global or unique local
	FourBytes                   // IPv4
	allKinds  = LinkLocal | Routed | FourBytes
)

// kinds are those of a host's addresses, in the order of the bits.
const kinds = 3

// best is the kind to use: the highest that this host has and all others that said something have too. If there is none in common it is
// this host's best one, and some are not reached.
func (own Kinds) best(others []Kinds) Kinds {
	common := own
	for _, o := range others {
		if o != 0 {
			common &= o
		}
	}
	if common == 0 {
		common = own
	}
	for kind := FourBytes; kind != 0; kind >>= 1 {
		if common&kind != 0 {
			return kind
		}
	}
	return 0
}

// nic is an interface of which no address is configured: its addresses, and which of them the network uses.
type nic struct {
	look func() (addresses, error) // how things are now

	mu     sync.Mutex
	own    Kinds
	six    bool    // the address that was used last is one of IPv6
	others []Kinds // by host; 0: has said nothing
}

// newNIC knows nothing of the other hosts yet.
func newNIC(device string, hosts int) *nic {
	return &nic{look: func() (addresses, error) { return addressesOf(device) }, others: make([]Kinds, hosts)}
}

// place is the locate of a nic.
func (c *nic) place() (place, error) {
	found, err := c.look()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.own = found.kinds()
	if err != nil {
		return place{}, err
	}
	at := place{address: found.of(c.own.best(c.others)), index: found.index}
	c.six = at.address.Is6()
	return at, nil
}

// hear takes in what another host has. The next look acts on it. A host whose interface is down has what it had: the others must not go to
// and fro with its cable.
func (c *nic) hear(host member.ID, has Kinds) {
	if has == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.others[host] = has
}

func (c *nic) has() Kinds {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.own
}

// IPv6 says whether the network with that number is one of IPv6: its group has to be too. One that is down is what it was.
func (g *Networks) IPv6(number int) bool {
	for _, n := range g.list {
		switch {
		case int(n.Index) != number:
		case n.nic == nil:
			return n.local.Is6()
		default:
			n.nic.mu.Lock()
			defer n.nic.mu.Unlock()
			return n.nic.six
		}
	}
	return false
}

// addresses are those of an interface, at most one of each kind.
type addresses struct {
	index int
	list  [kinds]netip.Addr // in the order of the kinds; invalid: none
}

func (a *addresses) kinds() (set Kinds) {
	for i, each := range a.list {
		if each.IsValid() {
			set |= 1 << i
		}
	}
	return set
}

func (a *addresses) of(kind Kinds) netip.Addr {
	for i, each := range a.list {
		if kind == 1<<i {
			return each
		}
	}
	return netip.Addr{}
}

// addressesOf looks at an interface. The error says why nothing can be sent on it.
func addressesOf(device string) (addresses, error) {
	var found addresses
	link, err := netlink.LinkByName(device)
	if err != nil {
		return found, fmt.Errorf("find interface %s: %w", device, err)
	}
	found.index = link.Attrs().Index
	if link.Attrs().RawFlags&unix.IFF_UP == 0 {
		return found, fmt.Errorf("interface %s is switched off", device)
	}
	list, err := netlink.AddrList(link, netlink.FAMILY_ALL)
	if err != nil {
		return found, fmt.Errorf("list addresses of %s: %w", device, err)
	}
	for _, a := range list {
		found.add(a)
	}
	if found.kinds() == 0 {
		return found, fmt.Errorf("use interface %s: %w", device, errNoAddress)
	}
	return found, nil
}

// unusable addresses are not (yet) this host's own: duplicate address detection goes on or has failed, or are about to go.
const unusable = unix.IFA_F_TENTATIVE | unix.IFA_F_DADFAILED | unix.IFA_F_DEPRECATED

// add takes an address in if it is of use. Of several IPv4 addresses the first is the host's main one. Of several IPv6 addresses of a
// kind it is the lowest, since their order says nothing and changes; temporary ones, made for privacy, come and go.
func (a *addresses) add(have netlink.Addr) {
	addr, ok := netip.AddrFromSlice(have.IP)
	if addr = addr.Unmap(); !ok || !reachable(addr) {
		return
	}
	i := 2
	switch {
	case addr.Is4():
		if a.list[i].IsValid() {
			return
		}
	case have.Flags&unusable != 0 || have.Flags&unix.IFA_F_TEMPORARY != 0:
		return
	case addr.IsLinkLocalUnicast():
		i = 0
	default:
		i = 1
	}
	if old := a.list[i]; !old.IsValid() || addr.Less(old) {
		a.list[i] = addr
	}
}

// kindOf is the kind of an address.
func kindOf(a netip.Addr) Kinds {
	switch {
	case a.Is4():
		return FourBytes
	case a.IsLinkLocalUnicast():
		return LinkLocal
	}
	return Routed
}

// onDevice is an address as a program without our sockets wants it: a link-local one with the name of its interface.
func onDevice(a netip.Addr, device string) netip.Addr {
	if a.Is6() && a.IsLinkLocalUnicast() {
		return a.WithZone(device)
	}
	return a
}

// zoned is the address as sockets want it: a link-local one means nothing without its interface.
func (p place) zoned() netip.Addr {
	if p.address.Is6() && p.address.IsLinkLocalUnicast() {
		return p.address.WithZone(strconv.Itoa(p.index))
	}
	return p.address
}
