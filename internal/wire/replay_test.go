package wire

import (
	"bytes"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/member"
	"pgregory.net/rapid"
)

// world is three hosts and somebody who records everything, loses what he likes, and plays back anything to anyone at any
// time, across restarts of all.
type world struct {
	t     *rapid.T
	now   time.Time
	hosts [3]*running
	tape  []recorded
	beats int
}

// running is one boot of a host and what it accepted.
type running struct {
	*Codec
	started int // beats of the world when it started
	heard   map[string]bool
	newest  map[member.ID]int      // the start of the newest boot heard
	gone    map[member.ID]*running // who has said farewell
	settled map[string]bool        // accepted, or refused for good
}

// recorded is a datagram as it went by.
type recorded struct {
	datagram []byte
	from     *running
	beat     int // beats of the world when it was sealed
}

func (w *world) boot(id member.ID) {
	c, err := New(Options{Cluster: "farm", Secret: testSecret, Self: id, Hosts: len(w.hosts), Boot: NewBoot(), Interval: testInterval})
	if err != nil {
		w.t.Fatal(err)
	}
	w.beats++
	w.hosts[id] = &running{Codec: c, started: w.beats, heard: map[string]bool{}, newest: map[member.ID]int{}, gone: map[member.ID]*running{},
		settled: map[string]bool{}}
}

// record puts a datagram on tape and returns it.
func (w *world) record(from *running, datagram []byte) recorded {
	r := recorded{bytes.Clone(datagram), from, w.beats}
	w.tape = append(w.tape, r)
	return r
}

// deliver gives a datagram to a host and checks what it makes of it. The reply is recorded, and returned to be carried or lost.
func (w *world) deliver(to member.ID, r recorded) (reply recorded, answered bool) {
	h := w.hosts[to]
	before := h.Counters()
	m, out, why := h.Open(r.datagram, w.now)
	if h.settled[string(r.datagram)] {
		w.onlyRefused(h, before)
	}
	if why == Accepted || why == Replay {
		h.settled[string(r.datagram)] = true
	}
	if why == Accepted && (m.Type == Heartbeat || m.Type == Farewell) {
		w.checkAccepted(h, r, m)
	}
	if out == nil {
		return recorded{}, false
	}
	if why == Accepted && m.From != r.from.self {
		w.t.Fatalf("accepted as from host %d what host %d sealed", m.From, r.from.self)
	}
	return w.record(h, out), true
}

// onlyRefused checks that a replay has counted as one. An old challenge may be answered again: that changes nothing.
func (w *world) onlyRefused(h *running, before Counters) {
	after := h.Counters()
	for _, r := range []Reason{Replay, Boot, Sender, Key} {
		after[r] = before[r]
	}
	if after != before {
		w.t.Fatalf("a replay changed %v to %v", before.Named(), h.Counters().Named())
	}
}

// checkAccepted holds what was accepted against the guarantees.
func (w *world) checkAccepted(h *running, r recorded, m Message) {
	if h.heard[string(r.datagram)] {
		w.t.Fatalf("host %d accepted a datagram of host %d twice", h.self, m.From)
	}
	h.heard[string(r.datagram)] = true
	if m.Boot != r.from.boot || m.From != r.from.self {
		w.t.Fatalf("accepted as boot %x of host %d what was sealed by another", m.Boot, m.From)
	}
	if r.beat < h.started {
		w.t.Fatalf("host %d accepted what was sealed before it started", h.self)
	}
	if r.from.started < h.newest[m.From] {
		w.t.Fatalf("host %d went back to an earlier boot of host %d", h.self, m.From)
	}
	h.newest[m.From] = r.from.started
	if h.gone[m.From] == r.from {
		w.t.Fatalf("host %d heard host %d after its farewell", h.self, m.From)
	}
	if m.Type == Farewell {
		h.gone[m.From] = r.from
	}
}

