package filter

import (
	"testing"
	"time"
)

// overlap is what must never happen: two hosts both take every new connection, each knowing that the other may have it.
func overlap(host, _ int) uint32 {
	return word(uint32(host), uint32(1-host), no, slotOwn|slotAsk)
}

// overlapped counts connections that break when both hosts see and own everything.
func overlapped(t *testing.T, guarded bool) (failed int, resets uint64) {
	f := newFarm(t, farmOptions{hosts: 2, shared: true})
	for _, h := range f.hosts {
		if !guarded {
			h.detachGuard()
		}
	}
	f.fixVIP(multiMAC)
	f.own(overlap)
	for range manyConns {
		c, err := f.dial(testPort, 2*time.Second)
		if err != nil {
			failed++
			continue
		}
		for _, line := range []string{"one", "two", "three"} {
			if err := c.exchange(line); err != nil {
				t.Logf("%s: %v", line, err)
				failed++
				break
			}
		}
	}
	for i := range f.hosts {
		resets += f.counters(i).Of(GuardReset)
	}
	return failed, resets
}

func TestOverlapBreaksNothingWithTheGuard(t *testing.T) {
	failed, resets := overlapped(t, true)
	if failed > 0 {
		t.Errorf("%d of %d connections broken", failed, manyConns)
	}
	if resets == 0 {
		t.Error("the guard had nothing to do: the overlap did not happen")
	}
}

// TestOverlapWithoutTheGuard shows that the test above can fail.
func TestOverlapWithoutTheGuard(t *testing.T) {
	if failed, _ := overlapped(t, false); failed == 0 {
		t.Error("both hosts answered every SYN and nothing broke")
	}
}

func (h *farmHost) detachGuard() {
	h.t.Helper()
	if err := h.f.attached[h.ifindex].(*tcx).links[egress].Detach(); err != nil {
		h.t.Fatal(err)
	}
}
