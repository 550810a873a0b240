package madcap

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// discover holds addresses and offers them (RFC 2730, sections 2.2.2 and 2.2.3).
func (s *Server) discover(now time.Time, p Packet, m Message) (response, error) {
	id, _ := Get[LeaseID](m)
	if _, ok := s.book.live(now, id); ok {
		return response{}, &OptionError{OptLeaseID, "names a lease that exists"}
	}
	if _, held := s.book.holds[id]; !held && len(s.book.holds) >= s.cfg.MaxHolds {
		return response{}, silence("too many offers")
	}
	scope, d, err := s.demand(now, p, m)
	if err != nil {
		return response{}, err
	}
	found, ok := s.book.find(now, d)
	if !ok {
		return response{}, failure(NotCompleted, NoOption)
	}
	r := s.record(p, id, scope.First, found, s.used(m))
	s.book.holds[id] = hold{r, now.Add(s.cfg.Hold)}
	return s.describe(now, InOffer, r), nil
}

// request allocates addresses (section 2.2.4).
func (s *Server) request(now time.Time, p Packet, m Message) (response, error) {
	id, _ := Get[LeaseID](m)
	if server, ok := Get[ServerID](m); ok && server.Addr != s.cfg.ID {
		if !p.Group.IsValid() {
			return response{}, &OptionError{OptServerID, "names another server"}
		}
		delete(s.book.holds, id)
		return response{}, silence("REQUEST to another server")
	}
	if _, ok := s.book.live(now, id); ok {
		return response{}, &OptionError{OptLeaseID, "names a lease that exists"}
	}
	scope, d, err := s.demand(now, p, m)
	if err != nil {
		return response{}, err
	}
	if _, old := s.book.leases[id]; !old && len(s.book.leases) >= s.cfg.MaxLeases {
		s.cfg.Log.Warn("too many leases", "limit", s.cfg.MaxLeases)
		return response{}, failure(NotCompleted, NoOption)
	}
	a := Application{id, p.From.Addr(), false, scope.First, d.desired, d.start, d.time}
	if later, err := s.approve(now, m, a); err != nil || !later.IsZero() {
		return s.later(now, scope.First, d.time, later), err
	}
	if h, ok := s.book.holds[id]; ok && h.fits(d) {
		d.prefer = h.Ranges
	}
	found, ok := s.book.find(now, d)
	if !ok {
		return response{}, failure(NotCompleted, blame(m))
	}
	return s.commit(now, InAckToRequest, s.record(p, id, scope.First, found, s.used(m)))
}

// fits tells whether what is held is what is looked for.
func (h hold) fits(d demand) bool {
	n := count(h.Ranges)
	return n >= d.min && n <= d.desired && !slices.ContainsFunc(h.Ranges, func(r Range) bool {
		return !slices.ContainsFunc(d.pools, func(p Span) bool { return p.Contains(r.span()) })
	})
}

// blame names the option that asks for more than there is.
func blame(m Message) OptionCode {
	for _, code := range []OptionCode{OptRanges, OptAddressCount} {
		if m.has(code) {
			return code
		}
	}
	return NoOption
}

func (s *Server) record(p Packet, id LeaseID, scope netip.Addr, b booking, used []Feature) Record {
	return Record{
		ID: id, Server: s.cfg.ID, Client: p.From.Addr(), Scope: scope,
		Ranges: b.ranges, Start: b.start, End: b.start.Add(b.time), Features: used,
	}
}

// commit makes a lease durable and then acknowledges it.
func (s *Server) commit(now time.Time, place Place, r Record) (response, error) {
	if err := s.book.put(r); err != nil {
		s.cfg.Log.Error("keep lease", "err", err)
		return response{}, failure(NotCompleted, NoOption)
	}
	delete(s.pending, r.ID)
	// Not the identifier: whoever knows it can renew and release the lease.
	s.cfg.Log.Info("lease", "answer", place, "client", r.Client, "addresses", r.Ranges, "start", r.Start, "end", r.End)
	return s.describe(now, place, r), nil
}

// describe says what is offered or granted. A start is told only when it is not now.
func (s *Server) describe(now time.Time, place Place, r Record) response {
	options := []Option{LeaseTime(r.End.Sub(r.Start)), ScopeID{r.Scope}, RangeList(r.Ranges)}
	if r.Start.After(now) {
		options = append(options, StartTime{r.Start}, CurrentTime{now})
	}
	return response{place, options, r.Features}
}

// used returns the features that the client asks for and that become part of the lease.
func (s *Server) used(m Message) []Feature {
	list, _ := Get[FeatureList](m)
	var used []Feature
	for _, f := range s.cfg.supported() {
		if f != RetryAfter && (slices.Contains(list.Requested, f) || slices.Contains(list.Required, f)) {
			used = append(used, f)
		}
	}
	return used
}

