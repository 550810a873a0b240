package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// MetricsPath is where Prometheus and its like fetch metrics, on the control socket.
const MetricsPath = "/metrics"

// metricsType is the text format of Prometheus.
const metricsType = "text/plain; version=0.0.4; charset=utf-8"

// serveMetrics answers with the agent's metrics, or with a plain error: whoever scrapes reads no problem documents.
func serveMetrics(agent Agent) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var text bytes.Buffer
		if err := agent.Metrics(r.Context(), &text); err != nil {
			status := http.StatusInternalServerError
			if errors.Is(err, ErrConflict) {
				status = http.StatusConflict
			}
			http.Error(w, err.Error(), status)
			return
		}
		w.Header().Set("Content-Type", metricsType)
		_, _ = text.WriteTo(w) // whoever has gone does not need the rest
	}
}

// Metrics asks for what Prometheus would be told.
func (c *Client) Metrics(ctx context.Context) (string, error) {
	response, err := c.do(ctx, http.MethodGet, MetricsPath, nil, "text/plain")
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var text strings.Builder
	if _, err := io.Copy(&text, io.LimitReader(response.Body, maxAnswerBytes)); err != nil {
		return "", fmt.Errorf("read agent's metrics: %w", err)
	}
	return text.String(), nil
}
