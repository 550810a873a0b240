package member_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/muster-ha/muster/internal/balance"
	"github.com/muster-ha/muster/internal/member"
)

const interval = 20 * time.Millisecond

// timing is what worlds have that need nothing else.
var timing = member.Timing{Interval: interval, Tolerance: 15, Lease: 10}

const detection = 15 * interval

// epochStart is the moment that a simulation starts at.
var epochStart = time.Unix(1_000_000_000, 0)

// world is a simulated cluster: everything that happens is an event in one queue, and everything random comes from one seed, so
// that a seed is a history.
type world struct {
	seed  uint64
	rng   *rand.Rand
	now   time.Time
	queue eventQueue
	hosts []*simHost
	net   network
	check checker
	sabot sabotage
	boots uint64
	trace func(string) // nil: off

	timing member.Timing

	witnesses member.Set        // hosts that vote and serve nothing
	electors  member.Electorate // of the rules with quorum

	rankings map[member.ConfigID]*balance.Rankings
	tables   map[tableKey]*balance.Table
	changes  int // views accepted, over all hosts
}

type tableKey struct {
	config   member.ConfigID
	eligible member.Set
}

// sabotage breaks the simulated hosts on purpose, to prove that the checker notices.
type sabotage struct {
	keepOnRelease  bool // the filter says that it has released and has not
	endlessLease   bool // the kernel never stops
	selfishLease   bool // the lease does not wait for the confirmations of the others
	hasty          bool // a release is announced before those put out are known to have stopped
	keepOnWithdraw bool // a host that was put out does not empty its filter
	quorum         quorumSabotage
}

func newWorld(seed uint64, hosts int) *world {
	w := &world{
		seed: seed, rng: rand.New(rand.NewPCG(seed, 0x6d7573746572)), now: epochStart,
		rankings: map[member.ConfigID]*balance.Rankings{}, tables: map[tableKey]*balance.Table{}, timing: timing,
	}
	w.net = newNetwork(hosts)
	w.check = newChecker(hosts)
	for i := range hosts {
		w.hosts = append(w.hosts, &simHost{world: w, id: member.ID(i), config: 1, attrs: serving})
	}
	w.elect(0)
	return w
}

// serving is what a healthy host offers.
var serving = member.Attributes{Weight: 1, Ready: 1, Director: true, Vote: true}

// table is a view's table for the one rule of the simulated configurations.
func (w *world) table(v member.View) *balance.Table {
	return w.tableOf(tableKey{v.Config, balance.Eligible(v, 0)})
}

func (w *world) tableOf(key tableKey) *balance.Table {
	if t := w.tables[key]; t != nil {
		return t
	}
	if w.rankings[key.config] == nil {
		w.rankings[key.config] = w.newRankings(key.config)
	}
	t := w.rankings[key.config].Table(key.eligible)
	w.tables[key] = t
	return t
}

// newRankings draws a configuration's weights from its id alone: the same on every host.
func (w *world) newRankings(c member.ConfigID) *balance.Rankings {
	weights := make([]int, len(w.hosts))
	for i := range weights {
		weights[i] = 1 + int(uint64(c)*uint64(i+3)%4)
	}
	return balance.NewRankings(weights)
}

// run lets time pass and stops at the first thing that must not be.
func (w *world) run(d time.Duration) error {
	end := w.now.Add(d)
	for {
		e, ok := w.queue.before(end)
		if !ok {
			w.now = end
			return nil
		}
		w.now = e.at
		e.do()
		if err := w.check.step(w); err != nil {
			return fmt.Errorf("seed %d at %v: %w", w.seed, w.since(), err)
		}
	}
}

func (w *world) since() time.Duration { return w.now.Sub(epochStart) }

func (w *world) after(d time.Duration, do func()) { w.queue.push(event{at: w.now.Add(d), do: do}) }

func (w *world) logf(format string, args ...any) {
	if w.trace != nil {
		w.trace(fmt.Sprintf("%9.3fms  ", float64(w.since().Microseconds())/1000) + fmt.Sprintf(format, args...))
	}
}

// between draws a duration.
func (w *world) between(lo, hi time.Duration) time.Duration {
	if hi <= lo {
		return lo
	}
	return lo + time.Duration(w.rng.Int64N(int64(hi-lo)))
}

func (w *world) chance(p float64) bool { return p > 0 && w.rng.Float64() < p }

// interval is the time between heartbeats.
func (w *world) interval() time.Duration { return w.timing.Interval }

// detection is the silence after which a host is no longer heard.
func (w *world) detection() time.Duration {
	return time.Duration(w.timing.Tolerance) * w.timing.Interval
}

// event is something that happens at a time; events at the same time happen in the order in which they were made.
type event struct {
	at  time.Time
	seq uint64
	do  func()
}

// eventQueue is a binary heap.
type eventQueue struct {
	events []event
	made   uint64
}

func (q *eventQueue) less(i, j int) bool {
	a, b := &q.events[i], &q.events[j]
	if a.at.Equal(b.at) {
		return a.seq < b.seq
	}
	return a.at.Before(b.at)
}

func (q *eventQueue) push(e event) {
	q.made++
	e.seq = q.made
	q.events = append(q.events, e)
	for i := len(q.events) - 1; i > 0; {
		up := (i - 1) / 2
		if !q.less(i, up) {
			return
		}
		q.events[i], q.events[up] = q.events[up], q.events[i]
		i = up
	}
}

// before takes the first event that is not after end.
func (q *eventQueue) before(end time.Time) (event, bool) {
	if len(q.events) == 0 || q.events[0].at.After(end) {
		return event{}, false
	}
	first := q.events[0]
	last := len(q.events) - 1
	q.events[0] = q.events[last]
	q.events[last] = event{}
	q.events = q.events[:last]
	for i := 0; ; {
		small := i
		for _, c := range [2]int{2*i + 1, 2*i + 2} {
			if c < last && q.less(c, small) {
				small = c
			}
		}
		if small == i {
			return first, true
		}
		q.events[i], q.events[small] = q.events[small], q.events[i]
		i = small
	}
}
