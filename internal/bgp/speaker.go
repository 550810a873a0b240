package bgp

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// tryAgain is how long after a failure of the embedded server the worker tries again. Failures of sessions are its own business.
const tryAgain = time.Second

// Peering is what a Speaker is to be: who it is and which routers it talks to. Without routers it is silent.
type Peering struct {
	AS        uint32
	RouterID  netip.Addr // IPv4: unique among the hosts (RFC 6286)
	Interface string     // the one that the routers are on
	Neighbors []Neighbor
}

// Neighbor is a router. Two that are equal share a session: whatever differs in one begins it anew.
type Neighbor struct {
	Name     string
	Address  netip.Addr
	AS       uint32
	Password string        // of TCP MD5 (RFC 2385); empty: none
	HoldTime time.Duration // whole seconds, at least 3 s
	BFD      time.Duration // between BFD packets (RFC 5880); 0: none
	port     uint32        // 0: BGP's own. Tests use another
	from     netip.Addr    // source of the session; invalid: the kernel chooses. Tests, which are on both sides, have to
}

// Change is a session that came up or went down.
type Change struct {
	Neighbor string
	Up       bool
	Why      string // of one that went down
}

// Speaker announces addresses to routers. What is wanted and what is known stand below the lock and cost no time; what is done belongs to
// one worker, because the embedded server's calls wait for each other, and ending a session may wait a second for a router that takes nothing.
type Speaker struct {
	log     *slog.Logger
	changed func(Change)
	wake    chan struct{}
	cancel  context.CancelFunc
	done    chan struct{}
	now     engine // belongs to the worker

	mu       sync.Mutex
	want     Peering
	prefixes []netip.Prefix
	sessions map[netip.Addr]*session
}

// Start makes a Speaker that says nothing yet. changed is called, from a goroutine of its own, for each session that comes or goes.
func Start(log *slog.Logger, changed func(Change)) *Speaker {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Speaker{log: log, changed: changed, wake: make(chan struct{}, 1), cancel: cancel, done: make(chan struct{}), sessions: map[netip.Addr]*session{}}
	go func() { defer close(s.done); s.work(ctx) }()
	return s
}

// Set says who the Speaker is and which routers it talks to. Sessions that stay as they are go on; others begin anew. It never waits.
func (s *Speaker) Set(p Peering) {
	s.mu.Lock()
	s.want = p
	s.mu.Unlock()
	s.poke()
}

// Announce says which addresses this host may serve: these and no others are announced. It never waits, and saying the same again costs
// nothing.
func (s *Speaker) Announce(prefixes []netip.Prefix) {
	s.mu.Lock()
	same := slices.Equal(s.prefixes, prefixes)
	if !same {
		s.prefixes = slices.Clone(prefixes)
	}
	s.mu.Unlock()
	if !same {
		s.poke()
	}
}

// Close withdraws everything, ends the sessions and waits until that is done: a second at most for a router that takes nothing.
func (s *Speaker) Close() {
	if s == nil {
		return // it was never started
	}
	s.cancel()
	<-s.done
}

func (s *Speaker) poke() {
	select {
	case s.wake <- struct{}{}:
	default: // it will look at the newest state anyway
	}
}

// wanted is what the embedded server should be.
func (s *Speaker) wanted() (Peering, []netip.Prefix) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.want, slices.Clone(s.prefixes)
}

// work makes the embedded server what it should be, again and again. It looks at what is wanted after each wake-up as a whole: what
// came and went meanwhile was never said to a router.
func (s *Speaker) work(ctx context.Context) {
	again := time.NewTicker(readmitEvery)
	defer again.Stop()
	failing := false
	for {
		want, prefixes := s.wanted()
		err := s.become(want, prefixes)
		if err != nil && !failing {
			s.log.Error("cannot do what routers should be told; trying again", "err", err)
		}
		failing = err != nil
		retry := (<-chan time.Time)(nil)
		if failing {
			retry = time.After(tryAgain)
		}
		select {
		case <-ctx.Done():
			s.now.stop()
			return
		case <-s.wake:
		case <-retry:
		case <-again.C:
			s.readmit()
		}
	}
}
