package load

import (
	"bytes"
	"maps"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const ms = time.Millisecond

// good, timedOut and lateRequest are requests as a client sees them.
func good(at time.Duration, host string) Record {
	return Record{Kind: Request, At: at, Took: 2 * ms, Connect: ms, OK: true, Host: host}
}

func timedOut(at time.Duration) Record {
	return Record{Kind: Request, At: at, Took: 900 * ms, Class: Timeout}
}

func lateRequest(at time.Duration, host string) Record {
	return Record{Kind: Request, At: at, Took: 1003 * ms, Connect: 1002 * ms, OK: true, Host: host}
}

func brokenConn(at time.Duration, host string) Record {
	return Record{Kind: Broken, At: at, Took: 400 * ms, Class: Reset, Host: host}
}

func TestSummarise(t *testing.T) {
	marks := []Mark{{Name: "cut", At: 1000 * ms, Host: "b"}, {Name: "quiet", At: 0}}
	tests := []struct {
		name    string
		records []Record
		check   func(quiet, cut Phase) bool
	}{
		{"nothing at all", nil, func(q, c Phase) bool { return q.Requests+c.Requests+q.Broken+c.Broken == 0 }},
		{"marks are sorted and phases end at the next", nil, func(q, c Phase) bool {
			return q.Name == "quiet" && q.End == 1000*ms && c.Name == "cut" && c.End == 9000*ms
		}},
		{"requests go to the phase in which they begin", []Record{good(999*ms, "a"), good(1000*ms, "a"), good(1001*ms, "b")},
			func(q, c Phase) bool { return q.Requests == 1 && c.Requests == 2 }},
		{"what was before the first mark is left out", []Record{good(-5*ms, "a"), timedOut(-2000 * ms)},
			func(q, c Phase) bool { return q.Requests+c.Requests == 0 }},
		{"the split counts answers", []Record{good(1*ms, "a"), good(2*ms, "a"), good(3*ms, "c"), timedOut(4 * ms)},
			func(q, _ Phase) bool { return maps.Equal(q.Split, map[string]int{"a": 2, "c": 1}) }},
		{"a failure is counted with its class and wait", []Record{timedOut(1100 * ms)}, func(q, c Phase) bool {
			return q.Failed == 0 && c.Failed == 1 && c.Classes[Timeout] == 1 && c.Longest == 900*ms && c.Late == 0
		}},
		{"recovery is the start of the last request that failed", []Record{timedOut(1300 * ms), timedOut(1100 * ms), good(1350*ms, "a")},
			func(_, c Phase) bool { return c.Recovered == 300*ms }},
		{"recovery counts those that were late", []Record{lateRequest(1250*ms, "a"), timedOut(1100 * ms)},
			func(_, c Phase) bool { return c.Recovered == 250*ms && c.Late == 1 && c.Failed == 1 }},
		{"a slow answer on a quick connection is not late", []Record{{Kind: Request, At: 1100 * ms, Took: 3000 * ms, Connect: ms, OK: true}},
			func(_, c Phase) bool { return c.Late == 0 && c.Recovered == 0 && c.Longest == 3000*ms }},
		{"a failure under way at the mark belongs to the mark", []Record{timedOut(995 * ms)},
			func(q, c Phase) bool { return q.Failed == 0 && c.Failed == 1 && c.Recovered == 0 }},
		{"a success under way at the mark does not", []Record{good(999*ms, "a")},
			func(q, c Phase) bool { return q.Requests == 1 && c.Requests == 0 }},
		{"connections to the victim are told from others", []Record{brokenConn(1300*ms, "b"), brokenConn(1300*ms, "b"), brokenConn(1301*ms, "a")},
			func(q, c Phase) bool {
				return q.Broken == 0 && c.Broken == 3 && c.Elsewhere == 1 && c.Classes[Reset] == 3
			}},
		{"only survivors stall", []Record{brokenConn(1300*ms, "b"), {Kind: Exchange, At: 1200 * ms, Took: 300 * ms, Host: "a"}},
			func(_, c Phase) bool { return c.Stall == 300*ms }},
		{"a stall that reaches over the mark belongs to it", []Record{{Kind: Exchange, At: 990 * ms, Took: 200 * ms}},
			func(q, c Phase) bool { return q.Stall == 0 && c.Stall == 200*ms }},
		{"wrong bytes are also broken", []Record{{Kind: Wrong, At: 10 * ms, Class: Corrupt, Host: "a"}},
			func(q, _ Phase) bool { return q.Wrong == 1 && q.Broken == 1 && q.Elsewhere == 1 }},
		{"opening and closing count for nothing", []Record{{Kind: Open, At: 10 * ms, OK: true}, {Kind: Closed, At: 20 * ms, OK: true}},
			func(q, _ Phase) bool { return q.Requests+q.Broken+q.Wrong == 0 && q.Stall == 0 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			phases := Summarise(tt.records, marks, 9000*ms)
			if len(phases) != 2 || !tt.check(phases[0], phases[1]) {
				t.Errorf("got %+v", phases)
			}
		})
	}
	if marks[0].Name != "cut" {
		t.Error("the caller's marks were sorted")
	}
}

func TestSummariseCountsEveryRequestOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		marks := []Mark{{At: 0}}
		for range rapid.IntRange(0, 5).Draw(t, "marks") {
			marks = append(marks, Mark{At: time.Duration(rapid.IntRange(0, 10_000).Draw(t, "mark")) * ms})
		}
		var records []Record
		failed := 0
		for range rapid.IntRange(0, 50).Draw(t, "records") {
			at := time.Duration(rapid.IntRange(0, 10_000).Draw(t, "at")) * ms
			switch rapid.IntRange(0, 2).Draw(t, "kind") {
			case 0:
				records = append(records, good(at, "a"))
			case 1:
				records = append(records, lateRequest(at, "b"))
			case 2:
				records = append(records, timedOut(at))
				failed++
			}
		}
		requests, answers := 0, 0
		for _, p := range Summarise(records, marks, 10_000*ms) {
			requests += p.Requests
			failed -= p.Failed
			for _, n := range p.Split {
				answers += n
			}
			if p.Recovered < 0 || p.Late+p.Failed > p.Requests {
				t.Errorf("impossible phase %+v", p)
			}
		}
		if requests != len(records) || failed != 0 || answers > requests {
			t.Errorf("%d of %d requests, %d failures too few, %d answers", requests, len(records), failed, answers)
		}
	})
}