// owned returns the lease that a RENEW or RELEASE is about, if this client may change it here.
func (s *Server) owned(now time.Time, p Packet, m Message) (Record, error) {
	id, _ := Get[LeaseID](m)
	r, ok := s.book.live(now, id)
	foreign := ok && r.Server != s.cfg.ID && !r.has(ServerMobility)
	stranger := ok && s.cfg.OwnerOnly && r.Client != p.From.Addr() && !r.has(SharedLeaseID)
	if !ok || foreign || stranger {
		return Record{}, Failure{ErrorCode: LeaseNotRecognized}
	}
	list, _ := Get[FeatureList](m)
	if slices.Contains(list.Required, SharedLeaseID) && !r.has(SharedLeaseID) {
		return Record{}, lacking([]Feature{SharedLeaseID}, nil)
	}
	return r, nil
}

// renew changes the time of a lease (section 2.2.7). The new time counts from now on, or from the start that is asked for.
func (s *Server) renew(now time.Time, p Packet, m Message) (response, error) {
	id, _ := Get[LeaseID](m)
	if waiting, ok := s.pending[id]; ok && (waiting.kind != TypeRenew || waiting.asked != fingerprint(m)) {
		return response{}, &OptionError{OptLeaseID, "names an allocation that goes on"} // section 2.13.2
	}
	r, err := s.owned(now, p, m)
	if err != nil {
		return response{}, err
	}
	d, err := s.terms(now, m)
	if err != nil {
		return response{}, err
	}
	if !m.has(OptMaxStartTime) {
		d.latest = d.start // a lease in use is not moved away from its user
	}
	d.id, d.prefer, d.min, d.desired = id, r.Ranges, count(r.Ranges), count(r.Ranges)
	a := Application{id, p.From.Addr(), true, r.Scope, d.desired, d.start, d.time}
	if later, err := s.approve(now, m, a); err != nil || !later.IsZero() {
		return s.later(now, r.Scope, d.time, later), err
	}
	found, ok := s.book.find(now, d)
	if !ok {
		return response{}, failure(NotCompleted, OptLeaseTime)
	}
	r.Start, r.End = found.start, found.start.Add(found.time)
	answer, err := s.commit(now, InAckToRenew, r)
	answer.done = slices.DeleteFunc(s.used(m), func(f Feature) bool { return !r.has(f) })
	return answer, err
}

// release gives a lease back, or ends an allocation that goes on (sections 2.2.8 and 2.13.2).
func (s *Server) release(now time.Time, p Packet, m Message) (response, error) {
	id, _ := Get[LeaseID](m)
	_, waiting := s.pending[id]
	r, err := s.owned(now, p, m)
	if err != nil && !waiting {
		return response{}, err
	}
	delete(s.pending, id)
	if err == nil {
		if err := s.book.remove(id); err != nil {
			s.cfg.Log.Error("forget lease", "err", err)
			return response{}, failure(NotCompleted, NoOption)
		}
		s.cfg.Log.Info("lease released", "client", p.From.Addr(), "addresses", r.Ranges)
	}
	used := slices.DeleteFunc(s.used(m), func(f Feature) bool { return !r.has(f) })
	return response{place: InAckToRelease, done: used}, nil
}

// pending is an allocation that the client was asked to come back for.
type pending struct {
	kind  Type
	asked string // what it asked
	until time.Time
}

// maxPending bounds them; they are forgotten a day after they should have been asked for.
const (
	maxPending  = 1024
	pendingTime = 24 * time.Hour
)

// approve asks the configured judge. A time to come back is of use only to a client that understands it.
func (s *Server) approve(now time.Time, m Message, a Application) (time.Time, error) {
	if s.cfg.Approve == nil {
		return time.Time{}, nil
	}
	later, err := s.cfg.Approve(a)
	if err != nil {
		s.cfg.Log.Info("lease not approved", "client", a.Client, "err", err)
		return time.Time{}, failure(NotCompleted, NoOption)
	}
	if !later.After(now) {
		return time.Time{}, nil
	}
	list, _ := Get[FeatureList](m)
	if _, known := s.pending[a.ID]; !list.mentions(RetryAfter) || !known && len(s.pending) >= maxPending {
		return time.Time{}, failure(NotCompleted, NoOption)
	}
	s.pending[a.ID] = pending{m.Type, fingerprint(m), later.Add(pendingTime)}
	return later, nil
}

// later asks to come back: no addresses, and when (section 2.13.2). The rest is there because Table 5 demands it. REQUEST and RENEW have
// the same columns.
func (s *Server) later(now time.Time, scope netip.Addr, length time.Duration, at time.Time) response {
	at = at.Add(time.Second - 1).Truncate(time.Second) // not before: the wire has whole seconds
	options := []Option{LeaseTime(length), ScopeID{scope}, RangeList{}, CurrentTime{now}, RetryTime{at}}
	return response{InAckToRequest, options, []Feature{RetryAfter}}
}

// fingerprint is the same for messages with the same options, whatever their order and the time at which they were sent.
func fingerprint(m Message) string {
	parts := map[OptionCode]string{}
	for _, o := range m.Options {
		if o.Code() == OptCurrentTime {
			continue
		}
		if b, err := appendOption(nil, o, m.Family); err == nil {
			parts[o.Code()] = string(b)
		}
	}
	return strings.Join(slices.Sorted(maps.Values(parts)), "")
}
