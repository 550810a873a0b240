package member_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/member"
)

// agreed checks that what the hosts have made of a network that stays as it is, is one opinion: whoever is in a view is in the view of
// each of its members, with the share of it installed. (The checker of the world has seen to it that no two accept one bucket.)
func (w *world) agreed() error {
	served := false
	for _, h := range w.hosts {
		v := h.machine.View()
		served = served || !v.IsZero()
		for id := range v.Set().All() {
			if other := w.hosts[id].machine.View(); other.ViewID != v.ViewID {
				return fmt.Errorf("host %d is in view %v of %b, host %d in %v of %b", h.id, v.ViewID, v.Set(), id, other.ViewID, other.Set())
			}
		}
		if !v.IsZero() && !h.machine.IsInstalled() {
			return fmt.Errorf("host %d has not installed view %v of %b", h.id, v.ViewID, v.Set())
		}
	}
	if !served {
		return fmt.Errorf("nobody is in a view")
	}
	return nil
}

// TestAnyMatrixOfLinksIsAgreedOn: some links are cut, at random, and stay cut. All hosts come to one opinion about who is in, and keep
// it; when the links are back, they are one.
func TestAnyMatrixOfLinksIsAgreedOn(t *testing.T) {
	for seed := range uint64(seeds(t, 120)) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) { settleCut(t, seed) })
	}
}

func settleCut(t *testing.T, seed uint64) {
	hosts := 2 + int(seed%6)
	w := settledAt(t, seed, hosts, timing, calm)
	share := w.rng.Float64()
	for a := range hosts {
		for b := range a {
			down := w.chance(share)
			w.net.cut[a][b], w.net.cut[b][a] = down, down
		}
	}
	w.must(t, 4*time.Second)
	w.changes = 0
	w.must(t, 12*time.Second)
	// A host at the end of a chain asks its neighbour again, twice as late each time.
	if w.changes > 3*hosts {
		t.Errorf("links cut %v: %d view changes in 12 s", w.net.cut, w.changes)
	}
	w.until(t, 2*time.Second, func() bool { return w.agreed() == nil })
	w.net.heal()
	w.until(t, 31*time.Second, w.isSettled)
}

// TestPartialOneWayLoss: b hears a, and a hears of b only a part. The pair goes on, or one of the two is out, the same for all; third
// hosts stay together, and it does not go on for ever.
func TestPartialOneWayLoss(t *testing.T) {
	tests := []struct {
		name   string
		timing member.Timing
		loss   float64
		most   int // views for any host in four minutes
	}{
		{"steady, 60 % one way", profileSteady, 0.6, 40},
		{"steady, 80 % one way", profileSteady, 0.8, 40},
		{"steady, 95 % one way", profileSteady, 0.95, 40},
		{"fast, 30 % one way", profileFast, 0.3, 40},
		{"fast, 60 % one way", profileFast, 0.6, 40},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for seed := range uint64(1) {
				w := settledAt(t, seed, 4, test.timing, calm)
				w.net.oneWay[2][1] = test.loss
				w.must(t, 4*time.Minute)
				for _, h := range w.hosts {
					if h.views > test.most {
						t.Errorf("seed %d: host %d went through %d views in four minutes, at most %d are expected", seed, h.id, h.views, test.most)
					}
				}
				t.Logf("seed %d: %d views on all hosts", seed, w.changes)
				w.net.heal()
				w.until(t, 31*time.Second, w.isSettled)
			}
		})
	}
}
