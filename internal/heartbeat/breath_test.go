package heartbeat

import (
	"log/slog"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-ha/muster/internal/member"
)

func TestBreath(t *testing.T) {
	for _, c := range []struct {
		name    string
		hosts   int
		silence time.Duration
		want    time.Duration
	}{
		{"a few hosts lose no time", 8, 300 * time.Millisecond, 0},
		{"steady", 32, 300 * time.Millisecond, time.Millisecond},
		{"fast: little beside 40 ms", 32, 40 * time.Millisecond, 200 * time.Microsecond},
		{"wan: no more than steady", 9, 5 * time.Second, time.Millisecond},
	} {
		if got := breathOf(c.hosts, c.silence); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestArrivalsOfManyHostsAreLookedAtInGroups sends a datagram every 100 µs for 10 ms to a host that takes a breath of 1 ms.
func TestArrivalsOfManyHostsAreLookedAtInGroups(t *testing.T) {
	const datagrams, apart, breath = 100, 100 * time.Microsecond, time.Millisecond
	looks := func(breath time.Duration) (n int) {
		synctest.Test(t, func(t *testing.T) {
			paths := makePaths(2)
			h := newNetwork(Options{Self: member.ID(0), Peers: make([]netip.AddrPort, 2), Codec: makeCodec(t, 0, 2),
				Log: slog.New(slog.DiscardHandler), breath: breath}, paths[0], make(chan struct{}, 1))
			defer h.Close()
			done := make(chan struct{})
			go func() {
				defer close(done)
				for range datagrams {
					_ = paths[1].Send(0, []byte("not one of ours"))
					time.Sleep(apart)
				}
			}()
			for {
				select {
				case <-h.Wake():
					n++
					h.Drain(func(Received) {})
					continue
				case <-done:
				}
				return
			}
		})
		return n
	}
	if alone := looks(0); alone < datagrams*9/10 {
		t.Fatalf("%d looks at %d datagrams without a breath: the test does not see single ones", alone, datagrams)
	}
	if grouped, most := looks(breath), int(datagrams*apart/breath)+1; grouped > most {
		t.Errorf("%d looks at %d datagrams, at most %d wanted", grouped, datagrams, most)
	}
}
