package system

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ErrReception says that a network card does not take in another address.
var ErrReception = errors.New("the interface takes in no further address")

// Receive makes an interface take in frames to a MAC that is not its own, without promiscuous mode: what `bridge fdb add MAC dev LINK self` does
// for a unicast address and `ip maddr add` for a multicast one. The interface's own MAC stays.
func (j *Journal) Receive(link string, mac net.HardwareAddr) error {
	return j.change(Change{Kind: KindReception, Link: link, MAC: mac.String(), Want: Present})
}

// Join makes the host a member of a multicast group on an interface, as `ip address add GROUP dev LINK autojoin` does. The kernel
// keeps the membership and answers queriers, so it outlives the process. The address that stands for it has host scope: the kernel
// never chooses it as a source.
func (j *Journal) Join(link string, group netip.Addr) error {
	return j.change(Change{Kind: KindMembership, Link: link, Prefix: netip.PrefixFrom(group, group.BitLen()), Scope: ScopeHost, Want: Present})
}

// member says whether an interface is in an IPv6 group whose address is gone. With the interface that goes down the kernel takes IPv6 addresses away,
// and keeps what they have joined: the host still hears the group, and the address cannot be added again. Then nothing can end the
// membership but the end of the interface.
func member(c Change) (bool, error) {
	if c.Prefix.Addr().Is4() {
		return false, nil // such an address stays when the interface goes down
	}
	table, err := os.ReadFile("/proc/thread-self/net/igmp6")
	if err != nil {
		return false, fmt.Errorf("list groups of %s: %w", c.Link, err)
	}
	group := c.Prefix.Addr().As16()
	want := hex.EncodeToString(group[:])
	for line := range strings.Lines(string(table)) {
		if f := strings.Fields(line); len(f) > 2 && f[1] == c.Link && f[2] == want {
			return true, nil
		}
	}
	return false, nil
}

func (c Change) validateReception() error {
	if c.Sysctl != "" || c.Path != "" || c.Prefix != (netip.Prefix{}) || c.Scope != 0 || c.NoDAD || !twoStates(c) {
		return fmt.Errorf("%w: stray field in %s", ErrMalformed, c.What())
	}
	if err := validateLink(c.Link); err != nil {
		return err
	}
	mac, err := net.ParseMAC(c.MAC)
	if err != nil || len(mac) != 6 || mac.String() != c.MAC {
		return fmt.Errorf("%w: MAC %q", ErrMalformed, c.MAC)
	}
	return nil
}

func (c Change) validateMembership() error {
	if c.Sysctl != "" || c.Path != "" || c.Scope != ScopeHost || c.NoDAD || !twoStates(c) {
		return fmt.Errorf("%w: stray field in %s", ErrMalformed, c.What())
	}
	if err := validateLink(c.Link); err != nil {
		return err
	}
	a := c.Prefix.Addr()
	if !a.IsMulticast() || a.Zone() != "" || a.Is4In6() || !c.Prefix.IsSingleIP() {
		return fmt.Errorf("%w: group %s", ErrMalformed, c.Prefix)
	}
	return nil
}

func validateLink(name string) error {
	if !linkShape.MatchString(name) || name == "." || name == ".." {
		return fmt.Errorf("%w: interface name %q", ErrMalformed, name)
	}
	return nil
}

// lookReception looks for a MAC among those that an interface takes in beside its own.
func lookReception(c Change) (string, error) {
	link, err := netlink.LinkByName(c.Link)
	if _, missing := errors.AsType[netlink.LinkNotFoundError](err); missing {
		return Gone, nil
	}
	if err != nil {
		return "", fmt.Errorf("find interface %s: %w", c.Link, err)
	}
	if multicastMAC(c.MAC) {
		return presence(listedMulticast(link.Attrs().Index, c.MAC))
	}
	list, err := unicastFilter(link.Attrs().Index)
	for range 2 {
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
		list, err = unicastFilter(link.Attrs().Index)
	}
	if err != nil {
		return "", fmt.Errorf("list what %s takes in: %w", c.Link, err)
	}
	for _, n := range list {
		if n.LinkIndex == link.Attrs().Index && takenIn(n) && n.HardwareAddr.String() == c.MAC {
			return Present, nil
		}
	}
	return Absent, nil
}

