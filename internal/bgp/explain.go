package bgp

import (
	"fmt"
	"strings"
	"time"
)

// settingUp is how long a new session may take before that is worth a word: two attempts.
const settingUp = 2 * (connectRetry + 2) * time.Second

// symptom is a part of what the kernel or the router said, and what it means.
type symptom struct {
	sign, why, remedy string
}

// ofConnecting are the kernel's errors. A router whose key differs does not answer at all: RFC 2385 has it drop such segments in silence.
func ofConnecting() []symptom {
	return []symptom{
		{"connection refused", "it refuses connections to TCP port 179", "start BGP on the router, and name this host there as a neighbour"},
		{"no route to host", "it cannot be reached", "see that the router is up, and that its address is on the network of the hosts"},
		{"network is unreachable", "this host has no way to it", "give this host an address on the router's network"},
		{"no such device", "the interface is gone", "see `ip link` on this host"},
		{"connection ended", "it takes connections and ends them at once", "name this host as a neighbour on the router, with the AS of `bgp`"},
		{"connection reset", "it takes connections and ends them at once", "name this host as a neighbour on the router, with the AS of `bgp`"},
		{"timeout", "it does not answer on TCP port 179", "see that the router names this host as a neighbour, that the password of both is the same (or both have none), and that nothing between them drops TCP port 179"},
	}
}

// ofEnding are what the embedded server says of a session that ended; the numbers are those of RFC 4271, section 6, and RFC 4486.
func ofEnding() []symptom {
	return []symptom{
		{"code 2(open message error) subcode 2(bad peer as)", "the AS numbers differ", "give both sides the same two: `as` of the router and of `bgp` here, and on the router the other way round"},
		{"bad peer as", "the AS numbers differ", "give both sides the same two: `as` of the router and of `bgp` here, and on the router the other way round"},
		{"bad bgp identifier", "it takes this host's BGP identifier for its own", "give the router an identifier (router ID) that is no host's IPv4 address"},
		{"unacceptable hold time", "it refuses the hold time", "raise `hold_time` here, or lower the least that the router accepts"},
		{"hold-timer-expired", "it was silent for longer than the hold time", "see whether the router is up and the network whole; if it is only slow, raise `hold_time`"},
		{"hold timer expired", "it heard nothing of this host for longer than the hold time", "see the load of this host and the network between; a greater `hold_time` forgives more"},
		{"invalid-msg", "it refuses what this host says first", "name this host as a neighbour on the router, with the AS of `bgp`; the router's log says more"},
		{"code 5", "it refuses what this host says first", "name this host as a neighbour on the router, with the AS of `bgp`; the router's log says more"},
		{"administrative reset", "the session was reset, by an administrator or because BFD lost the router", "if it comes again and again, see the router's log; with `bfd`, raise the interval or see whether the network loses packets"},
		{"administrative shutdown", "its administrator has switched the session off", "switch it on again on the router"},
		{"connection rejected", "it does not know this host as a neighbour", "name this host as a neighbour on the router"},
		{"code 6(cease)", "it ended the session", "see the router's log; with `bfd` it may have missed packets of this host: see the load here, or raise `bfd`"},
		{"read-failed", "it ended the connection", "see the router's log"},
		{"write-failed", "the connection broke", "see whether the router is up and the network whole"},
	}
}

// explain says why there is no session, and what to do about it.
func (x *session) explain(now time.Time) (why, remedy string) {
	switch {
	case !x.flooded.IsZero():
		return fmt.Sprintf("it sent more than %d routes and is cut off for a minute", maxRoutes), "have the router send these hosts no routes: they use none"
	case x.failed != "":
		return match(append(ofConnecting(), ofEnding()...), x.failed)
	case x.ended != "":
		return match(ofEnding(), x.ended)
	case now.Sub(x.begun) < settingUp:
		return "the session is being set up", ""
	}
	return "it takes the connection and says nothing", "see the router's log; it must speak BGP, and name this host as a neighbour"
}

// match finds the first symptom whose sign is in a text.
func match(list []symptom, text string) (why, remedy string) {
	lower := strings.ToLower(text)
	for _, s := range list {
		if strings.Contains(lower, s.sign) {
			return s.why, s.remedy
		}
	}
	return text, "see the router's log"
}
