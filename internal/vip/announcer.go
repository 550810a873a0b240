package vip

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Refresh is how often a director repeats itself. Neighbours that lost an announcement, or heard a wrong one, learn better then.
const Refresh = 30 * time.Second

// DefendInterval is how often a claim of a stranger is answered at most (RFC 5227, 1.1): two who defend one address would otherwise
// keep the link busy.
const DefendInterval = 10 * time.Second

// burst gives the times of the first announcements after becoming director. The first may meet a switch that has not learnt
// our port, or a full queue; the last comes after the slowest host has given the address up.
func burst() []time.Duration {
	return []time.Duration{0, 50 * time.Millisecond, 200 * time.Millisecond, time.Second}
}

// Announcer tells the network, while this host is the director of a VIP, where clients shall send to: our MAC, or
// the one that all hosts take in.
type Announcer struct {
	addr    netip.Addr
	frames  [][]byte
	send    func(frame []byte) error
	allowed func() bool
	log     *slog.Logger
	wake    chan struct{}

	mu       sync.Mutex
	director bool
	turn     uint64    // grows each time the burst has to start again
	defended time.Time // when a stranger's claim was answered last
	defend   bool      // it is to be answered now
}

// AnnouncerOptions is what an Announcer works with.
type AnnouncerOptions struct {
	Address netip.Addr
	MAC     net.HardwareAddr         // where clients shall send to
	Card    net.HardwareAddr         // the interface's own, from which the announcements come
	Send    func(frame []byte) error // a Port's
	// Allowed is asked right before each announcement. A host that was frozen wakes as the director that it has
	// ceased to be: its lease tells. Nil: always.
	Allowed func() bool
	Log     *slog.Logger
}

// NewAnnouncer makes an Announcer that is not director.
func NewAnnouncer(o AnnouncerOptions) (*Announcer, error) {
	frames, err := Announcements(o.Address, o.MAC, o.Card)
	if err != nil {
		return nil, err
	}
	if o.Allowed == nil {
		o.Allowed = func() bool { return true }
	}
	return &Announcer{
		addr: o.Address, frames: frames, send: o.Send, allowed: o.Allowed, log: o.Log, wake: make(chan struct{}, 1),
	}, nil
}

// Direct says whether this host is the director. It never blocks. Becoming director starts the announcements; saying it again
// changes nothing.
func (a *Announcer) Direct(on bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if on == a.director {
		return
	}
	a.director = on
	a.restartLocked()
}

// Renew starts the announcements again if this host is the director: after a partition has healed, when the link came back, or when
// another host was heard to claim the address.
func (a *Announcer) Renew() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.director {
		a.restartLocked()
	}
}

// Defend answers a stranger who claims the address with one announcement, if this host is the director and has not done so within
// DefendInterval. The announcements of a director go on beside it.
func (a *Announcer) Defend(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.director || !a.defended.IsZero() && now.Sub(a.defended) < DefendInterval {
		return
	}
	a.defended, a.defend = now, true
	a.wakeUp()
}

// takeDefence says whether there is a claim to be answered.
func (a *Announcer) takeDefence() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.defend
	a.defend = false
	return now
}

func (a *Announcer) restartLocked() {
	a.turn++
	a.wakeUp()
}

func (a *Announcer) wakeUp() {
	select {
	case a.wake <- struct{}{}:
	default: // it will look at the newest state anyway
	}
}

func (a *Announcer) state() (turn uint64, director bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.turn, a.director
}

// Run announces until the context ends.
func (a *Announcer) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var current uint64
	var since time.Time
	sent, failing := 0, false
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.wake:
		case <-timer.C:
		}
		turn, director := a.state()
		defend := a.takeDefence()
		if !director {
			timer.Stop()
			continue
		}
		if defend {
			failing = a.announce(failing)
		}
		now := time.Now()
		if turn != current {
			current, since, sent = turn, now, 0
		}
		if now.Before(since.Add(offset(sent))) {
			timer.Reset(since.Add(offset(sent)).Sub(now)) // woken early
			continue
		}
		failing = a.announce(failing)
		sent = next(sent, now.Sub(since))
		timer.Reset(since.Add(offset(sent)).Sub(now))
	}
}

// offset is when the n-th announcement is due after becoming director.
func offset(n int) time.Duration {
	first := burst()
	if n < len(first) {
		return first[n]
	}
	return first[len(first)-1] + time.Duration(n-len(first)+1)*Refresh
}

// next is the number of the first announcement that is not due yet: what was missed in a long sleep is not made up for.
func next(n int, past time.Duration) int {
	n++
	if missed := past - offset(n); missed > Refresh {
		n += int(missed / Refresh)
	}
	return n
}

// announce sends every form. It says whether that failed, and logs when that changes.
func (a *Announcer) announce(failing bool) bool {
	if !a.allowed() {
		return failing
	}
	for _, f := range a.frames {
		if err := a.send(f); err != nil {
			if !failing {
				a.log.Warn("cannot announce the virtual address: its clients may keep asking the former director", "address", a.addr, "error", err)
			}
			return true
		}
	}
	if failing {
		a.log.Info("can announce the virtual address again", "address", a.addr)
	}
	return false
}
