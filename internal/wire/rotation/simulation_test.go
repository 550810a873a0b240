package rotation

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/wire"
)

const (
	interval  = 20 * time.Millisecond
	detection = 15 // intervals
)

// host is one simulated boot.
type host struct {
	*Machine
	held    []wire.KeyID
	want    member.Set
	voices  []Voice
	heard   []time.Time
	refused int         // heartbeats of members under keys that it did not hold
	grouped []bool      // by host: its boot was heard under a group key
	members member.Set  // of its view
	asked   []time.Time // by host
	inbox   []heartbeat // delayed by reordering
}

type heartbeat struct {
	from         int
	sign, newest wire.KeyID
}

// world is hosts that lose, delay and reorder datagrams, are cut into parts and restart.
type world struct {
	now   time.Time
	hosts []*host
	part  []int // by host: hosts of the same number hear each other
	since time.Time
	rng   *rand.Rand
	loss  float64
	next  wire.KeyID
}

func newWorld(n int, seed uint64, loss float64) *world {
	w := &world{now: start, part: make([]int, n), rng: rand.New(rand.NewPCG(seed, 1)), loss: loss, since: start}
	for i := range n {
		w.hosts = append(w.hosts, nil)
		w.boot(i)
	}
	return w
}

func (w *world) boot(i int) {
	n := len(w.part)
	w.hosts[i] = &host{Machine: New(member.ID(i), testTiming), voices: make([]Voice, n), heard: make([]time.Time, n), grouped: make([]bool, n), asked: make([]time.Time, n)}
	for _, h := range w.hosts {
		if h != nil {
			h.voices[i], h.heard[i], h.grouped[i] = Voice{}, time.Time{}, false
		}
	}
}

// tick is one interval.
func (w *world) tick() {
	w.now = w.now.Add(interval)
	for i := range w.hosts {
		w.step(i)
	}
	for _, from := range w.rng.Perm(len(w.hosts)) {
		sign, newest := w.hosts[from].Said()
		for to, h := range w.hosts {
			if to == from || !w.passes(from, to) {
				continue
			}
			h.inbox = append(h.inbox, heartbeat{from, sign, newest})
		}
	}
	for to, h := range w.hosts {
		w.rng.Shuffle(len(h.inbox), func(i, j int) { h.inbox[i], h.inbox[j] = h.inbox[j], h.inbox[i] })
		late := w.rng.IntN(2)
		for len(h.inbox) > late {
			b := h.inbox[0]
			h.inbox = h.inbox[1:]
			if w.part[b.from] == w.part[to] {
				w.hear(to, b)
			}
		}
	}
}

func (w *world) passes(from, to int) bool {
	return w.part[from] == w.part[to] && w.rng.Float64() >= w.loss
}

func (w *world) step(i int) {
	h := w.hosts[i]
	for id := range h.voices {
		h.voices[id].Heard = w.now.Sub(h.heard[id]) < detection*interval
	}
	w.view(i)
	do := h.Step(State{Now: w.now, Members: h.members, Allowed: true, Held: slices.Clone(h.held), Voices: h.voices})
	if do.Draw {
		w.next++
		h.held = append(h.held, w.next)
		h.Drawn(w.next, w.now)
	}
	h.want = do.Want
	h.held = slices.DeleteFunc(h.held, func(id wire.KeyID) bool { return slices.Contains(do.Drop, id) })
}

// view gives a host the view of those who hear each other in its part, once it has stood for the time of detection.
func (w *world) view(i int) {
	h := w.hosts[i]
	set := member.Set(0).With(member.ID(i))
	for id := range w.hosts {
		if id != i && h.voices[id].Heard && w.hosts[id].voices[i].Heard {
			set = set.With(member.ID(id))
		}
	}
	if w.now.Sub(w.since) >= detection*interval {
		h.members = set
	}
}

// hear is a heartbeat's arrival: read, or refused and the cause of a question.
func (w *world) hear(to int, b heartbeat) {
	h, from := w.hosts[to], w.hosts[b.from]
	if b.sign != 0 && !slices.Contains(h.held, b.sign) {
		if h.members.Has(member.ID(b.from)) {
			h.refused++
		}
		w.ask(to, b.from)
		return
	}
	if b.sign == 0 && h.grouped[b.from] {
		if w.passes(to, b.from) && w.passes(b.from, to) {
			h.grouped[b.from] = from.sign != 0
		}
		return
	}
	h.grouped[b.from] = b.sign != 0
	h.voices[b.from], h.heard[b.from] = Voice{Heard: true, Sign: b.sign, Newest: b.newest}, w.now
	if h.want.Has(member.ID(b.from)) {
		w.ask(to, b.from)
	}
}

