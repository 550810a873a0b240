package check

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCounter(t *testing.T) {
	tests := []struct {
		name       string
		fall, rise int
		verdicts   string // + good, - bad
		states     string // after each: u(nknown), U(p), D(own)
	}{
		{"first success is enough", 3, 2, "+", "U"},
		{"unknown until fall failures", 3, 2, "---", "uuD"},
		{"unknown, then good", 3, 2, "--+", "uuU"},
		{"a failure is forgiven", 3, 2, "+--+--+", "UUUUUUU"},
		{"falls", 3, 2, "+----", "UUUDD"},
		{"rises", 3, 2, "---+-++", "uuDDDDU"},
		{"rises and falls", 2, 3, "+--+++--", "UUDDDUUD"},
		{"one of each", 1, 1, "-+-+", "DUDU"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := counter{fall: tt.fall, rise: tt.rise}
			var states strings.Builder
			for _, v := range tt.verdicts {
				before := c.state
				if changed := c.count(v == '+'); changed != (c.state != before) {
					t.Errorf("said changed %v from %v to %v", changed, before, c.state)
				}
				states.WriteByte("uUD"[c.state])
			}
			if states.String() != tt.states {
				t.Errorf("got %s, want %s", states.String(), tt.states)
			}
		})
	}
}

// Enough verdicts of one kind decide, whatever came before; fewer than that never turn a known state.
func TestCounterProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := counter{fall: rapid.IntRange(1, 5).Draw(t, "fall"), rise: rapid.IntRange(1, 5).Draw(t, "rise")}
		row, last := 0, false
		for i, good := range rapid.SliceOfN(rapid.Bool(), 1, 40).Draw(t, "verdicts") {
			if i > 0 && good == last {
				row++
			} else {
				row, last = 1, good
			}
			before := c.state
			c.count(good)
			switch {
			case good && row >= c.rise && c.state != Up:
				t.Fatalf("%d successes, and %v", row, c.state)
			case !good && row >= c.fall && c.state != Down:
				t.Fatalf("%d failures, and %v", row, c.state)
			case before == Up && c.state == Down && row < c.fall, before == Down && c.state == Up && row < c.rise:
				t.Fatalf("%v to %v after %d", before, c.state, row)
			case c.state == Unknown && before != Unknown:
				t.Fatal("forgot what it knew")
			}
		}
	})
}

func TestStateNames(t *testing.T) {
	for s, want := range map[State]string{Unknown: "unknown", Up: "up", Down: "down", State(99): "unknown"} {
		if s.String() != want {
			t.Errorf("%d is %q, want %q", s, s, want)
		}
	}
}
