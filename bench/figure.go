package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// figure is one thing measured a number of times.
type figure struct {
	Name   string    `json:"name"`
	Unit   string    `json:"unit,omitempty"`
	Values []float64 `json:"values"`

	// What is wanted; nil: nothing, the figure is only reported.
	MedianLimit *float64 `json:"median_limit,omitempty"`
	MaxLimit    *float64 `json:"max_limit,omitempty"`
	LeastLimit  *float64 `json:"least_limit,omitempty"` // of the median
}

func newFigure(name, unit string, values ...float64) figure {
	return figure{Name: name, Unit: unit, Values: values}
}

// milliseconds makes a figure of durations.
func milliseconds(name string, values []time.Duration) figure {
	f := newFigure(name, "ms")
	for _, v := range values {
		f.Values = append(f.Values, float64(v.Microseconds())/1000)
	}
	return f
}

// counts makes a figure of counts.
func counts(name string, values ...int) figure {
	f := newFigure(name, "")
	for _, v := range values {
		f.Values = append(f.Values, float64(v))
	}
	return f
}

// median wants a median of at most limit.
func (f figure) median(limit float64) figure { f.MedianLimit = &limit; return f }

// most wants every value to be at most limit.
func (f figure) most(limit float64) figure { f.MaxLimit = &limit; return f }

// atLeast wants a median of at least limit.
func (f figure) atLeast(limit float64) figure { f.LeastLimit = &limit; return f }

// stats are the median, the least and the greatest value.
func (f figure) stats() (median, least, greatest float64) {
	if len(f.Values) == 0 {
		return 0, 0, 0
	}
	sorted := slices.Sorted(slices.Values(f.Values))
	middle := len(sorted) / 2
	median = sorted[middle]
	if len(sorted)%2 == 0 {
		median = (median + sorted[middle-1]) / 2
	}
	return median, sorted[0], sorted[len(sorted)-1]
}

// verdict says whether the figure is what is wanted. Without a measurement it is not.
func (f figure) verdict() string {
	median, _, greatest := f.stats()
	switch {
	case len(f.Values) == 0 && f.isLimited():
		return "NOT MEASURED"
	case f.MedianLimit != nil && median > *f.MedianLimit, f.MaxLimit != nil && greatest > *f.MaxLimit, f.LeastLimit != nil && median < *f.LeastLimit:
		return "MISSED"
	case f.isLimited():
		return "met"
	}
	return ""
}

func (f figure) isLimited() bool {
	return f.MedianLimit != nil || f.MaxLimit != nil || f.LeastLimit != nil
}

func (f figure) failed() bool { v := f.verdict(); return v != "" && v != "met" }

// wanted is the limits in words.
func (f figure) wanted() string {
	var parts []string
	if f.MedianLimit != nil {
		parts = append(parts, "median ≤ "+f.format(*f.MedianLimit))
	}
	if f.LeastLimit != nil {
		parts = append(parts, "median ≥ "+f.format(*f.LeastLimit))
	}
	if f.MaxLimit != nil {
		text := "≤ " + f.format(*f.MaxLimit)
		if f.MedianLimit != nil {
			text = "max " + text
		}
		if *f.MaxLimit == 0 {
			text = "0"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

// cells are the columns of the figure's line: name, wanted, n, median, least, greatest, verdict.
func (f figure) cells() []string {
	if len(f.Values) == 0 {
		return []string{f.Name, f.wanted(), "0", "", "", "", f.verdict()}
	}
	median, least, greatest := f.stats()
	return []string{f.Name, f.wanted(), strconv.Itoa(len(f.Values)),
		f.format(median), f.format(least), f.format(greatest), f.verdict()}
}

// format writes a value with the digits that are worth reading.
func (f figure) format(v float64) string {
	digits := 0
	switch {
	case v == float64(int64(v)):
	case v < 10:
		digits = 2
	case v < 100:
		digits = 1
	}
	return strings.TrimSpace(fmt.Sprintf("%.*f %s", digits, v, f.Unit))
}
