package register

import (
	"testing"
	"time"
)

// A clock that is set forward or back says nothing about what is newer: versions do.
func TestAClockThatIsSetDecidesNothing(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	a, b := New(0), New(1)
	for i, step := range []time.Duration{0, time.Hour, -time.Hour, -100 * 365 * 24 * time.Hour} {
		value := string(rune('a' + i))
		if err := a.Put("key", value, now.Add(step)); err != nil {
			t.Fatal(err)
		}
		b.Merge(a.entries)
		a, b = b, a // the other host goes on, with another clock
		for _, each := range []*Set{a, b} {
			if e, ok := each.Get("key"); !ok || e.Value != value {
				t.Errorf("after a step of %v the value is %q, want %q", step, e.Value, value)
			}
		}
	}
}
