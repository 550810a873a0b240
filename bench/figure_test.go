package main

import (
	"slices"
	"testing"
	"time"
)

func TestFigure(t *testing.T) {
	tests := []struct {
		name   string
		figure figure
		want   []string
	}{
		{"met", newFigure("x", "ms", 3, 1, 2).median(2).most(3), []string{"x", "median ≤ 2 ms, max ≤ 3 ms", "3", "2 ms", "1 ms", "3 ms", "met"}},
		{"the median is missed", newFigure("x", "ms", 3, 1, 2).median(1.5).most(3), []string{"x", "median ≤ 1.50 ms, max ≤ 3 ms", "3", "2 ms", "1 ms", "3 ms", "MISSED"}},
		{"the maximum is missed", newFigure("x", "ms", 3, 1, 2).median(2).most(2), []string{"x", "median ≤ 2 ms, max ≤ 2 ms", "3", "2 ms", "1 ms", "3 ms", "MISSED"}},
		{"at least met", newFigure("x", "%", 96, 95, 94).atLeast(95), []string{"x", "median ≥ 95 %", "3", "95 %", "94 %", "96 %", "met"}},
		{"at least missed", newFigure("x", "%", 96, 94, 94).atLeast(95), []string{"x", "median ≥ 95 %", "3", "94 %", "94 %", "96 %", "MISSED"}},
		{"an even number has its median between", counts("x", 1, 2), []string{"x", "", "2", "1.50", "1", "2", ""}},
		{"none is wanted and none came", counts("x", 0, 0).most(0), []string{"x", "0", "2", "0", "0", "0", "met"}},
		{"none is wanted and one came", counts("x", 0, 1).most(0), []string{"x", "0", "2", "0.50", "0", "1", "MISSED"}},
		{"nothing measured is nothing met", counts("x").most(0), []string{"x", "0", "0", "", "", "", "NOT MEASURED"}},
		{"nothing measured and nothing wanted", counts("x"), []string{"x", "", "0", "", "", "", ""}},
		{"durations", milliseconds("x", []time.Duration{304_600_000, 12_340_000, 1_234_000}), []string{"x", "", "3", "12.3 ms", "1.23 ms", "305 ms", ""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := slices.Clone(tt.figure.Values)
			if got := tt.figure.cells(); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if !slices.Equal(tt.figure.Values, before) {
				t.Error("the values were sorted in place")
			}
		})
	}
}
