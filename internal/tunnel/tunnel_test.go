package tunnel

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func TestOverhead(t *testing.T) {
	for _, tc := range []struct {
		host string
		want int
	}{{"10.77.0.1", 50}, {"fd00::1", 70}} {
		if got := Overhead(netip.MustParseAddr(tc.host)); got != tc.want {
			t.Errorf("%s: %d bytes, want %d", tc.host, got, tc.want)
		}
	}
}

func TestVNIFitsAndTellsClustersApart(t *testing.T) {
	if VNI("shop") == VNI("mall") {
		t.Error("two clusters have one number")
	}
	rapid.Check(t, func(t *rapid.T) {
		if n := VNI(rapid.String().Draw(t, "cluster")); n == 0 || n >= 1<<24 {
			t.Fatalf("%d is no number of a VXLAN network", n)
		}
	})
}

// way answers as a network would that takes packets of some size.
type way struct {
	mu   sync.Mutex
	mtus map[netip.Addr]int // 0: it cannot be reached
	asks int
}

func (w *way) ask(_ context.Context, to netip.Addr) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asks++
	if w.mtus[to] == 0 {
		return 0, errors.New("no route")
	}
	return w.mtus[to], nil
}

func (w *way) set(to netip.Addr, mtu int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mtus[to] = mtu
}

// TestWatchTellsWhatFitsEverywhere: the narrowest way counts, a change is told once, and what cannot be asked does not count.
func TestWatchTellsWhatFitsEverywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, c := netip.MustParseAddr("10.88.0.2"), netip.MustParseAddr("10.88.0.3")
		w := &way{mtus: map[netip.Addr]int{}}
		ctx, stop := context.WithCancel(t.Context())
		var told []int
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			Watch(ctx, []netip.Addr{b, c}, w.ask, func(fits int) { told = append(told, fits) })
		}()
		for _, step := range []struct {
			to  netip.Addr
			mtu int
		}{
			{b, 0},    // nobody answers: nothing is told
			{b, 1500}, // 1450
			{c, 1400}, // 1350
			{c, 1400}, // the same
			{c, 100},  // less than there can be: 1280 - 50
			{c, 9000}, // 1450 again
			{c, 0},    // gone: b still says the same
		} {
			w.set(step.to, step.mtu)
			time.Sleep(askEvery)
			synctest.Wait()
		}
		stop()
		<-ended
		if want := []int{1450, 1350, LeastMTU - 50, 1450}; !slices.Equal(told, want) {
			t.Errorf("told %v, want %v", told, want)
		}
		if most := 2 * 8; w.asks > most {
			t.Errorf("asked %d times in seven intervals, two hosts", w.asks)
		}
	})
}
