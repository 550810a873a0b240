package bgp

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	wire "github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// session is what is known of a session with a router.
type session struct {
	neighbor Neighbor
	up       bool
	since    time.Time // of that; zero: no session since the start
	failed   string    // why the last attempt to connect failed; empty: none has, since the last session
	ended    string    // why the last session ended, in the server's words
	begun    time.Time // when the router became one of ours
	renew    bool      // the session has ended, and what the server knows of it has to go
	flooded  time.Time // when it was cut off for sending too much; zero: it is not
}

// Session is how things stand with a router. Why and Remedy are for people: the first says what is the case in terms of the router, the
// second what to change and where. They are empty while the session is up.
type Session struct {
	Neighbor  string
	Address   netip.Addr
	AS        uint32
	Up        bool
	Since     time.Time      // when it came or went; zero: it never came
	Announced []netip.Prefix // what the router has been told of
	Why       string         // why it is down
	Remedy    string         // what to do about that; empty: nothing yet
}

// Sessions says how things stand with each router, by name.
func (s *Speaker) Sessions() []Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Session, 0, len(s.sessions))
	for _, x := range s.sessions {
		out := Session{Neighbor: x.neighbor.Name, Address: x.neighbor.Address, AS: x.neighbor.AS, Up: x.up, Since: x.since}
		if x.up {
			out.Announced = s.toldOf(x.neighbor)
		} else {
			out.Why, out.Remedy = x.explain(time.Now())
		}
		list = append(list, out)
	}
	slices.SortFunc(list, func(a, b Session) int { return cmp.Compare(a.Neighbor, b.Neighbor) })
	return list
}

// toldOf lists the addresses of the router's family.
func (s *Speaker) toldOf(n Neighbor) []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(s.prefixes), func(p netip.Prefix) bool { return p.Addr().Is4() != n.Address.Is4() })
}

// keepSessions forgets what is not wanted any more, and begins what is new.
func (s *Speaker) keepSessions(want []Neighbor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for a, x := range s.sessions {
		if !slices.Contains(want, x.neighbor) {
			delete(s.sessions, a)
		}
	}
	for _, n := range want {
		if s.sessions[n.Address] == nil {
			s.sessions[n.Address] = &session{neighbor: n, begun: time.Now()}
		}
	}
}

// connectFailed takes note of an attempt that failed.
func (s *Speaker) connectFailed(a netip.Addr, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.sessions[a]; x != nil && !x.up {
		x.failed = why
	}
}

// sessionChanged takes note of a session's new state. It runs in the server's own goroutine, which must not wait for the worker: the worker
// may be waiting for the server.
func (s *Speaker) sessionChanged(p apiutil.Peer, at time.Time) {
	if c, changed := s.noteState(p, at); changed {
		s.changed(c)
	}
}

func (s *Speaker) noteState(p apiutil.Peer, at time.Time) (c Change, changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.sessions[p.State.NeighborAddress]
	if x == nil {
		return c, false
	}
	up := p.State.SessionState == wire.BGP_FSM_ESTABLISHED
	switch cut := p.State.AdminState == api.PeerState_ADMIN_STATE_PFX_CT; {
	case !cut:
		x.flooded = time.Time{}
	case x.flooded.IsZero():
		x.flooded = at
	}
	if !up && telling(p.State.DisconnectReason) {
		x.ended, x.failed = p.State.DisconnectMessage, ""
	}
	if up == x.up {
		return c, false
	}
	x.up, x.since = up, at
	c = Change{Neighbor: x.neighbor.Name, Up: up}
	if up {
		x.failed, x.ended = "", ""
	} else {
		c.Why, _ = x.explain(at)
		x.renew = x.flooded.IsZero()
		s.poke()
	}
	return c, true
}

// renewed lists the routers to begin with anew, once.
func (s *Speaker) renewed() (list []Neighbor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.sessions {
		if x.renew {
			list, x.renew = append(list, x.neighbor), false
		}
	}
	return list
}

// telling reports whether a reason is one why a session ended, and not a step on the way to the next.
func telling(r api.PeerState_DisconnectReason) bool {
	switch r {
	case api.PeerState_DISCONNECT_REASON_UNSPECIFIED, api.PeerState_DISCONNECT_REASON_IDLE_TIMER_EXPIRED, api.PeerState_DISCONNECT_REASON_DECONFIGURED:
		return false
	}
	return true
}

// flooders lists those that have been cut off for long enough.
func (s *Speaker) flooders(now time.Time) (list []netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for a, x := range s.sessions {
		if !x.flooded.IsZero() && now.Sub(x.flooded) >= cutOff {
			list = append(list, a)
		}
	}
	return list
}
