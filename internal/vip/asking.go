package vip

import (
	"fmt"
	"net"
	"net/netip"
	"time"
)

// Times of the search for strangers. RFC 5227, 2.1.1 waits a second or two between its questions; that is for hosts without a cable yet.
const (
	questions     = 3
	questionPause = 100 * time.Millisecond

	// askEvery is how often the director asks again: a stranger who answers what he is asked and announces nothing is found by that.
	askEvery = Refresh

	// askOften is the same while a stranger is known, so that he is not taken for gone while he is there.
	askOften = 10 * time.Second
)

// Asking says when to ask the link whether a stranger has an address. It holds no I/O and no clock.
type Asking struct {
	begun time.Time
	asked int // of the first questions
	last  time.Time
}

// Begin starts with the first questions.
func (a *Asking) Begin(now time.Time) { *a = Asking{begun: now} }

// Due says whether to ask now, and takes it as asked. watched: this host sees to the address; claimed: a stranger is known.
func (a *Asking) Due(now time.Time, watched, claimed bool) bool {
	due := false
	switch {
	case a.asked < questions:
		due = !now.Before(a.begun.Add(time.Duration(a.asked) * questionPause))
	case claimed:
		due = now.Sub(a.last) >= askOften
	case watched:
		due = now.Sub(a.last) >= askEvery
	}
	if !due {
		return false
	}
	a.asked, a.last = min(a.asked+1, questions), now
	return true
}

// Answered says whether whoever has the address has had the time to say so: an interval after the last of the first questions.
func (a *Asking) Answered(now time.Time) bool {
	return a.asked >= questions && !now.Before(a.begun.Add(questions*questionPause))
}

// Question is a frame that asks whether somebody has the address and claims nothing: an ARP probe (RFC 5227, 1.1), or a solicitation as in
// the search for duplicates (RFC 4862, 5.4.2). card is the MAC of the interface that it is sent on.
func Question(a netip.Addr, card net.HardwareAddr) ([]byte, error) {
	if !a.IsValid() || a.Is4In6() || len(card) != 6 {
		return nil, fmt.Errorf("ask for %s from %q: not an IP and an Ethernet address", a, card.String())
	}
	own := [6]byte(card)
	if a.Is6() {
		return solicitation(a, own), nil
	}
	return packet{source: own, operation: opRequest, senderMAC: own, sender: netip.IPv4Unspecified(), target: a}.frame(), nil
}
