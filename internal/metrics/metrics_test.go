package metrics

import (
	"bytes"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/api/apitest"
)

var update = flag.Bool("update", false, "write the table of docs/metrics.md")

const (
	page  = "../../docs/metrics.md"
	begin = "<!-- from here on written by `go test ./internal/metrics -update` -->\n"
)

// said is what is written of a status, read back.
func said(t *testing.T, s api.Status) []Sample {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, s); err != nil {
		t.Fatal(err)
	}
	list, err := Samples(&b)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(list, func(s Sample) bool { return strings.HasPrefix(s.Name, "process_") })
}

// find gives the value of a series by its labels, in the order name, value, name, value.
func find(list []Sample, name string, labels ...string) (float64, bool) {
	for _, s := range list {
		fits := s.Name == name && len(s.Labels) == len(labels)/2
		for i := 0; i < len(labels); i += 2 {
			fits = fits && s.Labels[labels[i]] == labels[i+1]
		}
		if fits {
			return s.Value, true
		}
	}
	return 0, false
}

func TestMetricsAreTheStatus(t *testing.T) {
	list := said(t, apitest.Sample())
	for _, tc := range []struct {
		name   string
		labels []string
		want   float64
	}{
		{"muster_info", []string{"cluster", "shop", "host", "a", "version", "v1.2.3"}, 1},
		{"muster_view_epoch", nil, 17},
		{"muster_view_members", nil, 2},
		{"muster_heartbeat_version", nil, 1},
		{"muster_problems", nil, 2},
		{"muster_config_pending", nil, 1},
		{"muster_check_up", []string{"check", "app"}, 0},
		{"muster_check_up", []string{"check", "web"}, 1},
		{"muster_host_state", []string{"host", "b", "state", "drained"}, 1},
		{"muster_host_state", []string{"host", "b", "state", "serving"}, 0},
		{"muster_host_silence_seconds", []string{"host", "c"}, 4.2},
		{"muster_host_buckets_held", []string{"host", "b"}, 31},
		{"muster_network_up", []string{"network", "spare"}, 0},
		{"muster_heartbeat_heard", []string{"network", "lan", "peer", "c"}, 0},
		{"muster_heartbeat_loss_ratio", []string{"network", "cross", "peer", "b"}, 0.31},
		{"muster_heartbeat_round_trip_seconds", []string{"network", "lan", "peer", "b"}, 0.00031},
		{"muster_heartbeat_jitter_seconds", []string{"network", "lan", "peer", "b"}, 0.00002},
		{"muster_multicast_used", []string{"network", "lan"}, 1},
		{"muster_heartbeats_sent_total", []string{"network", "lan", "path", "multicast"}, 2400},
		{"muster_datagrams_received_total", []string{"network", "lan", "path", "unicast", "reason", "replay"}, 2},
		{"muster_datagrams_received_total", []string{"network", "lan", "path", "multicast", "reason", "accepted"}, 2300},
		{"muster_rule_buckets_owned", []string{"vip", "web", "rule", "tcp 80,443", "host", "b"}, 1365},
		{"muster_rule_buckets_owned", []string{"vip", "dns", "rule", "udp 53", "host", ""}, 4096},
		{"muster_rule_connections_held", []string{"vip", "web", "rule", "tcp 8000-8010"}, 7},
		{"muster_vip_director", []string{"vip", "dns", "host", ""}, 1},
		{"muster_filter_armed", nil, 1},
		{"muster_filter_lease_seconds", nil, 0.1875},
		{"muster_filter_packets_total", []string{"decision", "drop"}, 3},
	} {
		got, ok := find(list, tc.name, tc.labels...)
		if diff := got - tc.want; !ok || diff > 1e-12 || diff < -1e-12 {
			t.Errorf("%s %v is %v (there: %v), want %v", tc.name, tc.labels, got, ok, tc.want)
		}
	}
}

func TestWhatIsNotKnownIsLeftOut(t *testing.T) {
	sample := said(t, apitest.Sample())
	for _, tc := range []struct {
		name   string
		labels []string
	}{
		{"muster_heartbeat_loss_ratio", []string{"network", "lan", "peer", "d"}},
		{"muster_heartbeat_round_trip_seconds", []string{"network", "lan", "peer", "c"}},
		{"muster_host_silence_seconds", []string{"host", "d"}},
		{"muster_host_silence_seconds", []string{"host", "a"}},
		{"muster_host_buckets_held", []string{"host", "c"}},
		{"muster_check_up", []string{"check", "new"}},
		{"muster_rule_connections_held", []string{"vip", "dns", "rule", "udp 53"}},
	} {
		if got, ok := find(sample, tc.name, tc.labels...); ok {
			t.Errorf("%s %v is %v, and it is not known", tc.name, tc.labels, got)
		}
	}
	for _, s := range said(t, apitest.Unknown()) {
		if strings.Contains(s.Name, "_heartbeat_loss") || s.Name == "muster_filter_lease_seconds" {
			t.Errorf("%+v of an agent that has just started", s)
		}
	}
	said(t, api.Status{}) // nothing is named twice
}

// TestNamesAreGood asks Prometheus's own linter.
func TestNamesAreGood(t *testing.T) {
	s := apitest.Sample()
	r, err := registry(&s)
	if err != nil {
		t.Fatal(err)
	}
	found, err := testutil.GatherAndLint(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range found {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	for _, m := range all() {
		if !strings.HasSuffix(m.help, ".") {
			t.Errorf("%s: the help %q is no sentence", m.name, m.help)
		}
	}
}

// TestEveryMetricIsSaid: none of the table is without a series in a status with one of everything.
func TestEveryMetricIsSaid(t *testing.T) {
	list := said(t, apitest.Sample())
	for _, m := range all() {
		if !slices.ContainsFunc(list, func(s Sample) bool { return s.Name == m.name }) {
			t.Errorf("%s is in the table, and nobody says it", m.name)
		}
	}
}

func TestPageIsCurrent(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, _, ok := strings.Cut(string(text), begin)
	if !ok {
		t.Fatalf("%s has no place for the table", page)
	}
	want := head + begin + "\n" + Table()
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(text) != want {
		t.Errorf("the metrics have changed: run `go test ./internal/metrics -update`")
	}
}

// TestSamplesRefusesNonsense: text that is none of Prometheus's is an error.
func TestSamplesRefusesNonsense(t *testing.T) {
	if list, err := Samples(strings.NewReader("muster_view_epoch seventeen\n")); err == nil {
		t.Errorf("read as %+v", list)
	}
}
