package multicast

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/muster-ha/muster/madcap"
)

// Errors of leases. ErrNoLease is what Held returns when the address must not be used: no lease, one that has expired, or one to be avoided.
var (
	ErrNoLease   = errors.New("no lease is there that can be used")
	errLeaseText = errors.New("no lease of a group address")
)

// Lease is a group address that a MADCAP server has promised to the cluster for a time. It is cluster state: with its identifier any host
// can renew it, so it goes to every host and outlives the one that asked.
type Lease struct {
	Address  netip.Addr     // the group; invalid: no lease
	Server   netip.Addr     // who granted it, and renews it
	Scope    netip.Addr     // first address of the scope that it is of: the scope's identifier
	ID       madcap.LeaseID // random (type 0). Whoever knows it can renew and release the lease
	Obtained time.Time      // or renewed last; whole seconds, as Expires
	Expires  time.Time      // by the clock of the host that obtained it
	Shared   bool           // the server keeps it as one of several owners (Shared Lease Identifier)
}

// Known says whether there is a lease at all, in time or over.
func (l Lease) Known() bool { return l.Address.IsValid() }

// Valid says whether the address may be used. It may until the very second in which the lease expires.
func (l Lease) Valid(now time.Time) bool { return l.Known() && now.Before(l.Expires) }

// RenewAt is half of the lease's time, as in the example of RFC 2730, appendix A.3: a server may be away for the other half.
func (l Lease) RenewAt() time.Time { return l.Obtained.Add(l.Expires.Sub(l.Obtained) / 2) }

// String writes a lease as cluster state: one line that ParseLease reads, at most 255 bytes whatever the addresses.
func (l Lease) String() string {
	shared := "-"
	if l.Shared {
		shared = "shared"
	}
	return fmt.Sprintf("%v %v %v %v %d %d %s", l.Address, l.Server, l.Scope, l.ID, l.Obtained.Unix(), l.Expires.Unix(), shared)
}

// ParseLease reads what String wrote. It comes from other hosts and from the disk, so anything else is an error: an address that is no group,
// a lease that ends before it begins, a time that no clock shows.
func ParseLease(text string) (Lease, error) {
	f := strings.Split(text, " ")
	if len(f) != 7 || len(text) > maxLeaseText {
		return Lease{}, fmt.Errorf("%w: %d fields, %d bytes", errLeaseText, len(f), len(text))
	}
	var l Lease
	for i, a := range []*netip.Addr{&l.Address, &l.Server, &l.Scope} {
		var err error
		if *a, err = netip.ParseAddr(f[i]); err != nil {
			return Lease{}, fmt.Errorf("%w: %w", errLeaseText, err)
		}
	}
	if err := l.ID.UnmarshalText([]byte(f[3])); err != nil {
		return Lease{}, fmt.Errorf("%w: %w", errLeaseText, err)
	}
	for i, t := range []*time.Time{&l.Obtained, &l.Expires} {
		n, err := strconv.ParseInt(f[4+i], 10, 64)
		if err != nil || n < 0 || n > lastSecond {
			return Lease{}, fmt.Errorf("%w: time %.20q", errLeaseText, f[4+i])
		}
		*t = time.Unix(n, 0)
	}
	l.Shared = f[6] == "shared"
	if l.String() != text || !l.sound() {
		return Lease{}, fmt.Errorf("%w: %.80q", errLeaseText, text)
	}
	return l, nil
}

const (
	maxLeaseText = 255          // a value of the cluster state has at most 256 bytes
	lastSecond   = 253402300799 // of the year 9999
)

// sound says whether a lease can be one.
func (l Lease) sound() bool {
	return l.Address.IsMulticast() && l.Scope.IsMulticast() && l.Address.BitLen() == l.Scope.BitLen() &&
		l.Address.Zone()+l.Scope.Zone()+l.Server.Zone() == "" &&
		!l.Server.IsMulticast() && !l.Server.IsUnspecified() && l.Obtained.Before(l.Expires)
}

// Held is the Source of a lease that the cluster has. It is asked before SelfSelected.
type Held struct {
	Lease Lease     // as the common values have it
	Now   time.Time // by this host's clock, as Lease.Expires is by that of the host that obtained it
}

// Choose gives the lease's address while it may be used; otherwise the error is ErrNoLease.
func (h Held) Choose(avoid func(netip.Addr) bool) (netip.Addr, How, error) {
	if !h.Lease.Valid(h.Now) || avoid(h.Lease.Address) {
		return netip.Addr{}, 0, ErrNoLease
	}
	return h.Lease.Address, Leased, nil
}
