package agent

import (
	"context"
	"io"

	"github.com/muster-ha/muster/internal/metrics"
)

// Metrics says the status in the text format of Prometheus. It is made when somebody asks, and only then.
func (h *host) Metrics(ctx context.Context, w io.Writer) error {
	s, err := h.Status(ctx)
	if err != nil {
		return err
	}
	return metrics.Write(w, s)
}
