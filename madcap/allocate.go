package madcap

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// maxRounds is how many servers Lease tries, one after the other, before it gives up.
const maxRounds = 3

// Lease leases addresses. Without a server in the request it discovers one: it multicasts a DISCOVER, takes the first offer of all that was
// asked for, or the best one within the retransmission delay, and multicasts a REQUEST (RFC 2730, sections 2.2.2 to 2.2.5). If
// that server then refuses or falls silent it begins anew with another, three at most.
//
// The error is a [*RefusedError], [*TimeoutError] or [*RetryError], the context's, or says what is wrong with the request.
func (c *Client) Lease(ctx context.Context, r Request) (Lease, error) {
	r, err := c.complete(r)
	if err != nil {
		return Lease{}, fmt.Errorf("lease addresses: %w", err)
	}
	var lease Lease
	err = c.session(ctx, func(s *session) error {
		if r.Server.IsValid() {
			lease, err = c.request(ctx, s, r, InRequest, c.xid.Add(1))
		} else {
			lease, err = c.discoverAndRequest(ctx, s, r)
		}
		return err
	})
	if err != nil {
		return Lease{}, fmt.Errorf("lease addresses: %w", err)
	}
	return lease, nil
}

// complete fills in defaults and checks the request.
func (c *Client) complete(r Request) (Request, error) {
	if r.ID == "" {
		r.ID = NewLeaseID()
	}
	if r.Desired == 0 {
		r.Desired = max(count(r.Want), 1)
	}
	if r.Min == 0 {
		r.Min = r.Desired
	}
	if err := r.Scope.check(c.cfg.Family); err != nil {
		return r, err
	}
	switch {
	case r.Min < 1 || r.Min > r.Desired || r.Desired > 1<<16-1:
		return r, fmt.Errorf("at least %d and at most %d addresses cannot be asked for", r.Min, r.Desired)
	case r.Time < 0 || r.Time > 0 && r.Time < time.Second || r.MinTime < 0:
		return r, fmt.Errorf("lease of %v cannot be asked for", r.Time)
	case slices.Contains(r.Require, RetryAfter) || slices.Contains(r.Prefer, RetryAfter):
		return r, fmt.Errorf("%v is for the server to decide: set Retry", RetryAfter) // section 2.13.2
	}
	for _, w := range r.Want {
		if !r.Scope.Span().Contains(w.span()) {
			return r, fmt.Errorf("%v is outside the scope %v", w, r.Scope.Span())
		}
	}
	return r, nil
}

func (r Request) judge(now time.Time, skew time.Duration) judge {
	latest := r.Latest
	if latest.IsZero() {
		latest = r.Start
	}
	start := now
	if r.Start.After(now) {
		start = r.Start
	}
	return judge{r.Scope.Span(), r.Want, r.Min, r.Desired, r.MinTime, latest, now, start, r.Require, skew}
}

// discoverAndRequest tries server after server. DISCOVER and REQUEST share an xid: they are one transaction (section 2.5).
func (c *Client) discoverAndRequest(ctx context.Context, s *session, r Request) (Lease, error) {
	var tried []netip.Addr
	var first error
	for range maxRounds {
		xid := c.xid.Add(1)
		server, err := c.discover(ctx, s, r, xid, tried)
		if err != nil {
			return Lease{}, firstOf(first, err)
		}
		r.Server = server
		lease, err := c.request(ctx, s, r, InMulticastRequest, xid)
		var refused *RefusedError
		var silent *TimeoutError
		if err == nil || ctx.Err() != nil || !errors.As(err, &refused) && !errors.As(err, &silent) {
			return lease, err
		}
		first = firstOf(first, err)
		tried = append(tried, server)
	}
	return Lease{}, first
}

// firstOf returns the first error: what the server that was chosen said tells more than the silence of others later.
func firstOf(first, err error) error {
	if first != nil {
		return first
	}
	return err
}

