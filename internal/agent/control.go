package agent

import (
	"context"
	"fmt"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/heartbeat"
	"github.com/muster-ha/muster/internal/member"
)

var _ api.Agent = (*host)(nil)

// Journal holds what happened.
func (h *host) Journal() *api.Journal { return h.events }

// Drain gives away a host's share of new connections, wherever it is asked for.
func (h *host) Drain(ctx context.Context, name string, _ time.Duration) error {
	return h.order(ctx, name, heartbeat.DrainHost)
}

// Resume undoes Drain.
func (h *host) Resume(ctx context.Context, name string) error {
	return h.order(ctx, name, heartbeat.ResumeHost)
}

// order does on this host or passes on to another.
func (h *host) order(ctx context.Context, name string, verb heartbeat.Verb) error {
	var failed error
	ok := h.do(ctx, func() {
		id, known := h.config.Host(name)
		switch {
		case !known:
			failed = fmt.Errorf("%w host %q: the hosts are %s", api.ErrUnknown, name, hostNames(h.config))
		case member.ID(id) == h.self:
			h.drain(verb == heartbeat.DrainHost, "asked for on this host")
		case !h.machine.Hears(member.ID(id)):
			failed = fmt.Errorf("%w: host %s is not heard: its share has been given away already; see `muster status`", api.ErrConflict, name)
		default:
			h.orders.give(member.ID(id), verb, time.Now())
			h.speak()
		}
	})
	if !ok {
		return fmt.Errorf("%w: the agent is stopping", api.ErrConflict)
	}
	return failed
}

// drain changes whether this host takes new connections.
func (h *host) drain(on bool, why string) {
	if h.drained == on {
		return
	}
	h.drained = on
	kind := "resumed"
	if on {
		kind = "drained"
	}
	h.log.Info(kind, "why", why)
	h.record(api.Event{At: time.Now(), Kind: kind, Host: h.opt.Host, Text: why})
	h.refresh()
}

// Stop begins to leave, or shortens the deadline of a leave that has begun.
func (h *host) Stop(_ context.Context, r api.StopRequest) error {
	select {
	case h.leave <- r.Deadline:
		return nil
	default:
		return fmt.Errorf("%w: the agent has not taken the last order to stop yet: try again", api.ErrConflict)
	}
}
