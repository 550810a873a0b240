package member_test

import (
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/member"
)

// flap cuts and mends by turns until the end, beginning with the cut.
func (w *world) flap(end time.Time, cut func(down bool), down, up [2]time.Duration) {
	if w.now.After(end) {
		return
	}
	cut(true)
	d := w.between(down[0], down[1])
	w.after(d, func() { cut(false) })
	w.after(d+w.between(up[0], up[1]), func() { w.flap(end, cut, down, up) })
}

// pair cuts one link, both ways or from a to b alone.
func pair(n *network, a, b member.ID, oneWay bool) func(bool) {
	return func(down bool) {
		n.cut[a][b] = down
		n.cut[b][a] = down && !oneWay
	}
}

// whole cuts all links of a host.
func whole(n *network, id member.ID) func(bool) {
	return func(down bool) {
		for other := range n.cut {
			n.cut[id][other], n.cut[other][id] = down && other != int(id), down && other != int(id)
		}
	}
}

func times(timing member.Timing, lo, hi float64) [2]time.Duration {
	d := float64(timing.Tolerance) * float64(timing.Interval)
	return [2]time.Duration{time.Duration(lo * d), time.Duration(hi * d)}
}

// flipFlop is a fault that comes and goes. Times are in tolerances.
type flipFlop struct {
	name     string
	timing   member.Timing
	hosts    int
	cut      func(n *network) func(bool)
	down, up [2]float64
	most     int        // views that any one host may go through in three minutes
	healthy  member.Set // hosts that stay together all the time
}

var flipFlops = []flipFlop{
	{"bad pair, just above the tolerance", profileSteady, 3, func(n *network) func(bool) { return pair(n, 1, 2, false) },
		[2]float64{1.1, 1.4}, [2]float64{0.5, 2}, 12, 0b011},
	{"bad pair, just below the tolerance", profileSteady, 3, func(n *network) func(bool) { return pair(n, 1, 2, false) },
		[2]float64{0.7, 0.85}, [2]float64{0.5, 2}, 0, 0b111},
	{"bad pair with the coordinator", profileSteady, 4, func(n *network) func(bool) { return pair(n, 0, 2, false) },
		[2]float64{1.1, 3}, [2]float64{0.5, 3}, 14, 0b1011},
	{"bad pair at fast", profileFast, 3, func(n *network) func(bool) { return pair(n, 1, 2, false) },
		[2]float64{1.3, 10}, [2]float64{0.5, 10}, 14, 0b011},
	{"pair bad in one direction", profileSteady, 3, func(n *network) func(bool) { return pair(n, 1, 2, true) },
		[2]float64{1.1, 3}, [2]float64{0.5, 3}, 14, 0b011},
	{"bad host", profileSteady, 4, func(n *network) func(bool) { return whole(n, 2) },
		[2]float64{1.1, 3}, [2]float64{0.5, 3}, 14, 0b1011},
	{"bad host that is the coordinator", profileSteady, 4, func(n *network) func(bool) { return whole(n, 0) },
		[2]float64{1.1, 3}, [2]float64{0.5, 3}, 14, 0b1110},
	{"two hosts", profileSteady, 2, func(n *network) func(bool) { return pair(n, 0, 1, false) },
		[2]float64{1.1, 3}, [2]float64{0.5, 3}, 16, 0b01},
	{"slow flapping at wan", profileWAN, 3, func(n *network) func(bool) { return pair(n, 1, 2, false) },
		[2]float64{1.2, 2}, [2]float64{0.5, 2}, 14, 0b011},
}

// TestFlipFlopChangesAreBounded: however long a link goes up and down, the views that this costs are bounded, hosts that have nothing to
// do with it stay together, and who is back for good is in the view within the longest hold.
func TestFlipFlopChangesAreBounded(t *testing.T) {
	for _, test := range flipFlops {
		t.Run(test.name, func(t *testing.T) {
			for seed := range uint64(2) {

				w := settledAt(t, seed, test.hosts, test.timing, calm)
				w.flap(w.now.Add(3*time.Minute), test.cut(&w.net),
					times(test.timing, test.down[0], test.down[1]), times(test.timing, test.up[0], test.up[1]))
				for range 18000 {
					w.must(t, 10*time.Millisecond)
					for id := range test.healthy.All() {
						if v := w.hosts[id].machine.View().Set(); v&test.healthy != test.healthy {
							t.Fatalf("seed %d, after %v: host %d is in a view of %b", seed, w.since(), id, v)
						}
					}
				}
				for _, h := range w.hosts {
					if h.views > test.most {
						t.Errorf("seed %d: host %d went through %d views, at most %d are expected", seed, h.id, h.views, test.most)
					}
				}
				w.must(t, w.detection())
				w.net.heal()
				back := w.until(t, 31*time.Second+3*w.detection(), w.isSettled)
				t.Logf("seed %d: %d views in all, whole again after %v", seed, w.changes, back)
			}
		})
	}
}
