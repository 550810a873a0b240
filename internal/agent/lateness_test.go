package agent

import (
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/api"
)

func TestLatenessOfTicks(t *testing.T) {
	const interval = 5 * time.Millisecond
	start := time.Unix(1000, 0)
	tests := []struct {
		name string
		late []time.Duration // of the ticks after the first
		want api.TimerStatus
	}{
		{"none yet", nil, api.TimerStatus{}},
		{"in time", []time.Duration{0, 0, 0}, api.TimerStatus{Ticks: 3, MedianMS: 0, P99MS: 0}},
		{"one of four is late", []time.Duration{0, 0, 0, 3 * time.Millisecond}, api.TimerStatus{Ticks: 4, MedianMS: 0.001, P99MS: 3, WorstMS: 3}},
		{"mostly late", []time.Duration{time.Millisecond, time.Millisecond, 0}, api.TimerStatus{Ticks: 3, MedianMS: 1, P99MS: 1, WorstMS: 1}},
		{"quantiles are powers of two", []time.Duration{700 * time.Microsecond, 4 * time.Millisecond}, api.TimerStatus{Ticks: 2, MedianMS: 1.024, P99MS: 4, WorstMS: 4}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := lateness{interval: interval}
			l.tick(start)
			for i, late := range test.late {
				l.tick(start.Add(time.Duration(i+1)*interval + late))
			}
			if got := l.status(""); got != test.want {
				t.Errorf("%+v, want %+v", got, test.want)
			}
		})
	}
}

// TestLatenessAfterAPause: what a ticker left out while nobody listened is no lateness of the ticks that follow.
func TestLatenessAfterAPause(t *testing.T) {
	l := lateness{interval: 5 * time.Millisecond}
	now := time.Unix(1000, 0)
	l.tick(now)
	l.tick(now.Add(205 * time.Millisecond))
	for i := range 100 {
		l.tick(now.Add(time.Duration(210+5*i) * time.Millisecond))
	}
	if got := l.status(""); got.Ticks != 101 || got.WorstMS != 200 || got.P99MS != 0.001 && got.P99MS != 0 {
		t.Errorf("%+v, want 101 ticks, one of them 200 ms late", got)
	}
}

func TestLatenessForgetsAfterTwoSpans(t *testing.T) {
	l := lateness{interval: time.Second}
	now := time.Unix(1000, 0)
	l.tick(now)
	l.tick(now.Add(1500 * time.Millisecond))
	l.turn(time.Second, "order")
	l.turn(time.Millisecond, "tick")
	if got := l.status("x"); got.WorstMS != 500 || got.LongestMS != 1000 || got.Longest != "order" || got.Scheduling != "x" {
		t.Errorf("%+v", got)
	}
	for i := range 130 {
		l.tick(now.Add(time.Duration(2+i) * time.Second))
	}
	if got := l.status(""); got.WorstMS != 0 || got.Longest != "" || got.Ticks > 125 {
		t.Errorf("after two spans: %+v, want nothing of before", got)
	}
}
