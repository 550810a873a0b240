package madcap

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// ErrMalformed is what [Parse] returns for bytes that are no MADCAP message of this version. Clients and servers ignore
// such bytes (RFC 2730, sections 2.1, 2.1.1 and 2.1.5).
var ErrMalformed = errors.New("no MADCAP message")

// ErrClosed is returned by transports and listeners that have been closed.
var ErrClosed = errors.New("transport closed")

// OptionError says which option of a message breaks the RFC. A server answers such a message with an Invalid Request error
// that carries Code; a client ignores it (RFC 2730, section 2.1.5).
type OptionError struct {
	Code OptionCode // [NoOption] when no single option is to blame
	Why  string     // for people
}

func (e *OptionError) Error() string {
	if e.Code == NoOption {
		return e.Why
	}
	return fmt.Sprintf("%v option: %s", e.Code, e.Why)
}

// RefusedError is a server's NAK (RFC 2730, section 2.2.6). Errors.As finds it in what the methods of [Client] return.
type RefusedError struct {
	Server  netip.Addr // that sent it
	Failure Failure    // its Error option
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("server %v refuses: %v", e.Server, e.Failure.Error())
}

// RetryError is returned when a server has begun a lengthy allocation and asks to be asked again (RFC 2730, section 2.13.2):
// call Lease again with the same Request, with ID and Server set as here, or Renew again with the same arguments; Release ends it.
type RetryError struct {
	ID     LeaseID    // under which the allocation goes on
	Server netip.Addr // that asks to be asked again
	At     time.Time  // by the client's clock
}

func (e *RetryError) Error() string {
	return fmt.Sprintf("server %v asks to be asked again at %s", e.Server, e.At.UTC().Format(time.RFC3339))
}

// Rejection is an answer that a client heard and did not accept.
type Rejection struct {
	From netip.AddrPort // as the datagram says; nothing proves it
	Why  error          // what the RFC or the request forbids in it
}

// TimeoutError is returned when no acceptable answer came within [NoResponseDelay].
type TimeoutError struct {
	Sent     Type           // of the message that was repeated
	To       netip.AddrPort // a server, or the group of the servers
	Rejected []Rejection    // the first few of them, each reason once
	Ignored  int            // how many answers did not count
}

func (e *TimeoutError) Error() string {
	text := fmt.Sprintf("no answer from %v to %v", e.To, e.Sent)
	if e.Ignored == 0 {
		return text
	}
	reasons := make([]string, 0, len(e.Rejected))
	for _, r := range e.Rejected {
		reasons = append(reasons, fmt.Sprintf("%v: %v", r.From, r.Why))
	}
	return fmt.Sprintf("%s that is acceptable (%d ignored: %s)", text, e.Ignored, strings.Join(reasons, "; "))
}

// Timeout tells net.Error's users that waiting longer might have helped.
func (e *TimeoutError) Timeout() bool { return true }
