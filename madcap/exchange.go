package madcap

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

const (
	firstRetransmission = 4 * time.Second // doubled each time, up to maxRetransmission (RFC 2730, section 2.3)
	maxRetransmission   = 16 * time.Second
	maxRetransmissions  = 3
	maxRejections       = 8 // how many are kept to be shown
)

// errNotOurs marks datagrams that answer no open transaction; they are not worth a word to the user.
var errNotOurs = errors.New("not an answer to this transaction")

// exchange is one message of a client, sent and sent again until its answer is there: a state machine that is told the time. It never
// changes the message between transmissions (section 2.3).
type exchange struct {
	kind   Type
	family Family
	xid    uint32
	id     LeaseID
	wire   []byte
	to     netip.AddrPort
	many   bool // several servers may answer: wait for more after the first

	// accept looks at an answer that is not a NAK and belongs to this transaction. It returns until when to wait for
	// further answers (now or before: not at all), or why the answer does not count.
	accept func(now time.Time, m Message) (time.Time, error)

	begun    time.Time     // first transmission
	sent     int           // transmissions so far
	delay    time.Duration // between the last transmission and the next: [DISCOVER-DELAY] too
	next     time.Time     // when to send again
	finish   time.Time     // when an accepted answer is the end of it; zero: none yet
	refused  *RefusedError // the first NAK
	rejected []Rejection
	ignored  int
	err      error
}

// step tells whether to send now and when to look again; done means that the exchange is over, well or, with err, not.
func (e *exchange) step(now time.Time) (send bool, wake time.Time, done bool) {
	switch {
	case !e.finish.IsZero() && !now.Before(e.finish):
		return false, now, true
	case !e.finish.IsZero():
		return false, e.finish, false
	case e.sent == 0:
		e.begun, e.next, e.delay = now, now, firstRetransmission
	case !now.Before(e.deadline()):
		e.err = e.failure()
		return false, now, true
	case e.sent > maxRetransmissions || now.Before(e.next):
		return false, e.wake(), false
	}
	if e.sent > 0 {
		e.delay = min(2*e.delay, maxRetransmission)
	}
	e.sent++
	e.next = e.next.Add(e.delay)
	return true, e.wake(), false
}

// deadline is when to give up: after [NoResponseDelay]. After a NAK from one of several servers, which forbids to send again (section
// 3.17), the others have the rest of the current interval.
func (e *exchange) deadline() time.Time {
	limit := e.begun.Add(NoResponseDelay)
	if e.refused != nil && e.next.Before(limit) {
		return e.next
	}
	return limit
}

func (e *exchange) wake() time.Time {
	if limit := e.deadline(); e.sent > maxRetransmissions || limit.Before(e.next) {
		return limit
	}
	return e.next
}

// failure is why the exchange failed: a refusal says more than silence.
func (e *exchange) failure() error {
	if e.refused != nil {
		return e.refused
	}
	return &TimeoutError{e.kind, e.to, e.rejected, e.ignored}
}

// hear takes in a datagram.
func (e *exchange) hear(now time.Time, b []byte, from netip.AddrPort) {
	err := e.consider(now, b)
	if err == nil || errors.Is(err, errNotOurs) || e.sent == 0 {
		return
	}
	e.ignored++
	said := func(r Rejection) bool { return r.From == from && r.Why.Error() == err.Error() }
	if len(e.rejected) < maxRejections && !slices.ContainsFunc(e.rejected, said) {
		e.rejected = append(e.rejected, Rejection{from, err})
	}
}

func (e *exchange) consider(now time.Time, b []byte) error {
	m, parseErr := Parse(b)
	if errors.Is(parseErr, ErrMalformed) || m.XID != e.xid {
		return errNotOurs
	}
	if id, _ := Get[LeaseID](m); id != e.id {
		return errNotOurs
	}
	if parseErr != nil {
		return parseErr
	}
	if m.Family != e.family {
		return fmt.Errorf("answer is about %v", m.Family)
	}
	if m.Type == TypeNak {
		return e.nak(m)
	}
	finish, err := e.accept(now, m)
	if err == nil && (e.finish.IsZero() || finish.Before(e.finish)) {
		e.finish = finish
	}
	return err
}

// nak takes note of a refusal. One server's is the end unless others may still answer.
func (e *exchange) nak(m Message) error {
	if err := m.Check(InNak); err != nil {
		return err
	}
	server, _ := Get[ServerID](m)
	failed, _ := Get[Failure](m)
	if want, ok := e.selected(); ok && want != server.Addr {
		return fmt.Errorf("NAK of server %v, which was not asked", server)
	}
	if e.refused == nil {
		e.refused = &RefusedError{server.Addr, failed}
	}
	if !e.many && e.finish.IsZero() {
		e.next = time.Time{} // the deadline is now
	}
	return nil
}

// selected returns the server that the message names, if it names one: only that one may refuse a multicast REQUEST.
func (e *exchange) selected() (netip.Addr, bool) {
	m, err := Parse(e.wire)
	if err != nil {
		return netip.Addr{}, false
	}
	id, ok := Get[ServerID](m)
	return id.Addr, ok
}
