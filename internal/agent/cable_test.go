package agent_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/lab"
)

// TestDirectCableNeedsNoSwitch: item 7 of the issue. Two hosts have a cable between them as their second network. The switch of the first one
// dies: they go on hearing each other, nobody is removed, and a killed agent still says farewell.
func TestDirectCableNeedsNoSwitch(t *testing.T) {
	l := machines(t, lab.Options{Hosts: 2, Clients: 1, Config: twoNetworks()})
	if err := errors.Join(l.Cable("a", "b", 1), l.StartWeb(), l.StartAll()); err != nil {
		t.Fatal(err)
	}
	epoch := ready(t, l)
	a, b := l.Host("a"), l.Host("b")
	for _, h := range []*lab.Host{a, b} {
		other := map[string]string{"a": "b", "b": "a"}[h.Name()]
		pairs(t, h, "cross", other, api.PeerHeard)
		eventually(t, patience, "loss, delay and jitter of the pair", func() error { return measured(t.Context(), h, other) })
	}
	if err := errors.Join(a.LinkDown(), b.LinkDown()); err != nil {
		t.Fatal(err)
	}
	pairs(t, a, "lan", "b", api.PeerSilent)
	pairs(t, b, "lan", "a", api.PeerSilent)
	says(t, a, "network lan: hosts a and b do not hear each other")
	for _, h := range []*lab.Host{a, b} {
		before := status(t, h).Networks[1].Datagrams.Accepted
		eventually(t, patience, "50 heartbeats by the cable alone", func() error {
			if n := status(t, h).Networks[1].Datagrams.Accepted - before; n < 50 {
				return fmt.Errorf("%d", n)
			}
			return nil
		})
		if s := status(t, h); s.Epoch != epoch || !slices.Equal(s.View.Members, []string{"a", "b"}) {
			t.Errorf("host %s is in view %d of %v, want %d of both", h.Name(), s.Epoch, s.View.Members, epoch)
		}
		if lost := events(t, h, "host_silent", "put_out"); len(lost) > 0 {
			t.Errorf("host %s has lost somebody: %+v", h.Name(), lost)
		}
	}
	kill(t, a)
	members(t, b, "b")
	if silent := events(t, b, "host_silent"); len(silent) > 0 {
		t.Errorf("b had to notice by silence that a was killed: %+v", silent)
	}
}

// measured looks for the figures of a pair in `muster network show` and in the metrics.
func measured(ctx context.Context, h *lab.Host, other string) error {
	p, err := pair(h, "cross", other)
	if err != nil {
		return err
	}
	if p.LossPercent == nil || p.DelayMS == nil || p.JitterMS == nil {
		return fmt.Errorf("%+v", p)
	}
	client := api.New(h.RunDir())
	defer client.Close()
	text, err := client.Metrics(ctx)
	for _, name := range []string{"loss_ratio", "round_trip_seconds", "jitter_seconds"} {
		if series := fmt.Sprintf("muster_heartbeat_%s{network=\"cross\",peer=%q} ", name, other); !strings.Contains(text, series) {
			err = errors.Join(err, fmt.Errorf("no %s in the metrics", series))
		}
	}
	return err
}
