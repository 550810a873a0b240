package agent_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/lab"
)

// TestProfileWANOnALongLine: heartbeats take 150 ms and up to 100 ms more, each its own time, and one in ten is lost. The hosts find each other and
// stay together; one that dies is noticed in the detection time, and what the line and the loss add.
func TestProfileWANOnALongLine(t *testing.T) {
	const by, jitter, loss = 150 * time.Millisecond, 100 * time.Millisecond, 10
	l := machines(t, lab.Options{Hosts: 3, Config: profile("wan")})
	for _, h := range l.Hosts() {
		end, err := h.Delay(by, jitter)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := end(); err != nil {
				t.Error(err)
			}
		})
		if err := h.Loss(loss, lab.HeartbeatPort, lab.Received); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(l.StartWeb(), l.StartAll()); err != nil {
		t.Fatal(err)
	}
	holds(t, l, ready(t, l), soak(t, 15*time.Second), "a", "b", "c")
	if ms := status(t, l.Host("a")).Hosts[1].DelayMS; ms == nil || *ms < 300 || *ms > 550 {
		t.Errorf("the way to b and back takes %s ms, want 300 to 500", orUnknown(ms))
	}
	at, err := l.Host("c").PowerCut()
	if err != nil {
		t.Fatal(err)
	}
	var took time.Duration
	eventually(t, 15*time.Second, "a view without c", func() error {
		e := lastEvent(t, l.Host("b"), "view_installed")
		if took = e.At.Sub(at); took < 0 || e.Text != "a, b" {
			return fmt.Errorf("the last one is of %s", e.Text)
		}
		return nil
	})
	if took < 4*time.Second || took > 8*time.Second {
		t.Errorf("taken over after %v, want 5 s and what a few heartbeats take", took)
	}
	t.Logf("taken over after %v", took)
}

func orUnknown(ms *float64) string {
	if ms == nil {
		return "unknown"
	}
	return fmt.Sprint(*ms)
}
