package madcap

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Renew asks for more time for a lease (RFC 2730, section 2.2.7). The returned lease replaces the old one; on an error the old one
// stands until it expires. If its server does not answer and the lease has [ServerMobility], other servers are asked.
// Errors are as those of Lease.
func (c *Client) Renew(ctx context.Context, l Lease, t Terms) (Lease, error) {
	var renewed Lease
	err := c.mobile(ctx, l, func(s *session, server netip.Addr) (err error) {
		options := append([]Option{l.ID}, t.options(time.Now(), l.mobility(server), l.shared())...)
		e, err := c.exchange(InRenew, options, l.ID, c.target(server))
		if err != nil {
			return err
		}
		renewed, err = c.grant(ctx, s, e, InAckToRenew, server, func() judge { return c.judgeRenewal(l, t, e.begun) })
		return err
	})
	if err != nil {
		return Lease{}, fmt.Errorf("renew lease: %w", err)
	}
	renewed.Features = l.Features // they were settled when the lease was allocated
	return renewed, nil
}

// judgeRenewal accepts the addresses of the lease and no others, wherever their scope ends.
func (c *Client) judgeRenewal(l Lease, t Terms, now time.Time) judge {
	r := Request{Time: t.Time, MinTime: t.MinTime, Start: t.Start, Latest: t.Latest, Want: l.Ranges, Min: l.Addresses(), Desired: l.Addresses()}
	j := r.judge(now, c.cfg.Skew)
	j.scope = Span{l.Scope, l.Scope}
	for _, r := range l.Ranges {
		if last := r.Last(); j.scope.Last.Less(last) {
			j.scope.Last = last
		}
	}
	return j
}

// mobility is what to require of a server that is not the one that granted the lease (section 2.2.7).
func (l Lease) mobility(server netip.Addr) []Feature {
	if server == l.Server {
		return nil
	}
	return []Feature{ServerMobility}
}

// shared asks for the Shared Lease Identifier again for a lease that has it (section 2.13.3).
func (l Lease) shared() []Feature {
	if slices.Contains(l.Features, SharedLeaseID) {
		return []Feature{SharedLeaseID}
	}
	return nil
}

// Release gives back all addresses of a lease (section 2.2.8), or ends an allocation that a [*RetryError] announced. A part of a lease
// cannot be released. Errors are as those of Renew.
func (c *Client) Release(ctx context.Context, l Lease) error {
	err := c.mobile(ctx, l, func(s *session, server netip.Addr) error {
		options := []Option{l.ID}
		if require, prefer := l.mobility(server), l.shared(); len(require)+len(prefer) > 0 {
			options = append(options, FeatureList{slices.Concat(require, prefer), prefer, require})
		}
		e, err := c.exchange(InRelease, options, l.ID, c.target(server))
		if err != nil {
			return err
		}
		e.accept = func(now time.Time, m Message) (time.Time, error) {
			if id, _ := Get[ServerID](m); id.Addr != server {
				return now, fmt.Errorf("ACK of server %v, %v was asked", id, server)
			}
			return now, m.Check(InAckToRelease)
		}
		return s.run(ctx, e)
	})
	if err != nil {
		return fmt.Errorf("release lease: %w", err)
	}
	return nil
}

// mobile tries the lease's server, then, if it is silent and the lease allows it, the others that support it (section 2.13.1).
func (c *Client) mobile(ctx context.Context, l Lease, try func(*session, netip.Addr) error) error {
	first := c.session(ctx, func(s *session) error { return try(s, l.Server) })
	var silent *TimeoutError
	if !errors.As(first, &silent) || ctx.Err() != nil || !slices.Contains(l.Features, ServerMobility) {
		return first
	}
	others, err := c.Scopes(ctx, netip.Addr{}, "")
	if err != nil {
		return first
	}
	for _, o := range others {
		if o.Server == l.Server || !slices.Contains(o.Features, ServerMobility) {
			continue
		}
		err := c.session(ctx, func(s *session) error { return try(s, o.Server) })
		if !errors.As(err, &silent) {
			return err
		}
	}
	return first
}
