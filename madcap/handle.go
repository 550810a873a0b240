package madcap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"
)

// response is what a server answers, before it is made a message.
type response struct {
	place   Place
	options []Option
	done    []Feature // the features that were used for it
}

// silence is why a message stays without an answer.
type silence string

func (s silence) Error() string { return string(s) }

// Handle answers a message: the whole server without a socket. It returns nil when nothing is to be sent. What is no MADCAP
// message, or comes from a server, is ignored; an invalid message is answered with a NAK (RFC 2730, section 2.6).
func (s *Server) Handle(now time.Time, p Packet) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(now)
	m, err := Parse(p.Data)
	id, _ := Get[LeaseID](m)
	switch {
	case errors.Is(err, ErrMalformed):
		s.count("ignored: malformed")
		return nil
	case m.Type == TypeOffer || m.Type == TypeAck || m.Type == TypeNak:
		s.count("ignored: from a server")
		return nil
	case id == "": // a NAK must carry it back
		s.count("ignored: no lease identifier")
		return nil
	case s.cfg.Secure && p.Group.IsValid() && m.Type != TypeGetInfo:
		s.count("ignored: multicast to a secure server")
		return nil
	}
	s.count("received: " + m.Type.String())
	key := cacheKey{m.Type, m.XID, id}
	if reply, ok := s.cache.get(now, key); ok {
		s.count("repeated")
		return reply
	}
	reply := s.reply(now, p, m, err)
	if reply != nil {
		s.cache.put(now, key, reply)
	}
	return reply
}

func (s *Server) reply(now time.Time, p Packet, m Message, invalid error) []byte {
	r, err := s.answer(now, p, m, invalid)
	var quiet silence
	if errors.As(err, &quiet) {
		s.count("ignored: " + string(quiet))
		return nil
	}
	if err != nil {
		r = response{place: InNak, options: []Option{asFailure(err)}}
	}
	b, err := s.encode(m, r)
	if err != nil {
		s.cfg.Log.Error("write answer", "err", err)
		return nil
	}
	s.count("sent: " + r.place.Type().String())
	return b
}

// encode adds what every answer has: identifiers, and features if the client named any (section 3.13).
func (s *Server) encode(m Message, r response) ([]byte, error) {
	id, _ := Get[LeaseID](m)
	options := append([]Option{ServerID{s.cfg.ID}, id}, r.options...)
	if m.has(OptFeatureList) {
		options = append(options, FeatureList{Supported: s.cfg.supported(), Required: r.done})
	}
	family := m.Family
	if family.size() == 0 {
		family = IPv4 // no option of a NAK depends on it
	}
	return Message{r.place.Type(), family, m.XID, options}.Encode(r.place)
}

// asFailure makes what went wrong an Error option.
func asFailure(err error) Failure {
	var failed Failure
	if errors.As(err, &failed) {
		return failed
	}
	var option *OptionError
	if errors.As(err, &option) {
		return failure(InvalidRequest, option.Code)
	}
	return failure(NotCompleted, NoOption)
}

// answer checks what holds for all messages and goes by type.
func (s *Server) answer(now time.Time, p Packet, m Message, invalid error) (response, error) {
	place, known := placeOf(m.Type, p.Group.IsValid())
	switch {
	case !known:
		return response{}, &OptionError{NoOption, fmt.Sprintf("%v is not known", m.Type)}
	case invalid != nil:
		return response{}, invalid
	}
	if err := m.Check(place); err != nil {
		return response{}, err
	}
	if err := s.checkFeatures(m); err != nil {
		return response{}, unlessDiscover(m.Type, err)
	}
	if t, ok := Get[CurrentTime](m); ok && t.Sub(now).Abs() > s.cfg.Skew {
		s.cfg.Log.Warn("clock differs", "client", p.From, "by", t.Sub(now))
		return response{}, Failure{ExcessiveClockSkew, binary.BigEndian.AppendUint32(nil, uint32(now.Unix()))}
	}
	if s.cfg.Mobility && m.Type != TypeGetInfo {
		if err := s.book.load(); err != nil {
			s.cfg.Log.Error("load leases", "err", err)
			return response{}, unlessDiscover(m.Type, failure(NotCompleted, NoOption))
		}
	}
	switch m.Type {
	case TypeGetInfo:
		return s.getInfo(now, p, m)
	case TypeDiscover:
		r, err := s.discover(now, p, m)
		return r, unlessDiscover(m.Type, err)
	case TypeRequest:
		return s.request(now, p, m)
	case TypeRenew:
		return s.renew(now, p, m)
	}
	return s.release(now, p, m)
}

func placeOf(t Type, multicast bool) (Place, bool) {
	switch t {
	case TypeGetInfo:
		return InGetInfo, true
	case TypeDiscover:
		return InDiscover, true
	case TypeRequest:
		if multicast {
			return InMulticastRequest, true
		}
		return InRequest, true
	case TypeRenew:
		return InRenew, true
	case TypeRelease:
		return InRelease, true
	}
	return 0, false
}

// unlessDiscover turns a failure into silence for a DISCOVER that this server cannot satisfy: another one may (section 2.2).
func unlessDiscover(t Type, err error) error {
	var failed Failure
	if t == TypeDiscover && errors.As(err, &failed) && failed.ErrorCode != InvalidRequest {
		return silence("DISCOVER that cannot be satisfied")
	}
	return err
}

// checkFeatures refuses what the client requires and this server has not (section 3.13).
func (s *Server) checkFeatures(m Message) error {
	list, _ := Get[FeatureList](m)
	return lacking(list.Required, s.cfg.supported())
}

func lacking(required, have []Feature) error {
	var extra []byte
	for _, f := range required {
		if !slices.Contains(have, f) {
			extra = binary.BigEndian.AppendUint16(extra, uint16(f))
		}
	}
	if extra == nil {
		return nil
	}
	return Failure{FeatureNotSupported, extra}
}

// getInfo answers with the options that were asked for and may stand in its ACK (section 2.2.1).
func (s *Server) getInfo(now time.Time, p Packet, m Message) (response, error) {
	if p.Group.IsValid() && p.Group != LocalScope(FamilyOf(p.Group)).ServerGroup() && !s.ownGroup(p) {
		return response{}, silence("GETINFO to another group than that of the local scope") // section 2.11
	}
	wanted, _ := Get[OptionRequest](m)
	r := response{place: InAckToGetInfo}
	if slices.Contains(wanted, OptScopeList) {
		r.options = append(r.options, s.namedScopes(m))
		if slices.Contains(wanted, OptNesting) {
			r.options = append(r.options, s.cfg.nesting(now, m.Family))
		}
	}
	if slices.Contains(wanted, OptCurrentTime) {
		r.options = append(r.options, CurrentTime{now})
	}
	if slices.Contains(wanted, OptFeatureList) && !m.has(OptFeatureList) {
		r.options = append(r.options, FeatureList{Supported: s.cfg.supported()})
	}
	return r, nil
}

// ownGroup tells groups that belong to none of the scopes: an administrator has set them up for this.
func (s *Server) ownGroup(p Packet) bool {
	return !slices.ContainsFunc(s.cfg.Scopes, func(o ServedScope) bool { return o.ServerGroup() == p.Group })
}

// namedScopes returns the scope list with all names, or with the one for the language (section 3.10).
func (s *Server) namedScopes(m Message) ScopeList {
	list := s.cfg.scopeList(m.Family)
	language, ok := Get[Language](m)
	for i := range list {
		if ok {
			list[i].Names = list[i].inLanguage(string(language))
		}
	}
	return list
}
