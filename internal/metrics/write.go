package metrics

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"

	"github.com/muster-ha/muster/internal/api"
)

// snapshot is a status as a collector.
type snapshot struct {
	status *api.Status
	list   []metric
}

// Describe says nothing: what is collected is checked for doubles all the same.
func (snapshot) Describe(chan<- *prometheus.Desc) {}

// Collect reads all metrics off the status.
func (c snapshot) Collect(out chan<- prometheus.Metric) {
	for _, m := range c.list {
		desc := prometheus.NewDesc(m.name, m.help, m.labels, nil)
		m.read(c.status, func(value float64, labels ...string) {
			out <- prometheus.MustNewConstMetric(desc, m.kind, value, labels...)
		})
	}
}

// registry holds what is said of a status, and of this process.
func registry(s *api.Status) (*prometheus.Registry, error) {
	r := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{snapshot{s, all()}, collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return r, nil
}

// Write says a status in the text format of Prometheus, with the usual process_ metrics of this process.
func Write(w io.Writer, s api.Status) error {
	r, err := registry(&s)
	if err != nil {
		return err
	}
	families, err := r.Gather()
	if err != nil {
		return fmt.Errorf("gather metrics: %w", err)
	}
	var b bytes.Buffer
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
			return fmt.Errorf("write metric %s: %w", f.GetName(), err)
		}
	}
	if _, err := b.WriteTo(w); err != nil {
		return fmt.Errorf("write metrics: %w", err)
	}
	return nil
}

// Table lists all metrics as docs/metrics.md shows them.
func Table() string {
	var b strings.Builder
	b.WriteString("| metric | type | labels | what it says |\n|---|---|---|---|\n")
	for _, m := range all() {
		kind := "gauge"
		if m.kind == counter {
			kind = "counter"
		}
		labels := "-"
		if len(m.labels) > 0 {
			labels = "`" + strings.Join(m.labels, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.name, kind, labels, m.help)
	}
	return b.String()
}
