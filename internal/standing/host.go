package standing

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/muster-ha/muster/internal/register"
)

// ErrSuspended says that a host takes no order before it is resumed.
var ErrSuspended = errors.New("suspended")

// HostState is how far a host may serve.
type HostState uint8

// The states of a host.
const (
	Started   HostState = iota // serves
	Draining                   // gets nothing new; what it has goes on
	Stopped                    // has nothing to do with clients; what it had is closed
	Suspended                  // stopped, and takes no order but to resume
)

// String is the word that is kept and shown.
func (s HostState) String() string {
	return [...]string{"started", "draining", "stopped", "suspended"}[min(s, Suspended)]
}

// Verb is an order to a host.
type Verb string

// The verbs.
const (
	Drain   Verb = "drain"
	Stop    Verb = "stop"
	Start   Verb = "start"
	Suspend Verb = "suspend"
	Resume  Verb = "resume" // Start, which a suspended host takes too
)

// Host is the order of one host. The zero value: none, it serves.
type Host struct {
	State    HostState
	Deadline time.Duration // of Draining: after this long it stops; zero: never. Counted from when the order is heard
	Why      Reason        // of Stopped
	Set      Set
}

// Reason says how a host came to be stopped.
type Reason string

// The reasons. Others are of later versions.
const (
	ByHand     Reason = ""         // somebody said so
	Empty      Reason = "empty"    // it had been draining, and its last connection ended
	AtDeadline Reason = "deadline" // it had been draining, and the deadline was over
)

// Set says who gave an order.
type Set struct {
	Host uint8     // number of the host on which it was given
	At   time.Time // by that host's clock, in whole seconds: for people
}

// Value is what is kept of it.
func (h Host) Value() string {
	switch {
	case h.State == Draining && h.Deadline > 0:
		return h.State.String() + " " + h.Deadline.String()
	case h.State == Stopped && h.Why != ByHand:
		return h.State.String() + " " + string(h.Why)
	}
	return h.State.String()
}

// MaxDeadline bounds the deadline of a drained host: beyond a day, nobody remembers it.
const MaxDeadline = 24 * time.Hour

// parseHost reads what Value wrote. false: it was written by a later version, or by nobody.
func parseHost(value string) (Host, bool) {
	word, rest, _ := strings.Cut(value, " ")
	for s := Draining; s <= Suspended; s++ {
		if word != s.String() {
			continue
		}
		h := Host{State: s}
		switch s {
		case Draining:
			if d, err := time.ParseDuration(rest); err == nil && d > 0 && d <= MaxDeadline {
				h.Deadline = d
			}
		case Stopped:
			h.Why = Reason(rest)
		}
		return h, true
	}
	return Host{}, false
}

// After is the order after a verb. The deadline is for Drain. It returns ErrSuspended for a host that is.
func (h Host) After(verb Verb, deadline time.Duration) (Host, error) {
	if h.State == Suspended && verb != Resume && verb != Suspend {
		return h, ErrSuspended
	}
	switch verb {
	case Drain:
		if h.State == Stopped {
			return h, nil // that is more
		}
		return Host{State: Draining, Deadline: min(max(deadline, 0), MaxDeadline)}, nil
	case Stop:
		return Host{State: Stopped}, nil
	case Suspend:
		return Host{State: Suspended}, nil
	case Start, Resume:
		return Host{}, nil
	}
	return h, fmt.Errorf("%w: %q", errors.ErrUnsupported, verb)
}

// Serves reports whether the host may get new connections.
func (h Host) Serves() bool { return h.State == Started }

// Closes reports whether connections that the host has are to be closed.
func (h Host) Closes() bool { return h.State == Stopped || h.State == Suspended }

// Left is how much of the deadline is left for a host that learns of the order from its disk, at a time of its own clock. It is never more than the
// deadline, and never negative, however the clocks differ.
func (h Host) Left(now time.Time) time.Duration {
	return min(max(h.Deadline-now.Sub(h.Set.At), 0), h.Deadline)
}

const hostPrefix = "host/"

// HostKey is where the common values have a host's order. It is shorter than register.MaxKey with the longest name (63 bytes).
func HostKey(name string) string { return hostPrefix + name }

func setOf(e register.Entry) Set { return Set{e.Version.Host, time.Unix(e.At, 0)} }