// converse carries a heartbeat and everything it leads to, without loss.
func (w *world) converse(from, to member.ID) {
	w.beats++
	d, _, err := w.hosts[from].Seal(nil, []byte{byte(w.beats)})
	if err != nil {
		w.t.Fatal(err)
	}
	r, at := w.record(w.hosts[from], d), to
	for answered := true; answered; at = from + to - at {
		r, answered = w.deliver(at, r)
	}
}

func TestRecordingsChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{t: t, now: testStart}
		for id := range w.hosts {
			w.boot(member.ID(id))
		}
		host := rapid.Custom(func(t *rapid.T) member.ID { return member.ID(rapid.IntRange(0, 2).Draw(t, "host")) })
		t.Repeat(map[string]func(*rapid.T){
			"beat": func(t *rapid.T) {
				from := host.Draw(t, "from")
				w.converse(from, (from+member.ID(rapid.IntRange(1, 2).Draw(t, "to")))%3)
			},
			"lost beat": func(t *rapid.T) { // recorded, and perhaps delivered later
				from := w.hosts[host.Draw(t, "from")]
				w.beats++
				d, _, _ := from.Seal(nil, []byte("lost"))
				w.record(from, d)
			},
			"replay": func(t *rapid.T) {
				if len(w.tape) == 0 {
					t.Skip("nothing recorded")
				}
				for range rapid.IntRange(1, 20).Draw(t, "times") {
					w.deliver(host.Draw(t, "to"), w.tape[rapid.IntRange(0, len(w.tape)-1).Draw(t, "which")])
				}
			},
			"replay all": func(t *rapid.T) {
				to, n := host.Draw(t, "to"), len(w.tape)
				for _, i := range rapid.Permutation(indexes(min(n, 60))).Draw(t, "order") {
					w.deliver(to, w.tape[n-1-i])
				}
			},
			"new key": func(t *rapid.T) {
				h := w.hosts[host.Draw(t, "which")]
				signs(w.t, h.Codec, h.ring.Draw())
			},
			"another's key": func(t *rapid.T) {
				h := w.hosts[host.Draw(t, "which")]
				if held := h.ring.Held(); len(held) > 0 {
					signs(w.t, h.Codec, rapid.SampledFrom(held).Draw(t, "key"))
				}
			},
			"drop keys": func(t *rapid.T) {
				h := w.hosts[host.Draw(t, "which")]
				for _, id := range h.ring.Held() {
					h.ring.Drop(id)
				}
			},
			"no key":  func(t *rapid.T) { signs(w.t, w.hosts[host.Draw(t, "which")].Codec, 0) },
			"restart": func(t *rapid.T) { w.boot(host.Draw(t, "which")) },
			"leave": func(t *rapid.T) {
				id := host.Draw(t, "which")
				r := w.record(w.hosts[id], w.hosts[id].Farewell())
				w.deliver((id+1)%3, r)
				w.boot(id)
			},
			"wait": func(t *rapid.T) {
				w.now = w.now.Add(time.Duration(rapid.IntRange(1, 2000).Draw(t, "ms")) * time.Millisecond)
			},
			"": func(*rapid.T) {
				w.now = w.now.Add(testInterval / 4)
			},
		})
		w.converges()
	})
}

// converges checks that whatever was done before, all hear each other within a second once they are left in peace.
func (w *world) converges() {
	heard := func(to, from member.ID) bool {
		d, _, err := w.hosts[from].Seal(nil, nil)
		if err != nil {
			w.t.Fatal(err)
		}
		_, _, why := w.hosts[to].Open(d, w.now)
		return why == Accepted
	}
	for range int(time.Second / testInterval) {
		w.now = w.now.Add(testInterval)
		for from := range member.ID(3) {
			w.converse(from, (from+1)%3)
			w.converse(from, (from+2)%3)
		}
	}
	for from := range member.ID(3) {
		for _, to := range []member.ID{(from + 1) % 3, (from + 2) % 3} {
			if !heard(to, from) {
				w.t.Fatalf("host %d does not hear host %d", to, from)
			}
		}
	}
}

func indexes(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