// takenIn says whether an entry of an interface is one of its filter. A bridge has none: it takes in what its own table names it for.
func takenIn(n netlink.Neigh) bool {
	return n.Flags&unix.NTF_SELF != 0 || n.MasterIndex == n.LinkIndex && n.State&unix.NUD_PERMANENT != 0
}

func unicastFilter(index int) ([]netlink.Neigh, error) {
	return netlink.NeighListExecute(netlink.Ndmsg{Family: unix.AF_BRIDGE, Index: uint32(index)})
}

func setReception(c Change, state string) error {
	link, err := netlink.LinkByName(c.Link)
	if err != nil {
		return fmt.Errorf("find interface %s: %w", c.Link, err)
	}
	mac, err := net.ParseMAC(c.MAC)
	if err != nil {
		return fmt.Errorf("%w: MAC %q", ErrMalformed, c.MAC)
	}
	if multicastMAC(c.MAC) {
		err = filterMulticast(c.Link, mac, state == Present)
	} else {
		err = filterUnicast(link.Attrs().Index, mac, state == Present)
	}
	if err != nil {
		return refusedReception(c, state, err)
	}
	return nil
}

// refusedReception says what to do about a card that cannot.
func refusedReception(c Change, state string, err error) error {
	switch {
	case state == Absent:
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EINVAL):
		return fmt.Errorf("%w: %s does not take in %s (%w): choose `delivery: directed`, which needs no second address, or put the VIP on another interface",
			ErrReception, c.Link, c.MAC, err)
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.ENOMEM):
		return fmt.Errorf("%w: the table of %s is full (%w): remove addresses that nobody needs (`bridge fdb show dev %s`), or choose `delivery: directed`",
			ErrReception, c.Link, err, c.Link)
	}
	return fmt.Errorf("make %s %s: %w", c.What(), state, err)
}

func filterUnicast(index int, mac net.HardwareAddr, on bool) error {
	n := &netlink.Neigh{Family: unix.AF_BRIDGE, LinkIndex: index, Flags: unix.NTF_SELF, State: unix.NUD_PERMANENT, HardwareAddr: mac}
	if on {
		return netlink.NeighAppend(n) // without NLM_F_EXCL: one that is there is no error
	}
	err := netlink.NeighDel(n)
	if errors.Is(err, unix.ENOENT) {
		return nil // gone in the meantime
	}
	return err
}

// hardwareRequest is struct ifreq with a hardware address.
type hardwareRequest struct {
	name   [unix.IFNAMSIZ]byte
	family uint16 // AF_UNSPEC
	mac    [14]byte
	_      [8]byte // to the size of struct ifreq
}

// filterMulticast counts as one user of the address, beside the members of groups with that MAC.
func filterMulticast(link string, mac net.HardwareAddr, on bool) error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	var r hardwareRequest
	copy(r.name[:unix.IFNAMSIZ-1], link)
	copy(r.mac[:], mac)
	request := uintptr(unix.SIOCADDMULTI)
	if !on {
		request = unix.SIOCDELMULTI
	}
	if _, _, code := unix.Syscall(unix.SYS_IOCTL, uintptr(s), request, uintptr(unsafe.Pointer(&r))); code != 0 && (on || code != unix.ENOENT) {
		return code
	}
	return nil
}

// listedMulticast looks for an address that somebody added by name, not by joining a group. The kernel's list has a line for each
// address: index and name of the interface, users, whether it was added by name, the address.
func listedMulticast(index int, mac string) (bool, error) {
	f, err := os.Open("/proc/thread-self/net/dev_mcast")
	if err != nil {
		return false, fmt.Errorf("list multicast addresses: %w", err)
	}
	defer f.Close()
	return hasMulticast(bufio.NewScanner(f), fmt.Sprint(index), strings.ReplaceAll(mac, ":", ""))
}

func hasMulticast(lines *bufio.Scanner, index, mac string) (bool, error) {
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) == 5 && words[0] == index && words[3] != "0" && words[4] == mac {
			return true, nil
		}
	}
	if err := lines.Err(); err != nil {
		return false, fmt.Errorf("list multicast addresses: %w", err)
	}
	return false, nil
}

// multicastMAC looks at the bit that says so.
func multicastMAC(s string) bool {
	mac, err := net.ParseMAC(s)
	return err == nil && mac[0]&1 != 0
}
