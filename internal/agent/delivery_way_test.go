package agent

import (
	"net/netip"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/delivery"
)

func TestFormerDeliveryIsTakenInForAMinute(t *testing.T) {
	const d, u, m, g = delivery.Directed, delivery.Unicast, delivery.Multicast, delivery.IGMP
	type step struct {
		at    time.Duration // since the beginning
		today delivery.Mode
		had   []delivery.Mode // what the host takes in before it
		want  delivery.Mode   // of before, still taken in; directed: none
		until time.Duration
	}
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{"nothing before", []step{{0, u, nil, d, 0}}},
		{"the same again", []step{{0, u, nil, d, 0}, {time.Second, u, []delivery.Mode{u}, d, 0}}},
		{"one change", []step{{0, m, []delivery.Mode{u}, u, time.Minute}, {30 * time.Second, m, []delivery.Mode{u, m}, u, time.Minute},
			{time.Minute, m, []delivery.Mode{u, m}, d, 0}}},
		{"back to directed", []step{{0, d, []delivery.Mode{g}, g, time.Minute}}},
		{"two changes: the newest stays", []step{{0, m, []delivery.Mode{u}, u, time.Minute}, {time.Second, g, []delivery.Mode{u, m}, m, 61 * time.Second}}},
		{"and back", []step{{0, m, []delivery.Mode{u}, u, time.Minute}, {time.Second, u, []delivery.Mode{u, m}, m, 61 * time.Second},
			{2 * time.Second, m, []delivery.Mode{u, m}, u, 62 * time.Second}}},
		{"another VIP keeps what looks the same", []step{{0, d, []delivery.Mode{g}, g, time.Minute}, {time.Minute, d, []delivery.Mode{g}, d, 0}, {time.Hour, d, []delivery.Mode{g}, d, 0}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, addr, zero := formers{}, netip.MustParseAddr("10.77.0.100"), time.Unix(1000, 0)
			for i, s := range tt.steps {
				w := f.way(addr, s.today, s.had, zero.Add(s.at))
				until := time.Duration(0)
				if !w.until.IsZero() {
					until = w.until.Sub(zero)
				}
				if w.before.Mode != s.want || until != s.until || w.now.Mode != s.today {
					t.Errorf("step %d: %v, before it %v until %v; want %v until %v", i, w.now.Mode, w.before.Mode, until, s.want, s.until)
				}
				if got := len(w.macs()); s.want.Shared() != (w.before.MAC != nil) || got > 2 {
					t.Errorf("step %d: %d MACs, before %v", i, got, w.before.MAC)
				}
			}
		})
	}
}
