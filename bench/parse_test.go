package main

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/lab/load"
)

func TestParseBenchmark(t *testing.T) {
	out := []byte(`goos: linux
BenchmarkFilter/new-2         	     400	    123456 ns/op	        51.50 added-ns	        30.00 empty-ns	         2.700 ratio
BenchmarkFilter/new-2         	     400	    123456 ns/op	        52.00 added-ns	        30.00 empty-ns	         2.700 ratio
BenchmarkFilter/ask-miss-end  	     400	    123456 ns/op	        70.00 added-ns
PASS
`)
	want := map[string][]float64{"new": {51.5, 52}, "ask-miss-end": {70}}
	if got := parseBenchmark(out, "added-ns"); !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestParseOverlap(t *testing.T) {
	const guarded, control = "--- %: TestOverlapBreaksNothingWithTheGuard (1.0s)\n", "--- %: TestOverlapWithoutTheGuard (1.0s)\n"
	tests := []struct {
		name, out       string
		broken, control int
		fails           bool
	}{
		{"as it should be", pass(guarded) + pass(control), 0, 1, false},
		{"some broke", fail(guarded) + "    overlap_test.go:45: 7 of 60 connections broken\n" + pass(control), 7, 1, false},
		{"the control broke none", pass(guarded) + fail(control), 0, 0, false},
		{"failed for another reason", fail(guarded) + pass(control), 0, 0, true},
		{"did not run", pass(guarded), 0, 0, true},
		{"nothing", "", 0, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			broken, control, err := parseOverlap([]byte(tt.out))
			if broken != tt.broken || control != tt.control || (err != nil) != tt.fails {
				t.Errorf("got %d, %d, %v", broken, control, err)
			}
		})
	}
}

func pass(line string) string { return verdictLine(line, "PASS") }
func fail(line string) string { return verdictLine(line, "FAIL") }

func verdictLine(line, verdict string) string { return line[:4] + verdict + line[5:] }

func TestParseStat(t *testing.T) {
	const good = "42 (a) b (c) S 1 1 1 0 -1 4 9 0 0 0 150 50 0 0 1 -19 9 0 100 1000000 2500 18446744073709551615"
	tests := []struct {
		name, in string
		want     usage
		fails    bool
	}{
		{"a name with parentheses", good, usage{memory: 2500 * 4096 / 1e6, ticks: 2}, false},
		{"too short", "42 (a) S 1 1", usage{}, true},
		{"no name", "42", usage{}, true},
		{"no number", "42 (a) S 1 1 1 0 -1 4 9 0 0 0 x 50 0 0 1 -19 9 0 100 1000000 2500 1", usage{}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := parseStat(tt.in, 4096); got != tt.want || (err != nil) != tt.fails {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestModelName(t *testing.T) {
	if got := modelName("processor\t: 0\nmodel name\t: A: B 9\nmodel name\t: C\n"); got != "A: B 9" {
		t.Errorf("got %q", got)
	}
}

func TestExclusion(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	event := func(kind, host string, ms int) api.Event {
		return api.Event{Kind: kind, Host: host, At: at.Add(time.Duration(ms) * time.Millisecond)}
	}
	gone := []api.Event{event("view_installed", "", -1), event("host_left", "b", 3), event("view_installed", "", 5), event("view_installed", "", 900)}
	silent := []api.Event{event("host_left", "c", 1), event("host_silent", "b", 300), event("view_installed", "", 310)}
	tests := []struct {
		name           string
		events         map[string][]api.Event
		told, excluded time.Duration
		fails          bool
	}{
		{"the first told and the last done", map[string][]api.Event{"a": gone, "c": silent}, 3 * time.Millisecond, 310 * time.Millisecond, false},
		{"one never did", map[string][]api.Event{"a": gone, "c": silent[:2]}, 0, 0, true},
		{"a view before it does not count", map[string][]api.Event{"a": gone[:2]}, 0, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			told, excluded, err := exclusion(tt.events, "b", at)
			if told != tt.told || excluded != tt.excluded || (err != nil) != tt.fails {
				t.Errorf("got %v, %v, %v", told, excluded, err)
			}
		})
	}
}

func TestFullService(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	answer := func(host string, begun, took int) seen {
		return seen{load.Record{Kind: load.Request, OK: host != "", Host: host, Took: time.Duration(took) * time.Millisecond},
			at.Add(time.Duration(begun) * time.Millisecond)}
	}
	tests := []struct {
		name    string
		records []seen
		want    time.Duration
		fails   bool
	}{
		{"the last host's first answer", []seen{answer("", 1, 900), answer("a", 5, 2), answer("b", 300, 4), answer("b", 30, 4), answer("a", 90, 1)}, 34 * time.Millisecond, false},
		{"a host that never answers", []seen{answer("a", 5, 2)}, 0, true},
		{"a host that there is not", []seen{answer("a", 5, 2), answer("b", 5, 2), answer("x", 5, 2)}, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := fullService(tt.records, at, []string{"a", "b"}); got != tt.want || (err != nil) != tt.fails {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestSoleHost(t *testing.T) {
	answers := func(n int, host string) []seen {
		return slices.Repeat([]seen{{Record: load.Record{OK: host != "", Host: host}}}, n)
	}
	tests := []struct {
		name    string
		records []seen
		want    string
	}{
		{"one host", answers(usualRate, "a"), "a"},
		{"too few to know", answers(usualRate-1, "a"), ""},
		{"two hosts", append(answers(usualRate, "a"), answers(1, "b")...), ""},
		{"one failed", append(answers(usualRate, "a"), answers(1, "")...), ""},
		{"none", nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := soleHost(tt.records); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTally(t *testing.T) {
	var records []seen
	for range surviveConns {
		records = append(records, seen{Record: load.Record{Kind: load.Open, Took: time.Hour}},
			seen{Record: load.Record{Kind: load.Closed, Bytes: 1000, Took: 7 * time.Millisecond}})
	}
	figures, err := tally(append(records, seen{Record: load.Record{Kind: load.Exchange, Took: 9 * time.Millisecond}})).figures()
	if err != nil || figures[0].failed() || figures[3].Values[0] != 1 || figures[4].Values[0] != 9 {
		t.Errorf("got %+v, %v", figures, err)
	}
	if _, err := tally(records[1:]).figures(); err == nil {
		t.Error("more connections ended than were opened")
	}
	records[len(records)-1].Kind = load.Wrong
	if figures, err := tally(records).figures(); err != nil || !figures[1].failed() || figures[0].failed() {
		t.Errorf("got %+v, %v with wrong bytes", figures, err)
	}
}
