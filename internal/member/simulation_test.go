package member_test

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// seeds is how many histories a test runs: MUSTER_SEEDS changes it.
func seeds(t *testing.T, normal int) int {
	t.Helper()
	text := os.Getenv("MUSTER_SEEDS")
	if text == "" {
		return normal
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("MUSTER_SEEDS: %v", err)
	}
	return n
}

// TestSimulation runs whole clusters through faults drawn by seed. MUSTER_SEED=X replays one and says what happens in it.
func TestSimulation(t *testing.T) {
	if text := os.Getenv("MUSTER_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("MUSTER_SEED: %v", err)
		}
		w := drawn(seed)
		w.trace = func(line string) { t.Log(line) }
		if err := history(w); err != nil {
			t.Error(err)
		}
		return
	}
	failed := 0
	for seed := range uint64(seeds(t, 1000)) {
		if err := history(drawn(seed)); err != nil {
			t.Errorf("%v (MUSTER_SEED=%d replays it)", err, seed)
			if failed++; failed == 10 {
				t.Fatal("and perhaps more")
			}
		}
	}
}

// drawn makes the world of a seed: mostly small, sometimes large, without, with one and with three witness hosts.
func drawn(seed uint64) *world {
	hosts := 2 + int(seed%6)
	if seed%100 == 99 {
		hosts = 16
	}
	w := newWorld(seed, hosts)
	switch witnesses := seed / 6 % 3; {
	case witnesses == 2 && hosts >= 5:
		w.elect(3)
	case witnesses > 0 && hosts >= 3:
		w.elect(1)
	}
	return w
}

// history is a seed's story: a start, faults, their end, and one healthy cluster.
func history(w *world) error {
	w.weather()
	for _, h := range w.hosts {
		w.restart(h, w.between(0, 300*time.Millisecond))
	}
	w.misfortune(3+w.rng.IntN(15), 6*time.Second)
	if err := w.run(6500 * time.Millisecond); err != nil {
		return err
	}
	w.fortune()
	if err := w.run(2500 * time.Millisecond); err != nil {
		return err
	}
	w.startAll() // those that were leaving
	if err := w.run(1500 * time.Millisecond); err != nil {
		return err
	}
	return w.settled()
}