// discover returns the server of the best offer.
func (c *Client) discover(ctx context.Context, s *session, r Request, xid uint32, tried []netip.Addr) (netip.Addr, error) {
	e, err := c.exchangeWith(xid, InDiscover, r.options(time.Now()), r.ID, c.target(netip.Addr{}))
	if err != nil {
		return netip.Addr{}, err
	}
	e.many = true
	var best grant
	e.accept = func(now time.Time, m Message) (time.Time, error) {
		j := r.judge(now, c.cfg.Skew)
		g, err := j.offer(now, m)
		if err != nil {
			return now, err
		}
		if slices.Contains(tried, g.server) {
			return now, fmt.Errorf("server %v has been tried", g.server)
		}
		if !best.server.IsValid() || r.better(g, best) {
			best = g
		}
		if r.full(g, j.start) {
			return now, nil
		}
		return now.Add(e.delay), nil
	}
	err = s.run(ctx, e)
	return best.server, err
}

// full tells whether an offer is all that was asked for, so that waiting for others is of no use.
func (r Request) full(g grant, start time.Time) bool {
	if g.ranges != nil && count(g.ranges) < r.Desired {
		return false
	}
	return g.time >= r.Time.Truncate(time.Second) && !g.start.After(start)
}

// better prefers more addresses, then an earlier start, then more time.
func (r Request) better(a, b grant) bool {
	if x, y := count(a.ranges), count(b.ranges); a.ranges != nil && b.ranges != nil && x != y {
		return x > y
	}
	if !a.start.Equal(b.start) {
		return a.start.Before(b.start)
	}
	return a.time > b.time
}

// request asks the server of the request for the addresses.
func (c *Client) request(ctx context.Context, s *session, r Request, p Place, xid uint32) (Lease, error) {
	options := r.options(time.Now())
	to := c.target(r.Server)
	if p == InMulticastRequest {
		options, to = append(options, ServerID{r.Server}), c.target(netip.Addr{})
	}
	e, err := c.exchangeWith(xid, p, options, r.ID, to)
	if err != nil {
		return Lease{}, err
	}
	return c.grant(ctx, s, e, InAckToRequest, r.Server, func() judge { return r.judge(e.begun, c.cfg.Skew) })
}

// grant drives a REQUEST or RENEW and makes a lease of its ACK.
func (c *Client) grant(ctx context.Context, s *session, e *exchange, p Place, server netip.Addr, by func() judge) (Lease, error) {
	j := by()
	var g grant
	var later *RetryError
	e.accept = func(now time.Time, m Message) (time.Time, error) {
		j = by()
		if id, _ := Get[ServerID](m); id.Addr != server {
			return now, fmt.Errorf("ACK of server %v, %v was asked", id, server)
		}
		var err error
		if later, err = retry(now, m, p, e.id); later != nil || err != nil {
			return now, err
		}
		g, err = j.granted(now, m, p)
		return now, err
	}
	if err := s.run(ctx, e); err != nil {
		return Lease{}, err
	}
	if later != nil {
		return Lease{}, later
	}
	// The server counts from when it handled the first transmission at the earliest.
	return Lease{e.id, g.server, j.scope.First, g.ranges, g.start, g.start.Add(g.time), g.features}, nil
}

// retry recognizes an ACK that asks to come again: no addresses, Retry After done, and a time (section 2.13.2).
func retry(now time.Time, m Message, p Place, id LeaseID) (*RetryError, error) {
	at, ok := Get[RetryTime](m)
	list, _ := Get[RangeList](m)
	if !ok || len(list) > 0 {
		return nil, nil
	}
	if err := m.Check(p); err != nil {
		return nil, err
	}
	features, _ := Get[FeatureList](m)
	current, _ := Get[CurrentTime](m)
	server, _ := Get[ServerID](m)
	if !slices.Contains(features.Required, RetryAfter) {
		return nil, errors.New("retry time without the Retry After feature")
	}
	return &RetryError{id, server.Addr, now.Add(max(at.Sub(current.Time), 0))}, nil
}
