package member_test

import (
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/balance"
	"github.com/muster-ha/muster/internal/member"
)

// steady is a cluster that has come to its first view.
func steady(t *testing.T, seed uint64, hosts int) *world {
	t.Helper()
	w := newWorld(seed, hosts)
	w.net.jitter = 2 * time.Millisecond
	for _, h := range w.hosts {
		h.start()
	}
	w.must(t, time.Second)
	if err := w.settled(); err != nil {
		t.Fatal(err)
	}
	w.changes = 0
	return w
}

func (w *world) must(t *testing.T, d time.Duration) {
	t.Helper()
	if err := w.run(d); err != nil {
		t.Fatal(err)
	}
}

// until runs in small steps until something is so, and says how long that took.
func (w *world) until(t *testing.T, limit time.Duration, so func() bool) time.Duration {
	t.Helper()
	start := w.now
	for !so() {
		if w.now.Sub(start) > limit {
			t.Fatalf("seed %d: not within %v", w.seed, limit)
		}
		w.must(t, time.Millisecond)
	}
	return w.now.Sub(start)
}

func (w *world) isSettled() bool { return w.settled() == nil }

func (w *world) isTogether() bool { return w.together() == nil }

// unserved is how many buckets nobody accepts.
func (w *world) unserved() int {
	var all balance.Bitmap
	for _, h := range w.hosts {
		if h.filter.accepting(w.now) {
			all = all.Or(h.filter.own)
		}
	}
	return balance.Buckets - all.Count()
}

func TestLossAloneChangesNothing(t *testing.T) {
	for _, loss := range []float64{0.2, 0.3} {
		for seed := range uint64(5) {
			w := steady(t, seed, 3)
			w.net.loss = loss
			gaps := 0
			for range 600 {
				w.must(t, 100*time.Millisecond)
				if w.unserved() > 0 {
					gaps++
				}
			}
			if w.changes > 0 {
				t.Errorf("loss %v, seed %d: %d view changes in a minute", loss, seed, w.changes)
			}
			if gaps > 6 {
				t.Errorf("loss %v, seed %d: in %d of 600 looks a lease had run out", loss, seed, gaps)
			}
		}
	}
}

func TestAllFrozenAndResumed(t *testing.T) {
	for seed := range uint64(20) {
		w := steady(t, seed, 3)
		for _, h := range w.hosts {
			h.pause(10*time.Second + w.between(0, 50*time.Millisecond))
		}
		w.must(t, 10*time.Second)
		took := w.until(t, time.Second, func() bool { return w.isSettled() && w.unserved() == 0 })
		if w.changes > len(w.hosts) {
			t.Errorf("seed %d: %d view changes after all were frozen", seed, w.changes)
		}
		t.Logf("seed %d: whole again after %v", seed, took)
	}
}

func TestPowerCutIsNoticedInTime(t *testing.T) {
	for seed := range uint64(20) {
		w := steady(t, seed, 3)
		w.must(t, w.between(0, interval))
		w.hosts[seed%3].powerCut()
		w.must(t, 200*time.Millisecond)
		took := 200*time.Millisecond + w.until(t, time.Second, func() bool { return w.isSettled() && w.unserved() == 0 })
		if took > 350*time.Millisecond {
			t.Errorf("seed %d: %v until the others had taken over", seed, took)
		}
	}
}

func TestPowerCutInterruptsOnlyTheDeadHostsShare(t *testing.T) {
	w := steady(t, 1, 3)
	share := w.hosts[1].filter.own.Count()
	w.hosts[1].powerCut()
	for range 400 {
		w.must(t, time.Millisecond)
		if n := w.unserved(); n > share {
			t.Fatalf("after %v nobody accepts %d buckets, the dead host had %d", w.since(), n, share)
		}
	}
}

func TestFarewellIsQuick(t *testing.T) {
	for seed := range uint64(20) {
		w := steady(t, seed, 3)
		w.hosts[seed%3].kill(true)
		took := w.until(t, time.Second, func() bool { return w.isSettled() && w.unserved() == 0 })
		if took > 3*interval {
			t.Errorf("seed %d: %v after a farewell", seed, took)
		}
	}
}

func TestLeavingLosesNothing(t *testing.T) {
	w := steady(t, 1, 3)
	w.hosts[0].leave()
	for range 500 {
		w.must(t, time.Millisecond)
		// Between release and install nobody accepts what moves: a few milliseconds.
		if n := w.unserved(); n > 0 && w.since() > 1060*time.Millisecond {
			t.Fatalf("after %v nobody accepts %d buckets", w.since(), n)
		}
	}
	if got := w.hosts[1].machine.View().Set(); got != member.Of(1, 2) {
		t.Errorf("at the end the view is %b", got)
	}
}

func TestJoiningCostsMilliseconds(t *testing.T) {
	w := steady(t, 3, 3)
	w.hosts[2].kill(true)
	w.must(t, time.Second)
	w.hosts[2].start()
	gap := time.Duration(0)
	for range 500 {
		w.must(t, time.Millisecond)
		if w.unserved() > 0 {
			gap += time.Millisecond
		}
	}
	if !w.isSettled() || gap > 10*time.Millisecond {
		t.Errorf("settled: %v, some buckets were nobody's for %v", w.settled(), gap)
	}
}

