package member_test

import (
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/member"
)

// The timings of the configuration's profiles; internal/config derives the lease in the same way.
var (
	profileSteady = timing
	profileFast   = member.Timing{Interval: 5 * time.Millisecond, Tolerance: 8, Lease: 5}
	profileWAN    = member.Timing{Interval: 500 * time.Millisecond, Tolerance: 10, Lease: 6}
)

// settledAt is a cluster with a timing that has come to its first view.
func settledAt(t *testing.T, seed uint64, hosts int, timing member.Timing, weather func(*network)) *world {
	t.Helper()
	w := newWorld(seed, hosts)
	w.timing = timing
	w.net.jitter = timing.Interval / 10
	weather(&w.net)
	for _, h := range w.hosts {
		h.start()
	}
	w.until(t, 10*w.detection(), w.isSettled)
	w.changes = 0
	for _, h := range w.hosts {
		h.views = 0
	}
	return w
}

func calm(*network) {}

func TestProfilesNoticeAPowerCutInTime(t *testing.T) {
	tests := []struct {
		name   string
		timing member.Timing
		atMost time.Duration // until the others have taken over
	}{
		{"fast", profileFast, 60 * time.Millisecond},
		{"steady", profileSteady, 350 * time.Millisecond},
		{"wan", profileWAN, 6500 * time.Millisecond},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var longest time.Duration
			for seed := range uint64(30) {
				w := settledAt(t, seed, 3, test.timing, calm)
				w.must(t, w.between(0, w.interval()))
				cut := w.now
				w.hosts[seed%3].powerCut()
				w.until(t, 2*test.atMost, func() bool { return w.isSettled() && w.unserved() == 0 })
				longest = max(longest, w.now.Sub(cut))
			}
			if longest > test.atMost || longest < time.Duration(test.timing.Tolerance-1)*test.timing.Interval {
				t.Errorf("taken over after %v at most, want at most %v and not before the tolerance", longest, test.atMost)
			}
			t.Logf("taken over after %v at most", longest)
		})
	}
}

func TestProfilesStandLoss(t *testing.T) {
	tests := []struct {
		name    string
		timing  member.Timing
		weather func(*network)
		run     time.Duration
	}{
		{"fast, 5 % both ways", profileFast, func(n *network) { n.loss = 0.05 }, 2 * time.Minute},
		{"steady, 30 % both ways", profileSteady, func(n *network) { n.loss = 0.3 }, 5 * time.Minute},
		{"wan, 150 ms and jitter, 10 % both ways", profileWAN, func(n *network) {
			n.delay, n.jitter, n.loss = 150*time.Millisecond, 100*time.Millisecond, 0.1
		}, time.Hour},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for seed := range uint64(2) {
				w := settledAt(t, seed, 3, test.timing, test.weather)
				w.must(t, test.run)
				if w.changes > 0 {
					t.Errorf("seed %d: %d view changes in %v", seed, w.changes, test.run)
				}
			}
		})
	}
}

// starve takes a host's processor away again and again until the end: pauses of a length, with a length between them.
func (w *world) starve(h *simHost, end time.Time, pause, run [2]time.Duration) {
	if w.now.After(end) {
		return
	}
	d := w.between(pause[0], pause[1])
	h.pause(d)
	w.after(d+w.between(run[0], run[1]), func() { w.starve(h, end, pause, run) })
}

// TestStarvedObserverAccusesNobody: a host that runs for moments only is no witness against others, and as long as it speaks
// within the tolerance it is not put out either.
func TestStarvedObserverAccusesNobody(t *testing.T) {
	ms := func(lo, hi int) [2]time.Duration {
		return [2]time.Duration{time.Duration(lo) * time.Millisecond, time.Duration(hi) * time.Millisecond}
	}
	tests := []struct {
		name       string
		timing     member.Timing
		loss       float64
		pause, run [2]time.Duration
		stays      bool // the starved host is never silent for the tolerance
	}{
		{"steady, 50 to 200 ms", profileSteady, 0, ms(50, 200), ms(20, 100), true},
		{"steady, 50 to 200 ms and 5 % loss", profileSteady, 0.05, ms(50, 200), ms(60, 200), true},
		{"wan, 50 to 200 ms", profileWAN, 0.05, ms(50, 200), ms(20, 100), true},
		{"fast, 5 to 25 ms", profileFast, 0, ms(5, 25), ms(6, 20), true},
		{"fast, 50 to 200 ms", profileFast, 0.05, ms(50, 200), ms(20, 100), false},
		{"steady, 0.4 to 2 s", profileSteady, 0.2, ms(400, 2000), ms(20, 500), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for seed := range uint64(4) {
				w := settledAt(t, seed, 4, test.timing, func(n *network) { n.loss = test.loss })
				starved := w.hosts[seed]
				healthy := member.First(4).Without(starved.id)
				w.starve(starved, w.now.Add(time.Minute), test.pause, test.run)
				for range 6000 {
					w.must(t, 10*time.Millisecond)
					for _, h := range w.hosts {
						v := h.machine.View()
						out := v.IsZero() && h == starved && !test.stays
						if !out && v.Set()&healthy != healthy {
							t.Fatalf("seed %d, after %v: host %d is in a view of %b; starved is %d alone", seed, w.since(), h.id, v.Set(), starved.id)
						}
					}
				}
				if test.stays && w.changes > 0 {
					t.Errorf("seed %d: %d view changes in a minute", seed, w.changes)
				}
				t.Logf("seed %d: %d view changes on all hosts", seed, w.changes)
			}
		})
	}
}

// TestAPausedMachineLetsItsHostsGoOnOneByOne: when all hosts stood still, some go on sooner than others, and wait for them as long as they
// were held up themselves, at most the detection time.
func TestAPausedMachineLetsItsHostsGoOnOneByOne(t *testing.T) {
	for seed := range uint64(20) {
		w := settledAt(t, seed, 7, profileFast, func(n *network) { n.loss = 0.05 })
		w.must(t, time.Second) // until all may vote
		w.changes = 0
		for _, h := range w.hosts {
			h.pause(time.Second + w.between(0, 60*time.Millisecond))
		}
		w.must(t, 2*time.Second)
		if w.changes > 0 {
			t.Errorf("seed %d: %d view changes", seed, w.changes)
		}
	}
}

// TestWhoStandsStillAgainAndAgainNoticesADeadHost: it gives more time once for each silence, however often it stands still, and none to a host
// that it has noticed to be dead.
func TestWhoStandsStillAgainAndAgainNoticesADeadHost(t *testing.T) {
	for seed := range uint64(20) {
		w := settledAt(t, seed, 2, profileFast, func(*network) {})
		alone, dead := w.hosts[0], w.hosts[1]
		pause := [2]time.Duration{15 * time.Millisecond, 20 * time.Millisecond}
		w.starve(alone, w.now.Add(time.Second), pause, pause)
		w.must(t, 100*time.Millisecond)
		dead.powerCut()
		gone := func() bool { return alone.machine.View().Set() == member.Of(alone.id) }
		w.until(t, 300*time.Millisecond, gone)
		w.after(50*time.Millisecond, func() { alone.pause(100 * time.Millisecond) })
		for range 300 {
			w.must(t, time.Millisecond)
			if !gone() || alone.machine.Hears(dead.id) {
				t.Fatalf("seed %d: the dead host is back", seed)
			}
		}
	}
}
