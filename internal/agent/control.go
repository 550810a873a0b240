package agent

import (
	"context"
	"fmt"

	"github.com/muster-ha/muster/internal/api"
)

var _ api.Agent = (*host)(nil)

// Journal holds what happened.
func (h *host) Journal() *api.Journal { return h.events }

// Stop begins to leave, or shortens the deadline of a leave that has begun.
func (h *host) Stop(_ context.Context, r api.StopRequest) error {
	select {
	case h.leave <- r.Deadline:
		return nil
	default:
		return fmt.Errorf("%w: the agent has not taken the last order to stop yet: try again", api.ErrConflict)
	}
}
