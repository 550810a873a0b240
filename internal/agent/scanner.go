package agent

import (
	"context"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/muster-ha/muster/internal/balance"
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/filter"
	"github.com/muster-ha/muster/internal/member"
)

const (
	// scanDelay lets packets that passed the filter just before a release become sockets before we look for them.
	scanDelay = 5 * time.Millisecond
	// scanPause is between looks while connections remain in others' buckets: they end slowly, a look costs milliseconds.
	scanPause = 500 * time.Millisecond
	// rememberPause is between looks while only clients are remembered there: a full table of them takes 30 ms to read, and that its
	// buckets are announced for some seconds too long costs the others a look for a socket.
	rememberPause = 5 * time.Second
	// cookieLife is how long a SYN cookie that this host has sent may come back (two periods of the kernel's cookie clock).
	cookieLife = 2 * time.Minute
)

// scan is the result of a look at this host's connections.
type scan struct {
	at          member.ViewID
	rules       []balance.Holding // every bucket with a connection, whoever owns it
	counts      []map[int]int     // connections by rule and bucket
	connections int               // to any VIP
	open        int               // the same without those that have ended (TIME_WAIT)
	cookies     bool              // a SYN cookie may become a connection that nobody can count yet
	closed      int               // by order, before this look
	unclosed    error             // why some could not be closed
}

// scanner looks at connections outside of the loop, one look at a time.
type scanner struct {
	requests chan request
	asked    atomic.Uint64 // requests so far
	look     func(*config.Config) ([]filter.Conn, error)
	abort    func([]filter.Conn) (int, error)
	cookies  func() (uint64, error)
	memory   memory
	result   func(scan, error)

	lastCookies uint64
	cookieTime  time.Time
}

type request struct {
	at    member.ViewID
	delay time.Duration
	cfg   *config.Config
	close closing

	number uint64 // set by ask
}

// newScanner looks at the connections to the VIPs of the configuration in use, and at the clients that are remembered.
func newScanner(look func(*config.Config) ([]filter.Conn, error), abort func([]filter.Conn) (int, error), cookies func() (uint64, error), m memory, result func(scan, error)) *scanner {
	s := &scanner{requests: make(chan request, 1), look: look, abort: abort, cookies: cookies, memory: m, result: result}
	if sent, err := cookies(); err == nil {
		s.lastCookies = sent // what the host sent before is not about us
	}
	return s
}

// ask replaces a request that has not been taken yet: only the newest view matters.
func (s *scanner) ask(r request) {
	r.number = s.asked.Add(1)
	for {
		select {
		case s.requests <- r:
			return
		default:
		}
		select {
		case <-s.requests:
		default:
		}
	}
}

func (s *scanner) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case r := <-s.requests:
			if r, ok := s.newest(ctx, r); ok {
				s.result(s.once(r, time.Now()))
			}
		}
	}
}

// newest waits until a request is due; one that comes meanwhile takes its place.
func (s *scanner) newest(ctx context.Context, r request) (request, bool) {
	for {
		timer := time.NewTimer(r.delay)
		select {
		case <-ctx.Done():
			timer.Stop()
			return r, false
		case r = <-s.requests:
			timer.Stop()
		case <-timer.C:
			return r, true
		}
	}
}

// once looks and sorts the connections into rules and buckets.
func (s *scanner) once(r request, now time.Time) (scan, error) {
	find := ruleFinder(r.cfg)
	conns, closed, unclosed, err := s.lookAndClose(r, find)
	if err != nil {
		return scan{}, err
	}
	out := scan{at: r.at, connections: len(conns), closed: closed, unclosed: unclosed, rules: make([]balance.Holding, len(r.cfg.Rules)), counts: make([]map[int]int, len(r.cfg.Rules))}
	for i := range out.counts {
		out.counts[i] = map[int]int{}
	}
	connected := map[int][]netip.Addr{}
	for _, c := range conns {
		if c.State != filter.TimeWait {
			out.open++
		}
		rule, ok := find(c.Local)
		if !ok {
			continue
		}
		bucket := int(hashOf(r.cfg.Rules[rule]).Bucket(c.Remote.Addr(), c.Remote.Port()))
		out.rules[rule].Buckets.Set(bucket)
		out.counts[rule][bucket]++
		if r.cfg.Rules[rule].Remember > 0 && c.State != filter.SynReceived && c.State != filter.TimeWait {
			connected[rule] = append(connected[rule], c.Remote.Addr())
		}
	}
	if remembering(r.cfg) {
		if err := recall(s.memory, r.cfg, connected, out.rules); err != nil {
			return scan{}, err
		}
	}
	if out.cookies = s.sentCookies(now); out.cookies {
		for i := range out.rules {
			out.rules[i].Unknown = true // a cookie has no socket to be found
		}
	}
	return out, nil
}

// lookAndClose gives the connections that are left when those have been closed that are to be.
func (s *scanner) lookAndClose(r request, find func(netip.AddrPort) (int, bool)) (left []filter.Conn, closed int, unclosed, err error) {
	conns, err := s.look(r.cfg)
	if err != nil || !r.close.any() {
		return conns, 0, nil, err
	}
	doomed := r.close.of(conns, func(c filter.Conn) (int, bool) { return find(c.Local) })
	if len(doomed) == 0 || s.asked.Load() != r.number { // what is to be closed may have changed before we looked
		return conns, 0, nil, nil
	}
	closed, unclosed = s.abort(doomed)
	left, err = s.look(r.cfg)
	return left, closed, unclosed, err
}

// sentCookies reports whether a SYN cookie of this host may still come back.
func (s *scanner) sentCookies(now time.Time) bool {
	sent, err := s.cookies()
	if err != nil {
		return false // no such counter: the kernel is built without cookies
	}
	if sent != s.lastCookies {
		s.lastCookies, s.cookieTime = sent, now
	}
	return !s.cookieTime.IsZero() && now.Sub(s.cookieTime) < cookieLife
}

// ruleFinder gives the TCP rule of a local address and port.
func ruleFinder(cfg *config.Config) func(netip.AddrPort) (int, bool) {
	return func(local netip.AddrPort) (int, bool) {
		addr, port := local.Addr().Unmap(), local.Port()
		vip := slices.IndexFunc(cfg.VIPs, func(v config.VIP) bool { return v.Address.Addr() == addr })
		if vip < 0 {
			return 0, false
		}
		return cfg.RuleFor(vip, config.TCP, port)
	}
}

// pause waits, and reports whether ctx is still good.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
