package system

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Kind says what sort of thing a Change is about.
type Kind string

// The kinds of changes.
const (
	KindAddress   Kind = "address"   // an address on an interface
	KindNeighbour Kind = "neighbour" // an address whose neighbour solicitations an interface takes in
	KindSysctl    Kind = "sysctl"    // a setting below /proc/sys/net
	KindTunnel    Kind = "tunnel"    // a VXLAN device
	KindMount     Kind = "mount"     // a bpffs below the run directory
	KindPins      Kind = "pins"      // a directory of pinned programs, maps and links
	KindDirectory Kind = "directory" // a directory below the run directory; removed when empty
	KindFile      Kind = "file"      // a file or socket below the run directory

	KindReception  Kind = "reception"  // a MAC beside its own that an interface takes in
	KindMembership Kind = "membership" // of a multicast group, on an interface
)

// The states of everything but sysctls, whose states are their values. Gone is the state of what belonged to an interface that is
// no longer there, Down that of a tunnel that carries nothing, Unrouted that of an address for which the kernel takes no packets, because the
// route that it made with it is not there.
const (
	Present  = "present"
	Absent   = "absent"
	Gone     = "gone"
	Down     = "down"
	Unrouted = "not routed"
)

// Scope is how far an address is valid, by the kernel's numbers.
type Scope uint8

// The scopes that Muster uses. The kernel never chooses an address of ScopeHost as the source of what leaves the host. IPv6 knows no such
// scope: there the address is deprecated, and chosen only where there is no other of the scope that is needed (RFC 6724, 5, rules 2 and 3).
const (
	ScopeGlobal Scope = 0
	ScopeHost   Scope = 254
)

// Change is one thing about the host that Muster wants otherwise than it found it.
type Change struct {
	Kind   Kind         `json:"kind"`
	Link   string       `json:"link,omitempty"`   // address, tunnel, neighbour, reception, membership: the interface's name
	Prefix netip.Prefix `json:"prefix,omitzero"`  // address, neighbour, membership
	Scope  Scope        `json:"scope,omitempty"`  // address, membership
	MAC    string       `json:"mac,omitempty"`    // reception, as net.HardwareAddr writes it
	NoDAD  bool         `json:"no_dad,omitempty"` // address: IPv6 without duplicate address detection
	Sysctl string       `json:"sysctl,omitempty"` // sysctl: path below /proc/sys, such as net/ipv4/conf/eth0/arp_ignore
	Path   string       `json:"path,omitempty"`   // the others: relative to the run directory
	Want   string       `json:"want"`             // the state that Muster keeps up
	Found  string       `json:"found"`            // the state before the first change
	Was    string       `json:"was,omitempty"`    // sysctl: our earlier Want, until the new one is known to be set
}

// What names the target of a change, for people; two changes of one target have the same name.
func (c Change) What() string {
	switch c.Kind {
	case KindAddress:
		return fmt.Sprintf("address %s on %s", c.Prefix, c.Link)
	case KindNeighbour:
		return fmt.Sprintf("listening for %s on %s", c.Prefix.Addr(), c.Link)
	case KindSysctl:
		return "sysctl " + c.Sysctl
	case KindReception:
		return fmt.Sprintf("reception of %s on %s", c.MAC, c.Link)
	case KindMembership:
		return fmt.Sprintf("membership of %s on %s", c.Prefix.Addr(), c.Link)
	case KindTunnel:
		return "tunnel " + c.Link
	default:
		return fmt.Sprintf("%s %s", c.Kind, c.Path)
	}
}

// watched says whether Verify looks at the change. Files and pins have owners that look after them.
func (c Change) watched() bool {
	switch c.Kind {
	case KindAddress, KindNeighbour, KindSysctl, KindTunnel, KindMount, KindReception, KindMembership:
		return true
	}
	return false
}

var (
	sysctlShape = regexp.MustCompile(`^net/ipv[46](/[A-Za-z0-9_.:@-]{1,32}){1,4}$`)
	valueShape  = regexp.MustCompile(`^-?[0-9]{1,10}([ \t]-?[0-9]{1,10}){0,3}$`)
	linkShape   = regexp.MustCompile(`^[!-.0-~]{1,15}$`) // what the kernel takes: no blank, no slash
)

// validate refuses everything that this package would not have written: the journal is read by root.
func (c Change) validate() error {
	if c.MAC != "" && c.Kind != KindReception {
		return fmt.Errorf("%w: stray field in %s", ErrMalformed, c.What())
	}
	switch c.Kind {
	case KindAddress:
		return c.validateAddress()
	case KindNeighbour:
		return c.validateNeighbour()
	case KindSysctl:
		return c.validateSysctl()
	case KindReception:
		return c.validateReception()
	case KindMembership:
		return c.validateMembership()
	case KindTunnel:
		return c.validateTunnel()
	case KindMount, KindPins, KindDirectory, KindFile:
		return c.validatePath()
	default:
		return fmt.Errorf("%w: unknown kind %q", ErrMalformed, c.Kind)
	}
}

func (c Change) validateAddress() error {
	if c.Sysctl != "" || c.Path != "" || !twoStates(c) {
		return fmt.Errorf("%w: stray field in %s", ErrMalformed, c.What())
	}
	if err := validateLink(c.Link); err != nil {
		return err
	}
	a := c.Prefix.Addr()
	if !c.Prefix.IsValid() || a.Zone() != "" || a.Is4In6() || a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() {
		return fmt.Errorf("%w: address %s", ErrMalformed, c.Prefix)
	}
	return nil
}

func (c Change) validateSysctl() error {
	if c.Link != "" || c.Path != "" || c.Prefix != (netip.Prefix{}) || c.Scope != 0 || c.NoDAD {
		return fmt.Errorf("%w: stray field in %s", ErrMalformed, c.What())
	}
	dots := func(s string) bool { return s == "." || s == ".." }
	if !sysctlShape.MatchString(c.Sysctl) || slices.ContainsFunc(strings.Split(c.Sysctl, "/"), dots) {
		return fmt.Errorf("%w: sysctl %q is not below net/ipv4 or net/ipv6", ErrMalformed, c.Sysctl)
	}
	if !valueShape.MatchString(c.Want) || !valueShape.MatchString(c.Found) {
		return fmt.Errorf("%w: values %q and %q of sysctl %s", ErrMalformed, c.Want, c.Found, c.Sysctl)
	}
	if c.Was != "" && !valueShape.MatchString(c.Was) {
		return fmt.Errorf("%w: value %q of sysctl %s", ErrMalformed, c.Was, c.Sysctl)
	}
	return nil
}

func (c Change) validatePath() error {
	if c.Link != "" || c.Sysctl != "" || c.Prefix != (netip.Prefix{}) || c.Scope != 0 || c.NoDAD || !twoStates(c) {
		return fmt.Errorf("%w: stray field in %s", ErrMalformed, c.What())
	}
	if len(c.Path) > 200 || c.Path == "." || !filepath.IsLocal(c.Path) || filepath.Clean(c.Path) != c.Path {
		return fmt.Errorf("%w: path %q is not below the run directory", ErrMalformed, c.Path)
	}
	return nil
}

// ours says whether a state is one that Muster has set.
func (c Change) ours(state string) bool {
	return state == c.Want || c.Was != "" && state == c.Was || state == Unrouted && c.Want == Present || c.Kind == KindTunnel && state == Down
}

func twoStates(c Change) bool {
	return c.Want == Present && c.Was == "" && (c.Found == Present || c.Found == Absent)
}
