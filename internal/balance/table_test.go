package balance

import (
	"testing"

	"github.com/muster-ha/muster/internal/member"
	"pgregory.net/rapid"
)

// drawWeights draws a configuration: mostly equal weights, as in life, else anything that may be configured.
func drawWeights(t *rapid.T, most int) []int {
	n := rapid.IntRange(1, most).Draw(t, "hosts")
	limit := rapid.SampledFrom([]int{1, 4, 1000}).Draw(t, "limit")
	return rapid.SliceOfN(rapid.IntRange(1, limit), n, n).Draw(t, "weights")
}

func count(t *Table) (n [256]int) {
	for _, owner := range t {
		n[owner]++
	}
	return n
}

func moved(a, b *Table) int {
	n := 0
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

func TestRankingsAreOrdersOfAllHosts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := drawWeights(t, member.MaxHosts)
		r := NewRankings(weights)
		for b := range Buckets {
			var seen member.Set
			for _, id := range r.ranking(b) {
				seen = seen.With(member.ID(id))
			}
			if seen != member.First(len(weights)) {
				t.Fatalf("bucket %d ranks %v", b, r.ranking(b))
			}
		}
	})
}

func TestTableIsExactByWeight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := drawWeights(t, member.MaxHosts)
		eligible := member.Set(rapid.Uint32().Draw(t, "eligible")) & member.First(len(weights))
		table := NewRankings(weights).Table(eligible)
		n := count(table)
		if eligible == 0 {
			if n[Nobody] != Buckets {
				t.Fatalf("nobody is eligible, and %d buckets have an owner", Buckets-n[Nobody])
			}
			return
		}
		sum := 0
		for id := range eligible.All() {
			sum += weights[id]
		}
		for id := range 256 {
			share := 0.0
			if id < member.MaxHosts && eligible.Has(member.ID(id)) {
				share = Buckets * float64(weights[id]) / float64(sum)
			}
			if d := float64(n[id]) - share; d >= 1 || d <= -1 {
				t.Fatalf("host %d has %d buckets, its share is %.2f", id, n[id], share)
			}
		}
	})
}

func TestTableIsTheSameForTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := drawWeights(t, member.MaxHosts)
		eligible := member.Set(rapid.Uint32().Draw(t, "eligible"))
		a, b := NewRankings(weights), NewRankings(weights)
		if *a.Table(eligible) != *b.Table(eligible) {
			t.Fatal("two tables of the same")
		}
		a.Table(eligible >> 1)
		if *a.Table(eligible) != *b.Table(eligible) {
			t.Fatal("making another table has changed the rankings")
		}
	})
}

// TestOneHostMovesOnlyItsShare: when a host leaves a full cluster, or comes back to it, what moves is its share and at most one
// bucket for each other host.
func TestOneHostMovesOnlyItsShare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := drawWeights(t, member.MaxHosts)
		r := NewRankings(weights)
		all := member.First(len(weights))
		gone := member.ID(rapid.IntRange(0, len(weights)-1).Draw(t, "gone"))
		full, less := r.Table(all), r.Table(all.Without(gone))
		share := count(full)[gone]
		if extra := moved(full, less) - share; extra > len(weights)-1 {
			t.Fatalf("host %d of %v had %d buckets, and %d more moved", gone, weights, share, extra)
		}
	})
}

// extraMoves bounds what moves beyond the minimum: fifteen buckets are the worst seen in 4,000 draws.
const extraMoves = 32

// TestMovementBetweenAnyViews bounds what moves beyond the share when one host leaves or joins any subset, for up to eight hosts
// whose weights differ by no more than four times.
func TestMovementBetweenAnyViews(t *testing.T) {
	worst := 0
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 8).Draw(t, "hosts")
		weights := rapid.SliceOfN(rapid.IntRange(1, 4), n, n).Draw(t, "weights")
		r := NewRankings(weights)
		some := member.Set(rapid.Uint32().Draw(t, "eligible")) & member.First(n)
		id := member.ID(rapid.IntRange(0, n-1).Draw(t, "changes"))
		with, without := some.With(id), some.Without(id)
		if without == 0 {
			return
		}
		a, b := r.Table(with), r.Table(without)
		extra := moved(a, b) - count(a)[id]
		worst = max(worst, extra)
		if extra > extraMoves {
			t.Fatalf("weights %v, %b without %d: %d buckets moved beyond the share", weights, with, id, extra)
		}
	})
	t.Logf("worst: %d buckets beyond the minimum", worst)
}

func TestEligible(t *testing.T) {
	v := member.View{Members: []member.Member{
		{ID: 0, Attributes: member.Attributes{Weight: 1, Ready: 0b11}},
		{ID: 2, Attributes: member.Attributes{Weight: 0, Ready: 0b11}},
		{ID: 3, Attributes: member.Attributes{Weight: 5, Ready: 0b10}},
	}}
	tests := []struct {
		name string
		rule int
		want member.Set
	}{
		{"a failed check takes a host out of its rule", 0, member.Of(0)},
		{"and of no other; weight zero takes it out of all", 1, member.Of(0, 3)},
		{"a rule that nobody is ready for", 7, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := Eligible(v, test.rule); got != test.want {
				t.Errorf("got %b, want %b", got, test.want)
			}
		})
	}
}

func BenchmarkNewRankings32(b *testing.B) {
	weights := make([]int, 32)
	for i := range weights {
		weights[i] = 1 + i%5
	}
	for b.Loop() {
		NewRankings(weights)
	}
}

func BenchmarkTable8(b *testing.B) {
	r := NewRankings([]int{1, 2, 1, 1, 3, 1, 1, 2})
	for b.Loop() {
		r.Table(0b10111011)
	}
}
