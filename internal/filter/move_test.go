package filter

import (
	"errors"
	"io"
	"syscall"
	"testing"
	"time"
)

const manyConns = 60

func TestDirectedHostsShareConnections(t *testing.T) {
	f := newFarm(t, farmOptions{hosts: 2})
	f.own(shared(2, 0))
	conns, split := f.open(100)
	if split["h0"] < 25 || split["h1"] < 25 {
		t.Errorf("split is %v, want about half each", split)
	}
	if n, err := broken(conns, "again"); n > 0 {
		t.Errorf("%d of %d broken in steady state: %v", n, len(conns), err)
	}
	if f.counters(0).Of(ForwardNew) == 0 || f.counters(1).Of(AcceptNew) == 0 {
		t.Errorf("director forwarded nothing: %v, %v", f.counters(0), f.counters(1))
	}
}

// moved is the state after bucket b went from b%2 to the other of two hosts, and the old owner still has connections.
func moved(host, bucket int) uint32 {
	owner := uint32(bucket+1) % 2
	if int(owner) == host {
		return word(owner, 1-owner, no, slotOwn|slotAsk)
	}
	return word(owner, no, no, slotAsk|slotLast)
}

func TestSwapBreaksNoConnection(t *testing.T) {
	f := newFarm(t, farmOptions{hosts: 2})
	f.own(shared(2, 0))
	old, before := f.open(manyConns)
	f.own(moved)
	if n, err := broken(old, "after"); n > 0 {
		t.Errorf("%d of %d connections broken by the swap: %v", n, len(old), err)
	}
	fresh, after := f.open(manyConns)
	if n, err := broken(fresh, "after"); n > 0 {
		t.Errorf("%d of %d new connections broken: %v", n, len(fresh), err)
	}
	if n, err := broken(old, "later"); n > 0 {
		t.Errorf("%d of %d old connections broken later: %v", n, len(old), err)
	}
	t.Logf("split before %v, after %v", before, after)
	if f.counters(0).Of(AcceptSocket) == 0 || f.counters(1).Of(AcceptSocket) == 0 {
		t.Error("no socket was asked: the swap moved nothing")
	}
}

// TestSwapWithoutAskingBreaksConnections shows that TestSwapBreaksNoConnection can fail.
func TestSwapWithoutAskingBreaksConnections(t *testing.T) {
	f := newFarm(t, farmOptions{hosts: 2})
	f.own(shared(2, 0))
	old, _ := f.open(10)
	f.own(shared(2, 1))
	if n, _ := broken(old, "after"); n == 0 {
		t.Error("no connection broken by a swap that hides where the connections are")
	}
}

func TestSilentMoveOfTheDirector(t *testing.T) {
	f := newFarm(t, farmOptions{hosts: 3})
	f.own(shared(3, 0))
	old, split := f.open(manyConns)
	for i, h := range f.hosts {
		if err := h.f.SetDirector(0, i == 2); err != nil {
			t.Fatal(err)
		}
	}
	f.forgetVIP()
	if n, err := broken(old, "after"); n > 0 {
		t.Errorf("%d of %d connections broken by the director's move: %v", n, len(old), err)
	}
	fresh, _ := f.open(10)
	if n, err := broken(fresh, "after"); n > 0 {
		t.Errorf("%d of %d new connections broken: %v", n, len(fresh), err)
	}
	if len(split) != 3 || f.counters(2).Of(ARPAnswered) == 0 {
		t.Errorf("split %v, new director answered %d times", split, f.counters(2).Of(ARPAnswered))
	}
}

// TestDeadOwnersClientsAreReset: nobody has the connection any more, so whoever is at the end of the chain must say so, even
// when the director is the one that might have had it.
func TestDeadOwnersClientsAreReset(t *testing.T) {
	f := newFarm(t, farmOptions{hosts: 3})
	f.own(func(host, _ int) uint32 {
		if host == 2 {
			return word(2, no, no, slotOwn)
		}
		return word(2, no, no, 0)
	})
	conns, _ := f.open(5)
	f.own(func(host, _ int) uint32 {
		switch host {
		case 0: // director, holder as far as others know, last
			return word(1, no, no, slotAsk|slotLast)
		case 1:
			return word(1, 0, no, slotOwn|slotAsk)
		}
		return word(1, no, no, 0)
	})
	for _, c := range conns {
		start := time.Now()
		if err := c.exchange("after"); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("after %v: %v, want a reset", time.Since(start), err)
		}
	}
}

func TestClosedPortIsRefused(t *testing.T) {
	f := newFarm(t, farmOptions{hosts: 2})
	for name, slots := range map[string]func(host, bucket int) uint32{"steady": shared(2, 0), "moved": moved} {
		t.Run(name, func(t *testing.T) {
			f.own(slots)
			for range 20 { // both hosts' buckets
				if _, err := f.dial(testPort+1, time.Second); !errors.Is(err, syscall.ECONNREFUSED) {
					t.Errorf("connect to a closed port: %v, want refused", err)
				}
			}
		})
	}
}

func TestAbortOfTheApplicationArrives(t *testing.T) {
	f := newFarm(t, farmOptions{hosts: 2})
	f.own(shared(2, 0))
	conns, _ := f.open(20)
	f.own(moved) // every connection is where the slots say that it may be elsewhere
	for _, c := range conns {
		if _, err := io.WriteString(c, "abort\n"); err != nil {
			t.Fatal(err)
		}
		if err := c.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.in.ReadByte(); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("after the abort: %v, want a reset", err)
		}
	}
}

func TestLapsedLease(t *testing.T) {
	f := newFarm(t, farmOptions{hosts: 2})
	f.own(shared(2, 0))
	old, _ := f.open(20)
	for _, h := range f.hosts {
		h.f.SetLease(BootTime())
	}
	for range 4 {
		if c, err := f.dial(testPort, 100*time.Millisecond); err == nil {
			t.Errorf("connected to %v after the lease had lapsed", c.RemoteAddr())
		}
	}
	if n, err := broken(old, "after"); n > 0 {
		t.Errorf("%d of %d connections broken by the lapsed lease: %v", n, len(old), err)
	}
	for _, h := range f.hosts {
		h.f.SetLease(BootTime() + time.Hour)
	}
	f.open(5)
}