// ask is a question and its answer, either of which may be lost.
func (w *world) ask(from, to int) {
	h := w.hosts[from]
	if w.now.Sub(h.asked[to]) < interval || !w.passes(from, to) || !w.passes(to, from) {
		return
	}
	h.asked[to] = w.now
	sign, newest := w.hosts[to].Said()
	for _, id := range []wire.KeyID{sign, newest} {
		if id != 0 && !slices.Contains(h.held, id) {
			h.held = append(h.held, id)
		}
	}
}

func (w *world) ticks(n int) {
	for range n {
		w.tick()
	}
}

// oneKey reports whether all hosts that hear each other sign with the same group key, and read each other.
func (w *world) oneKey() bool {
	for i, h := range w.hosts {
		for j, other := range w.hosts {
			if w.part[i] != w.part[j] || i == j {
				continue
			}
			if h.sign == 0 || h.sign != other.sign || !h.voices[j].Heard {
				return false
			}
		}
	}
	return true
}

// until runs until all have one key, and fails after a number of intervals.
func (w *world) until(t interface {
	Helper()
	Fatalf(string, ...any)
}, limit int, what string) {
	t.Helper()
	for range limit {
		w.tick()
		if w.oneKey() {
			return
		}
	}
	for i, h := range w.hosts {
		s, n := h.Said()
		t.Fatalf("%s: not within %d intervals: host %d of part %d signs with %v, newest %v, holds %v, members %b", what, limit, i, w.part[i], s, n, h.held, h.members)
	}
}

// TestSteadyRotationLosesNothing: twenty rotations under loss and reordering; no member ever gets a heartbeat that it cannot read.
func TestSteadyRotationLosesNothing(t *testing.T) {
	for _, loss := range []float64{0, .2, .5} {
		w := newWorld(5, 7, loss)
		w.until(t, 200, "first key")
		w.ticks(200)
		before := make([]int, len(w.hosts))
		for i, h := range w.hosts {
			before[i] = h.refused
		}
		key := w.hosts[0].sign
		for range 20 {
			w.hosts[0].Order()
			w.ticks(20)
			w.until(t, 300, "rotation")
			if w.hosts[0].sign == key {
				t.Fatal("the key has not changed")
			}
			key = w.hosts[0].sign
		}
		for i, h := range w.hosts {
			if h.refused != before[i] {
				t.Errorf("loss %v: host %d could not read %d heartbeats of members", loss, i, h.refused-before[i])
			}
		}
		w.ticks(int(3 * testTiming.Overlap / interval))
		for i, h := range w.hosts {
			if len(h.held) != 1 {
				t.Errorf("loss %v: host %d still holds %v", loss, i, h.held)
			}
		}
	}
}

// TestHostsAlwaysFindTogether: whatever was cut, restarted, ordered and lost, those who are joined again read each other and sign with
// one key soon, and hold no more keys than parts there were.
func TestHostsAlwaysFindTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 6).Draw(t, "hosts")
		w := newWorld(n, rapid.Uint64().Draw(t, "seed"), rapid.Float64Range(0, .4).Draw(t, "loss"))
		w.ticks(50)
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"cut", "heal", "restart", "order", "wait"}).Draw(t, "what") {
			case "cut":
				for i := range w.part {
					w.part[i] = rapid.IntRange(0, 1).Draw(t, "part")
				}
				w.since = w.now
			case "heal":
				clear(w.part)
				w.since = w.now
			case "restart":
				w.boot(rapid.IntRange(0, n-1).Draw(t, "host"))
			case "order":
				w.hosts[rapid.IntRange(0, n-1).Draw(t, "host")].Order()
			}
			w.ticks(rapid.IntRange(0, 60).Draw(t, "ticks"))
		}
		clear(w.part)
		w.since = w.now
		w.until(t, 400, "after all")
		w.ticks(int((testTiming.Patience + testTiming.Rest + 3*testTiming.Overlap) / interval))
		w.until(t, 400, "in the end")
		for i, h := range w.hosts {
			if len(h.held) > 3 {
				t.Fatalf("host %d holds %v", i, h.held)
			}
		}
	})
}

// TestReadingIsBoundedAfterAHeal: from the moment that two halves hear each other, everybody reads everybody within a few intervals.
func TestReadingIsBoundedAfterAHeal(t *testing.T) {
	slow := 0
	for seed := range uint64(100) {
		w := newWorld(4, seed, .2)
		w.until(t, 200, "first key")
		w.part, w.since = []int{0, 0, 1, 1}, w.now
		w.ticks(2 * int(testTiming.Rest/interval)) // each half draws a key of its own
		clear(w.part)
		w.since = w.now
		w.ticks(10)
		for i, h := range w.hosts {
			for j := range w.hosts {
				if i != j && w.now.Sub(h.heard[j]) > 9*interval {
					slow++
				}
			}
		}
	}
	if slow > 12 { // of 1200 pairs
		t.Errorf("%d pairs of 1200 did not read each other within 10 intervals", slow)
	}
}