func TestTable(t *testing.T) {
	phases := Summarise([]Record{good(1*ms, "a"), timedOut(1200 * ms), brokenConn(1300*ms, "b"), brokenConn(1300*ms, "a"),
		{Kind: Wrong, At: 1400 * ms, Host: "a"}}, []Mark{{Name: "all well"}, {Name: "cut", At: 1000 * ms, Host: "b"}}, 2000*ms)
	var out bytes.Buffer
	if err := Table(&out, phases); err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"event", "requests", "failed", "over", "1", "s", "longest", "wait", "last", "delay", "broken", "connections"},
		{"all", "well", "1", "0", "0", "2.0", "ms", "none", "0"},
		{"cut", "1", "1", "0", "900", "ms", "200", "ms", "3", "(1", "of", "b),", "1", "WRONG"},
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != len(want) {
		t.Fatalf("got\n%s", out.String())
	}
	for i, line := range lines {
		if got := strings.Fields(line); strings.Join(got, " ") != strings.Join(want[i], " ") {
			t.Errorf("line %d is %q, want %q", i, got, want[i])
		}
	}
}

func TestMedian(t *testing.T) {
	tests := []struct {
		name string
		in   []time.Duration
		want time.Duration
	}{
		{"none", nil, 0}, {"one", []time.Duration{7}, 7}, {"unsorted", []time.Duration{9, 1, 5}, 5}, {"even", []time.Duration{4, 1, 3, 2}, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Median(tt.in); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestShort(t *testing.T) {
	for want, d := range map[string]time.Duration{"0.4 ms": 400 * time.Microsecond, "15 ms": 15*ms + 900*time.Microsecond, "1.02 s": 1020 * ms} {
		if got := Short(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}
