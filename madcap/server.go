package madcap

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Server hands out multicast addresses. Its methods may be called by several goroutines.
type Server struct {
	mu      sync.Mutex
	cfg     ServerConfig
	book    *book
	cache   *cache
	pending map[LeaseID]pending
	counts  map[string]uint64
	swept   time.Time
}

// NewServer returns a server that knows the leases of its store. The error says what is wrong with the configuration, or
// is the store's.
func NewServer(cfg ServerConfig) (*Server, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, fmt.Errorf("make server: %w", err)
	}
	b := &book{store: cfg.Store, extra: cfg.Extra, holds: map[LeaseID]hold{}}
	if err := b.load(); err != nil {
		return nil, fmt.Errorf("make server: load leases: %w", err)
	}
	return &Server{
		cfg: cfg, book: b, cache: newCache(cfg.ResponseCache, cfg.MaxCached), pending: map[LeaseID]pending{},
		counts: map[string]uint64{},
	}, nil
}

// SetScopes replaces the scopes while the server runs. Leases stay as they are. The error says what is wrong with them; the old ones
// are kept then.
func (s *Server) SetScopes(scopes []ServedScope) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.cfg
	if next.Scopes = scopes; len(scopes) == 0 {
		return errors.New("set scopes: no scopes")
	}
	next, err := next.completeScopes()
	if err != nil {
		return fmt.Errorf("set scopes: %w", err)
	}
	s.cfg = next
	return nil
}

// Groups returns the multicast addresses on which the server should be reached: those of the local scopes of its families and of its own
// scopes, without the global ones (RFC 2730, sections 2.10 and 2.11).
func (s *Server) Groups() []netip.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	var groups []netip.Addr
	for _, scope := range s.cfg.Scopes {
		for _, g := range []netip.Addr{LocalScope(FamilyOf(scope.First)).ServerGroup(), scope.ServerGroup()} {
			if !isGlobalGroup(g) && !slices.Contains(groups, g) {
				groups = append(groups, g)
			}
		}
	}
	return groups
}

// Leases returns the leases that the server knows, those that ended a short time ago too, by their start.
func (s *Server) Leases() []Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.book.leases), func(a, b Record) int { return a.Start.Compare(b.Start) })
}

// Counts returns how many messages came in and went out by type, and how many were ignored by reason.
func (s *Server) Counts() map[string]uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.counts)
}

// Serve answers what the listener receives until the context ends, closes the listener and returns nil: its port is free then
// for the next server. The error is that of a listener that fails by itself; closing that one is left to the caller.
func (s *Server) Serve(ctx context.Context, l Listener) error {
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		l.Close()
	})
	defer func() {
		if !stop() {
			<-closed // Close ends Receive before it is done itself
		}
	}()
	for {
		p, err := l.Receive()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		reply := s.Handle(time.Now(), p)
		if reply == nil {
			continue
		}
		if err := l.Send(reply, p.From); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("send answer", "to", p.From, "err", err)
		}
	}
}

// sweep forgets what is over, once a minute.
func (s *Server) sweep(now time.Time) {
	if now.Sub(s.swept) < time.Minute {
		return
	}
	s.swept = now
	maps.DeleteFunc(s.pending, func(_ LeaseID, p pending) bool { return now.After(p.until) })
	if s.cfg.Mobility { // another server may have renewed what this one granted
		if err := s.book.load(); err != nil {
			s.cfg.Log.Error("load leases", "err", err)
			return
		}
	}
	if err := s.book.sweep(now, s.cfg.ID); err != nil {
		s.cfg.Log.Error("forget leases that are over", "err", err)
	}
}

func (s *Server) count(what string) { s.counts[what]++ }
