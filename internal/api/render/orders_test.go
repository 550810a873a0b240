package render

import (
	"bytes"
	"io"
	"testing"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/api/apitest"
)

func TestOrdersGolden(t *testing.T) {
	sample := apitest.Sample()
	for _, tc := range []struct {
		name  string
		write func(io.Writer)
	}{
		{"hosts", func(w io.Writer) { Hosts(w, sample) }},
		{"hosts-unknown", func(w io.Writer) { Hosts(w, apitest.Unknown()) }},
		{"host", func(w io.Writer) { Host(w, sample, sample.Hosts[1]) }},
		{"host-empty", func(w io.Writer) { Host(w, api.Status{}, api.HostStatus{}) }},
		{"rules", func(w io.Writer) { Rules(w, sample.VIPs, "a") }},
		{"rules-empty", func(w io.Writer) { Rules(w, nil, "") }},
		{"params", func(w io.Writer) { Params(w, apitest.SampleParams()) }},
		{"params-empty", func(w io.Writer) { Params(w, api.Params{}) }},
		{"ordered", func(w io.Writer) {
			Ordered(w, api.OrderAnswer{Have: []string{"a"}, Lacking: []string{"b"}, Silent: []string{"c"}, NotKept: "no space left on device"}, "host b is stopped")
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got bytes.Buffer
			tc.write(&got)
			compare(t, tc.name, got.Bytes())
		})
	}
}
