package wire

import (
	"testing"

	"pgregory.net/rapid"
)

// TestWindowAgreesWithASet compares the window with a set of everything ever taken.
func TestWindowAgreesWithASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := rapid.Uint64Range(0, 3000).Draw(t, "start")
		w, taken, top := startWindow(start), map[uint64]bool{}, start
		for range rapid.IntRange(1, 400).Draw(t, "steps") {
			near := rapid.Uint64Range(0, 3*windowBits).Draw(t, "near")
			seq := near
			if rapid.Bool().Draw(t, "around the top") {
				seq = max(top+near%(2*windowBits), windowBits) - windowBits
			}
			want := seq <= start || taken[seq] || seq+windowBits <= top
			if got := w.taken(seq); got != want {
				t.Fatalf("taken(%d) is %v, want %v (top %d)", seq, got, want, top)
			}
			if !want {
				w.take(seq)
				taken[seq] = true
				top = max(top, seq)
			}
		}
	})
}

func TestWindowAtTheEndOfNumbers(t *testing.T) {
	w := startWindow(lastWords - 2)
	w.take(lastWords - 1)
	if !w.taken(lastWords-1) || w.taken(lastWords) {
		t.Error("the window is wrong at its upper end")
	}
}
