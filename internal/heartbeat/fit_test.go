package heartbeat

import (
	"math/bits"
	"testing"

	"github.com/muster-ha/muster/internal/balance"
	"github.com/muster-ha/muster/internal/member"
	"pgregory.net/rapid"
)

func TestForms(t *testing.T) {
	set := func(f func(i int) bool) (b balance.Bitmap) {
		for i := range balance.Buckets {
			if f(i) {
				b.Set(i)
			}
		}
		return b
	}
	for _, tc := range []struct {
		name string
		in   func(i int) bool
		form form
		size int
	}{
		{"none", func(int) bool { return false }, formList, 1},
		{"first", func(i int) bool { return i == 0 }, formList, 2},
		{"last", func(i int) bool { return i == balance.Buckets-1 }, formList, 3},
		{"every hundredth", func(i int) bool { return i%100 == 0 }, formList, 1 + 41},
		{"all", func(int) bool { return true }, formRuns, 1 + 1 + 2},
		{"a third in one piece", func(i int) bool { return i < balance.Buckets/3 }, formRuns, 1 + 1 + 2},
		{"two pieces", func(i int) bool { return i >= 100 && i < 200 || i >= 1000 && i < 1500 }, formRuns, 1 + 1 + 1 + 2 + 2},
		{"every second", func(i int) bool { return i%2 == 0 }, formBitmap, bitmapSize},
		{"a third, scattered", func(i int) bool { return bits.OnesCount(uint(i*2654435761)&7)%3 == 0 }, formBitmap, bitmapSize},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := set(tc.in)
			f, size := best(&b)
			if f != tc.form || size != tc.size {
				t.Errorf("form %d of %d bytes, want %d of %d", f, size, tc.form, tc.size)
			}
			written := f.append(nil, &b)
			if len(written) != size {
				t.Errorf("%d bytes written, %d promised", len(written), size)
			}
			r := &reader{rest: written}
			if got := r.buckets(f); got != b || r.err != nil || len(r.rest) > 0 {
				t.Errorf("read otherwise, %v, %d bytes left", r.err, len(r.rest))
			}
		})
	}
}

// TestFormsAgree writes random sets in all forms: the promised size is right and nothing shorter exists.
func TestFormsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBuckets(t)
		chosen, size := best(&b)
		for _, f := range []form{formList, formRuns, formBitmap} {
			n := len(f.append(nil, &b))
			if n < size || f == chosen && n != size {
				t.Fatalf("form %d takes %d bytes, form %d was chosen with %d", f, n, chosen, size)
			}
		}
	})
}

// TestFitSaysEverything: within the budget, whatever it is, each holding is said within as many heartbeats as there are
// holdings, and what is said is true.
func TestFitSaysEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var holdings []Holding
		for rule := range uint8(rapid.IntRange(1, 12).Draw(t, "rules")) {
			holdings = append(holdings, drawHolding(t, rule))
		}
		start, said := rapid.IntRange(0, 100).Draw(t, "start"), map[uint8]bool{}
		for range holdings {
			budget := rapid.IntRange(1+runHead+entryHead, 1200).Draw(t, "budget")
			var fitted []Holding
			fitted, start = Fit(holdings, budget, start)
			b, err := appendHoldings(nil, fitted)
			if err != nil || len(b) > budget {
				t.Fatalf("%d bytes for a budget of %d: %v", len(b), budget, err)
			}
			for _, h := range fitted {
				said[h.Rule] = true
				if truth := holdings[h.Rule]; h != truth && (h.Kind != HoldsAll || truth.Kind != HoldsSome || h.Stamp != truth.Stamp || h.Config != truth.Config) {
					t.Fatalf("said %+v, true is %+v", h, truth)
				}
			}
		}
		if len(said) != len(holdings) {
			t.Fatalf("%d of %d holdings said", len(said), len(holdings))
		}
	})
}

func TestFit(t *testing.T) {
	var noise balance.Bitmap
	for i := range noise {
		noise[i] = uint64(i+1) * 0x9e3779b97f4a7c15
	}
	some := func(rule uint8) Holding { return Holding{Rule: rule, Kind: HoldsSome, Buckets: noise} }
	one := 1 + runHead + entryHead + bitmapSize
	for _, tc := range []struct {
		name          string
		holdings      []Holding
		budget, start int
		want          []uint8
		next          int
	}{
		{"nothing", nil, 100, 5, nil, 0},
		{"all fit", []Holding{some(0), some(1)}, 2000, 0, []uint8{0, 1}, 0},
		{"all fit, from the second", []Holding{some(0), some(1)}, 2000, 1, []uint8{1, 0}, 1},
		{"one fits", []Holding{some(0), some(1), some(2)}, one, 1, []uint8{1}, 2},
		{"the rest goes round", []Holding{some(0), some(1), some(2)}, one, 2, []uint8{2}, 0},
		{"no room at all", []Holding{some(0)}, 5, 0, nil, 0},
		{"start from when there were more", []Holding{{Rule: 0}, {Rule: 1}}, 100, 7, []uint8{1, 0}, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fitted, next := Fit(tc.holdings, tc.budget, tc.start)
			var rules []uint8
			for _, h := range fitted {
				rules = append(rules, h.Rule)
			}
			if string(rules) != string(tc.want) || next != tc.next {
				t.Errorf("rules %v, next %d; want %v, %d", rules, next, tc.want, tc.next)
			}
		})
	}
	if fitted, _ := Fit([]Holding{some(3)}, one-1, 0); len(fitted) != 1 || fitted[0].Kind != HoldsAll || fitted[0].Buckets != (balance.Bitmap{}) {
		t.Errorf("a set that never fits is said as %+v, want that all is held", fitted)
	}
}

func TestRunsOfHoldingsAreWrittenOnce(t *testing.T) {
	same := make([]Holding, 10)
	for i := range same {
		same[i] = Holding{Rule: uint8(i), Config: 1, Stamp: member.ViewID{Epoch: 2}}
	}
	b, err := appendHoldings(nil, same)
	if want := 1 + runHead + 10*entryHead; err != nil || len(b) != want {
		t.Errorf("%d bytes, %v; want %d", len(b), err, want)
	}
}
