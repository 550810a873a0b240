package main

import (
	"slices"
	"testing"
	"time"
)

func TestParseIperf(t *testing.T) {
	for _, tc := range []struct {
		name, out string
		want      float64
		bad       bool
	}{
		{"a report", `{"end": {"sum_sent": {"bits_per_second": 9e9}, "sum_received": {"bits_per_second": 8.5e9}}}`, 8.5, false},
		{"an error", `{"error": "unable to connect", "end": {}}`, 0, true},
		{"nothing received", `{"end": {"sum_received": {"bits_per_second": 0}}}`, 0, true},
		{"no report", "iperf3: error", 0, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := parseIperf([]byte(tc.out))
			if got != tc.want || (err != nil) != tc.bad {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestParseWrk(t *testing.T) {
	const good = "Running 3s test @ http://10.77.0.100:8080/\n  1 threads and 32 connections\n  41234 requests in 3.00s, 2.95MB read\nRequests/sec:  13744.67\n"
	for _, tc := range []struct {
		name, out string
		want      int
		bad       bool
	}{
		{"a report", good, 41234, false},
		{"some failed", good + "  Socket errors: connect 0, read 3, write 0, timeout 0\n", 0, true},
		{"some were refused", good + "  Non-2xx or 3xx responses: 4\n", 0, true},
		{"nothing", "unable to connect to 10.77.0.100:8080 Connection refused\n", 0, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := parseWrk([]byte(tc.out))
			if got != tc.want || (err != nil) != tc.bad {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestParseBusy(t *testing.T) {
	got, err := parseBusy([]byte("cpu  100 2 30 4000 50 6 7 80 9 0\ncpu0 1 2 3 4 5 6 7 8 9 0\n"))
	if want := 1450 * time.Millisecond; err != nil || got != want {
		t.Errorf("got %v, %v, want %v: user, nice, system, interrupts of both kinds", got, err, want)
	}
	for _, bad := range []string{"", "cpu 1 2 3", "cpu0 1 2 3 4 5 6 7 8 9 0", "cpu a b c d e f g h i j"} {
		if _, err := parseBusy([]byte(bad)); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func TestRatios(t *testing.T) {
	if got := ratios([]float64{9, 5, 7}, []float64{10, 0, 7}, 100); !slices.Equal(got, []float64{90, 100}) {
		t.Errorf("got %v", got)
	}
	if got := above([]float64{30, 10}, []float64{10, 10, 5}); !slices.Equal(got, []float64{20, 0.1}) {
		t.Errorf("got %v", got)
	}
}
