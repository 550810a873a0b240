package vip

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// heard is a sender in memory that remembers when it was used.
type heard struct {
	mu    sync.Mutex
	start time.Time
	at    []time.Duration // of each announcement: both forms
	odd   [][]byte        // the first form of one whose second has not come
	err   error
	log   bytes.Buffer
}

func (h *heard) send(frame []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err != nil {
		return h.err
	}
	if h.odd = append(h.odd, frame); len(h.odd) < 2 {
		return nil
	}
	if bytes.Equal(h.odd[0], h.odd[1]) {
		return errors.New("the same form twice")
	}
	h.odd = nil
	h.at = append(h.at, time.Since(h.start))
	return nil
}

// announcing runs a test with an Announcer in a bubble of fake time.
func announcing(t *testing.T, allowed func() bool, test func(a *Announcer, h *heard)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := &heard{start: time.Now()}
		a, err := NewAnnouncer(AnnouncerOptions{
			Address: address(), MAC: ownMAC(), Card: ownMAC(), Send: h.send, Allowed: allowed, Log: slog.New(slog.NewTextHandler(&h.log, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { a.Run(ctx); close(done) }()
		synctest.Wait()
		test(a, h)
		cancel()
		<-done
	})
}

// after lets time pass and waits until everybody is idle.
func after(d time.Duration) {
	time.Sleep(d) // fake time: takes none
	synctest.Wait()
}

const ms = time.Millisecond

// fail makes every further frame fail, or, with nil, go out again.
func (h *heard) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.err = err
}

func (h *heard) want(t *testing.T, times ...time.Duration) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.Equal(h.at, times) {
		t.Errorf("announced at %v, want %v", h.at, times)
	}
	h.at, h.start = nil, time.Now()
}

func TestADirectorAnnouncesAtOnceThenSlower(t *testing.T) {
	announcing(t, nil, func(a *Announcer, h *heard) {
		after(time.Hour)
		h.want(t)
		a.Direct(true)
		synctest.Wait()
		after(100 * time.Second)
		h.want(t, 0, 50*ms, 200*ms, time.Second, 31*time.Second, 61*time.Second, 91*time.Second)
		a.Direct(true) // said again: nothing new
		after(11*time.Second + 1*ms)
		h.want(t)
		after(10 * time.Second)
		h.want(t, 9999*ms)
	})
}

func TestAFormerDirectorIsSilent(t *testing.T) {
	announcing(t, nil, func(a *Announcer, h *heard) {
		a.Direct(true)
		after(100 * ms)
		h.want(t, 0, 50*ms)
		a.Direct(false)
		after(time.Hour)
		h.want(t)
		a.Direct(true)
		synctest.Wait()
		after(300 * ms)
		h.want(t, 0, 50*ms, 200*ms)
	})
}

func TestFlappingStartsOver(t *testing.T) {
	announcing(t, nil, func(a *Announcer, h *heard) {
		a.Direct(true)
		after(40 * ms)
		a.Direct(false)
		a.Direct(true)
		synctest.Wait()
		after(300 * ms)
		h.want(t, 0, 40*ms, 90*ms, 240*ms)
	})
}

// RFC 5227, 2.4: one announcement, and no other within ten seconds.
func TestAStrangerIsAnsweredEveryTenSecondsAtMost(t *testing.T) {
	announcing(t, nil, func(a *Announcer, h *heard) {
		a.Defend(time.Now()) // not ours to defend
		synctest.Wait()
		h.want(t)
		a.Direct(true)
		synctest.Wait()
		after(2 * time.Second)
		h.want(t, 0, 50*ms, 200*ms, time.Second)
		for range 25 * 10 {
			a.Defend(time.Now())
			after(100 * ms)
		}
		h.want(t, 0, 10*time.Second, 20*time.Second)
		after(20 * time.Second)
		h.want(t, 4*time.Second) // the usual ones go on
	})
}

func TestRenewRepeatsTheBurst(t *testing.T) {
	announcing(t, nil, func(a *Announcer, h *heard) {
		a.Renew()
		after(time.Minute)
		h.want(t) // not director
		a.Direct(true)
		after(10 * time.Second)
		h.want(t, 0, 50*ms, 200*ms, time.Second)
		a.Renew()
		synctest.Wait()
		after(32 * time.Second)
		h.want(t, 0, 50*ms, 200*ms, time.Second, 31*time.Second)
	})
}

func TestNothingIsSaidWithoutPermission(t *testing.T) {
	var lease atomic.Bool
	announcing(t, lease.Load, func(a *Announcer, h *heard) {
		a.Direct(true)
		after(100 * ms)
		h.want(t)
		lease.Store(true)
		after(200 * ms)
		h.want(t, 100*ms)
		lease.Store(false)
		after(10 * time.Minute)
		h.want(t)
	})
}

func TestAFailingInterfaceIsLoggedOnceAndTriedAgain(t *testing.T) {
	announcing(t, nil, func(a *Announcer, h *heard) {
		h.fail(errors.New("network is down"))
		a.Direct(true)
		after(10 * time.Minute)
		if n := strings.Count(h.log.String(), "network is down"); n != 1 {
			t.Errorf("logged %d times: %s", n, &h.log)
		}
		h.want(t)
		h.fail(nil)
		after(Refresh)
		if len(h.at) != 1 || !strings.Contains(h.log.String(), "again") {
			t.Errorf("announced at %v, log %s", h.at, &h.log)
		}
	})
}

func TestALongSleepIsNotMadeUpFor(t *testing.T) {
	for _, tt := range []struct {
		name string
		n    int
		past time.Duration
		want int
	}{
		{"in time", 0, 0, 1},
		{"refresh in time", 4, 31 * time.Second, 5},
		{"late by less than a refresh", 4, 80 * time.Second, 5},
		{"hours late", 4, 31*time.Second + 100*Refresh, 104},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := next(tt.n, tt.past); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}