func TestColdStart(t *testing.T) {
	tests := []struct {
		name    string
		hosts   int
		up      int
		atLeast time.Duration
		atMost  time.Duration
	}{
		{"one configured host does not wait", 1, 1, 0, 2 * interval},
		{"all of two do not wait", 2, 2, 0, 4 * interval},
		{"one of two waits for the other", 2, 1, 2 * detection, 2*detection + 3*interval},
		{"two of three wait for the third", 3, 2, 2 * detection, 2*detection + 3*interval},
		{"all of the largest cluster", member.MaxHosts, member.MaxHosts, 0, 8 * interval},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(1, test.hosts)
			for _, h := range w.hosts[:test.up] {
				h.start()
			}
			took := w.until(t, 2*time.Second, func() bool { return w.isTogether() && w.unserved() == 0 })
			if took < test.atLeast || took > test.atMost {
				t.Errorf("%v, want between %v and %v", took, test.atLeast, test.atMost)
			}
		})
	}
}

func TestOneWayLoss(t *testing.T) {
	tests := []struct {
		name  string
		hosts int
		cut   func(n *network)
		want  []member.Set // view of each host in the end; 0: none
	}{
		{"two hosts, 1 hears 0: the one that hears gives way", 2, func(n *network) { n.cut[1][0] = true }, []member.Set{0b01, 0}},
		{"two hosts, 0 hears 1: the one that hears gives way", 2, func(n *network) { n.cut[0][1] = true }, []member.Set{0, 0b10}},
		{"three hosts, one direction: the lowest pair goes on", 3, func(n *network) { n.cut[2][0] = true }, []member.Set{0b011, 0b011, 0}},
		{"three hosts, 0 deaf: the majority goes on, and 0 cannot know", 3, func(n *network) { n.cut[1][0], n.cut[2][0] = true, true }, []member.Set{0b001, 0b110, 0b110}},
		{"three hosts, 0 dumb: it gives way to the larger view", 3, func(n *network) { n.cut[0][1], n.cut[0][2] = true, true }, []member.Set{0, 0b110, 0b110}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := steady(t, 1, test.hosts)
			test.cut(&w.net)
			w.must(t, 3*time.Second)
			for i, h := range w.hosts {
				if got := h.machine.View().Set(); got != test.want[i] {
					t.Errorf("host %d is in a view of %b, want %b", i, got, test.want[i])
				}
			}
			w.net.heal()
			if took := w.until(t, time.Second, w.isSettled); took > 500*time.Millisecond {
				t.Errorf("healed after %v", took)
			}
		})
	}
}

func TestPartitionHeals(t *testing.T) {
	for seed := range uint64(10) {
		w := steady(t, seed, 5)
		w.net.partition(0b00110)
		w.must(t, 2*time.Second)
		if a, b := w.hosts[0].machine.View().Set(), w.hosts[1].machine.View().Set(); a != 0b11001 || b != 0b00110 {
			t.Fatalf("the halves are %b and %b", a, b)
		}
		w.net.heal()
		if took := w.until(t, time.Second, w.isSettled); took > 200*time.Millisecond {
			t.Errorf("seed %d: one again after %v", seed, took)
		}
	}
}

func TestConfigurationChangesInOneView(t *testing.T) {
	w := steady(t, 1, 3)
	for _, h := range w.hosts[:2] {
		h.offer(4)
		w.must(t, 300*time.Millisecond)
	}
	if w.changes != 0 || w.hosts[0].machine.View().Config != 1 {
		t.Fatalf("the view changed before the last host had the file: %v", w.hosts[0].machine.View())
	}
	w.hosts[2].offer(4)
	w.must(t, 300*time.Millisecond)
	if v := w.hosts[0].machine.View(); v.Config != 4 || w.changes != 3 || !w.isSettled() {
		t.Errorf("view %v, %d changes, %v", v, w.changes, w.settled())
	}
}

func TestStrangeFileStaysOut(t *testing.T) {
	w := steady(t, 1, 3)
	w.hosts[0].kill(true)
	w.hosts[0].config = 9
	w.must(t, 500*time.Millisecond)
	w.hosts[0].start()
	w.must(t, 2*time.Second)
	if v := w.hosts[1].machine.View(); v.Set() != 0b110 || v.Config != 1 {
		t.Errorf("the others are in %v", v)
	}
	if v := w.hosts[0].machine.View(); !v.IsZero() {
		t.Errorf("the host with another file is in %v", v)
	}
}

func TestFailedCheckMovesTheShare(t *testing.T) {
	w := steady(t, 1, 3)
	h := w.hosts[1]
	h.act(h.machine.SetAttributes(w.now, member.Attributes{Weight: 1, Director: true}))
	w.must(t, 200*time.Millisecond)
	if h.filter.own.Any() || w.unserved() != 0 || !w.isSettled() {
		t.Errorf("owns %d, %d buckets are nobody's, %v", h.filter.own.Count(), w.unserved(), w.settled())
	}
}

// TestChainOfHosts: 0-2-3-1 are linked one with the next only. 0 and 2 are the best pair; 3 is linked with one of them
// and stays out, though 1, who cannot know that, would have it.
func TestChainOfHosts(t *testing.T) {
	w := steady(t, 1, 4)
	for a := range w.net.cut {
		for b := range w.net.cut {
			w.net.cut[a][b] = a != b
		}
	}
	for _, link := range [][2]int{{0, 2}, {2, 3}, {3, 1}} {
		w.net.cut[link[0]][link[1]], w.net.cut[link[1]][link[0]] = false, false
	}
	w.must(t, 2*time.Second)
	for range 1000 {
		w.must(t, time.Millisecond)
		if v := w.hosts[3].machine.View(); !v.IsZero() {
			t.Fatalf("host 3 is in %v", v)
		}
	}
	if v := w.hosts[0].machine.View(); v.Set() != member.Of(0, 2) || w.unserved() != 0 {
		t.Errorf("hosts 0 and 2 are in %v, %d buckets are nobody's", v, w.unserved())
	}
}
