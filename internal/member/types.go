package member

import (
	"slices"
	"time"
)

// MaxHosts is the largest number of hosts in a configuration: a Set is one machine word.
const MaxHosts = 32

// ID is a host's index in the configuration, which lists hosts sorted by name: the same on every host.
type ID uint8

// Boot is a random number that an agent draws at each start. Zero means unknown.
type Boot uint64

// Set is a set of hosts, bit i for ID i.
type Set uint32

// State is how far a host takes part.
type State uint8

// The states of a host.
const (
	Joining State = iota // in no view: owns nothing
	Serving              // in a view
	Leaving              // offers no weight; stays in its view while its connections end, joins no other after its farewell
)

// MaxRules bounds the rules of a configuration; it sizes RuleSet.
const MaxRules = 64

// RuleSet is a set of rules, bit i for the i-th rule of the configuration.
type RuleSet uint64

// Attributes is what a host contributes to the tables. The coordinator copies it into the next view.
type Attributes struct {
	Weight   uint16  // share of new connections relative to the others; 0: none (drained, witness)
	Ready    RuleSet // the rules whose checks are good on this host
	Director bool    // may answer for VIPs
	Vote     bool    // counts for a quorum. Asked for by the caller; the machine grants it only to a boot that is old enough
	Tie      bool    // of exactly half of the votes, this half is the one that a witness of addresses speaks for
}

// Need is the quorum that something needs to run.
type Need uint8

// The needs. A view with a majority has what a Witness needs too.
const (
	NoQuorum Need = iota // runs in every view
	Majority             // more than half of the votes of full hosts
	Witness              // a majority, or exactly half of them with a witness
	Needs                // how many there are
)

// Electorate judges whether hosts are a quorum. It is a pure function, and the same on every host of the cluster: any two
// quorums of it must have a host in common, unless Tie is what made one.
type Electorate interface {
	// Has reports whether who, as members of v, are what need asks for. Hosts that are not in v count nothing, and more
	// hosts never have less.
	Has(need Need, v View, who Set) bool
}

// ViewID orders views: a higher epoch wins, then the higher proposer. The zero value is "no view".
type ViewID struct {
	Epoch    uint64 // one more than the highest that the proposer had heard of; hosts keep it over a restart as far as they can
	Proposer ID     // the coordinator that made the view
}

// Member is a host in a view, with what it said of itself when the view was proposed.
type Member struct {
	ID   ID
	Boot Boot // a host that is started again is another member
	Attributes
}

// View is the agreed set of live hosts. Members are sorted by ID. A View is immutable once made.
type View struct {
	ViewID
	Config  ConfigID // the configuration that its tables are made with
	Members []Member // by rising ID
}

// ConfigID is the first eight bytes of a configuration's digest. Zero: none.
type ConfigID uint64

// Hearing is what a host says of a peer that it hears. It confirms the peer's heartbeats up to Seq, from which the peer's lease follows.
type Hearing struct {
	ID   ID
	Boot Boot   // of the peer; a confirmation of an earlier one is worth nothing
	Seq  uint64 // the newest heartbeat heard from that boot; stands still for a host put out, so that its lease runs out
}

// Heartbeat is everything that a host tells the others each interval, apart from holdings and the configuration's digest,
// which package heartbeat adds.
type Heartbeat struct {
	From      ID
	Boot      Boot
	Seq       uint64     // common to all networks, from 1 on, growing with each heartbeat of the boot
	State     State      // joining, serving or leaving
	Config    ConfigID   // the configuration in use
	Pending   ConfigID   // a newer one, loaded and ready to be used by the next view; zero: none
	Attrs     Attributes // what the sender contributes when a view is made with Config
	Next      Attributes // what the sender contributes when a view is made with Pending; rules may be numbered otherwise there
	Hears     []Hearing  // peers not silent, sorted by ID
	Links     Set        // peers with whom the link is up both ways, and the sender itself
	View      View       // the highest view accepted; zero: none
	Released  ViewID     // the newest view whose release this host's filter has done
	Installed ViewID     // the newest view that this host's filter has installed; zero: its filter owns nothing
	HighEpoch uint64     // highest epoch ever heard of
}

// hears is whom the sender hears.
func (hb *Heartbeat) hears() Set {
	var s Set
	for _, h := range hb.Hears {
		s = s.With(h.ID)
	}
	return s
}

// Phase is what a Step asks of the filter.
type Phase uint8

// The phases of a Step.
const (
	Withdraw Phase = iota // own nothing (no view, or put out of it)
	Release               // own what is own by the old table and by the new
	Install               // own the share of the new table
)

// Step is a change that the filter has to make, in the order handed out. The caller reports with Released (after Release or
// Withdraw) and Installed (after Install).
type Step struct {
	Phase Phase // what to own from now on
	View  View  // the view to release for or to install; zero for Withdraw
}

// Event is something worth telling a person, in order of happening.
type Event struct {
	At      time.Time // when the machine was told what it follows from
	Kind    EventKind
	Host    ID     // whom it is about
	View    ViewID // the view it led to or belongs to
	Members Set    // of that view; empty: there is none
	Detail  string // why, in words
}

// EventKind names an Event.
type EventKind uint8

// The kinds of events.
const (
	HostHeard     EventKind = iota // after silence, or for the first time
	HostSilent                     // for the detection time: it is no longer heard
	HostLeft                       // it said farewell, or has started anew
	LinkUp                         // both ends hear each other
	LinkDown                       // one of them does not
	LinkHeld                       // goes up and down: does not count for a while
	ViewProposed                   // by this host
	ViewAccepted                   // this host releases for it
	ViewInstalled                  // this host's filter has its whole share
	PutOut                         // the others went on without this host
	Stalled                        // this host's own timer was late
)

// Output is what the machine wants done after an input.
type Output struct {
	Send  bool   // send a heartbeat now, do not wait for the next tick
	Steps []Step // for the filter, in order
}

// And is one output after another.
func (o Output) And(next Output) Output {
	return Output{Send: o.Send || next.Send, Steps: append(slices.Clip(o.Steps), next.Steps...)}
}

// Timing holds the detector's settings. Tolerance times Interval is the detection time. It must be the same on every host: each relies on the
// others' kernels having stopped when it takes over.
type Timing struct {
	Interval  time.Duration // between heartbeats
	Tolerance int           // intervals of silence after which a peer is no longer heard; fewer notice sooner and are wrong more often
	Lease     int           // intervals that the kernel may accept without confirmation; less than Tolerance, by more than clocks and processors are late
}
