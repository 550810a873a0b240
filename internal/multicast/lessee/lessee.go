package lessee

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/muster-ha/muster/internal/multicast"
	"github.com/muster-ha/muster/madcap"
)

// Errors of Obtain.
var (
	// ErrNoScope means that servers have answered, and none of their scopes lies where the file allows.
	ErrNoScope = errors.New("no scope of the servers will do")

	// ErrUseless means that a server granted nothing but addresses that are reserved or clash. They were given back.
	ErrUseless = errors.New("the servers grant only addresses that cannot be used")
)

const (
	// LeaseTime is what is asked for: a server that is away for half a day is not missed. A lease that is longer counts for
	// this long.
	LeaseTime = 24 * time.Hour

	// MinTime is the shortest lease that is of use: renewing it takes a datagram every 5 s. A server that grants less has no address
	// for us, or lies.
	MinTime = 10 * time.Second

	// attemptTime is how long Obtain tries: long enough for two messages without an answer, each of which takes a minute.
	attemptTime = 2 * time.Minute

	// maxScopes is how many scopes are tried: a list may have 255.
	maxScopes = 4

	// maxTries is how many addresses of a scope are taken to find one that is not to be avoided.
	maxTries = 4

	// returnTime is how long addresses that were taken in vain are given back. Their server has just answered.
	returnTime = 5 * time.Second
)

// Client is what is needed of a madcap.Client; its methods are described there. Each may block for as long as RFC 2730 has a client repeat itself,
// a minute, and ends with its context.
type Client interface {
	Scopes(ctx context.Context, server netip.Addr, language string) ([]madcap.ServerInfo, error)
	Lease(ctx context.Context, r madcap.Request) (madcap.Lease, error)
	Renew(ctx context.Context, l madcap.Lease, t madcap.Terms) (madcap.Lease, error)
	Release(ctx context.Context, l madcap.Lease) error
}

// Wish is which address will do.
type Wish struct {
	Range multicast.Range       // that the configuration allows
	Avoid func(netip.Addr) bool // addresses that clash
}

// Obtain leases an address (RFC 2730, sections 2.2.1 to 2.2.5) for at most LeaseTime. The error is ErrNoScope, ErrUseless, the context's, or
// those of package madcap, one for each scope.
func Obtain(ctx context.Context, c Client, w Wish) (multicast.Lease, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	servers, err := c.Scopes(ctx, netip.Addr{}, "")
	if err != nil {
		return multicast.Lease{}, err
	}
	list := candidates(servers, w.Range)
	if len(list) == 0 {
		return multicast.Lease{}, fmt.Errorf("%w: %s; addresses from %v to %v are allowed", ErrNoScope, offered(servers), w.Range.First, w.Range.Last)
	}
	var errs []error
	for _, s := range list[:min(len(list), maxScopes)] {
		l, err := s.obtain(ctx, c, w)
		if err == nil {
			return l, nil
		}
		errs = append(errs, err)
	}
	return multicast.Lease{}, errors.Join(errs...)
}

// obtain leases an address of a scope. One that is to be avoided is kept until there is another: a server would grant it again.
func (s candidate) obtain(ctx context.Context, c Client, w Wish) (multicast.Lease, error) {
	var vain []madcap.Lease
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), returnTime)
		defer cancel()
		for _, l := range vain {
			_ = c.Release(ctx, l) // if that fails, it expires
		}
	}()
	for range maxTries {
		id := madcap.NewLeaseID()
		l, err := c.Lease(ctx, madcap.Request{ID: id, Scope: s.Scope, Server: s.server, Want: s.want, Min: 1, Desired: 1, Time: LeaseTime, MinTime: MinTime,
			Prefer: []madcap.Feature{madcap.SharedLeaseID}})
		if err != nil {
			if s.server.IsValid() { // it may have granted what we did not take, such as addresses for next week
				vain = append(vain, madcap.Lease{ID: id, Server: s.server})
			}
			return multicast.Lease{}, err
		}
		if a := l.Ranges[0].First; !multicast.Reserved(a) && !relative(s.Scope, a) && !w.Avoid(a) {
			return fromServer(l), nil
		}
		vain = append(vain, l)
	}
	return multicast.Lease{}, fmt.Errorf("%w: server %v, address %v", ErrUseless, vain[0].Server, vain[0].Ranges[0])
}

// offered names the scopes of servers, for people.
func offered(servers []madcap.ServerInfo) string {
	const most = 4
	var list []string
	for _, server := range servers {
		for _, s := range server.Scopes {
			list = append(list, fmt.Sprintf("%v to %v", s.First, s.Last))
		}
	}
	switch {
	case len(list) == 0:
		return "they have none"
	case len(list) > most:
		return fmt.Sprintf("they have %s and %d more", strings.Join(list[:most], ", "), len(list)-most)
	}
	return "they have " + strings.Join(list, ", ")
}

// Renew asks the lease's server for more time, until the context ends or a minute has passed. The lease that it returns has the
// same address and identifier. On an error the old one stands until it expires.
func Renew(ctx context.Context, c Client, l multicast.Lease) (multicast.Lease, error) {
	renewed, err := c.Renew(ctx, toServer(l), madcap.Terms{Time: LeaseTime, MinTime: MinTime})
	if err != nil {
		return multicast.Lease{}, err
	}
	return fromServer(renewed), nil
}

// Release gives a lease back (RFC 2730, section 2.2.5). An error means that no server has confirmed it: then the lease expires by itself, and nothing else
// need be done.
func Release(ctx context.Context, c Client, l multicast.Lease) error {
	return c.Release(ctx, toServer(l))
}

// fromServer makes cluster state of what a server has granted.
func fromServer(l madcap.Lease) multicast.Lease {
	start, length := l.Start.Truncate(time.Second), min(l.Expires.Sub(l.Start), LeaseTime)
	own := multicast.Lease{Address: l.Ranges[0].First, Server: l.Server, Scope: l.Scope, ID: l.ID, Obtained: start, Expires: start.Add(length.Truncate(time.Second))}
	for _, f := range l.Features {
		own.Shared = own.Shared || f == madcap.SharedLeaseID
	}
	return own
}

// toServer is the reverse, as far as renewing and releasing need it.
func toServer(l multicast.Lease) madcap.Lease {
	own := madcap.Lease{ID: l.ID, Server: l.Server, Scope: l.Scope, Ranges: []madcap.Range{{First: l.Address, Count: 1}}, Start: l.Obtained, Expires: l.Expires}
	if l.Shared {
		own.Features = []madcap.Feature{madcap.SharedLeaseID}
	}
	return own
}
