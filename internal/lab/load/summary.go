package load

import (
	"slices"
	"time"
)

// Mark is a moment at which something was done to the cluster. It begins a Phase.
type Mark struct {
	Name string
	At   time.Duration // in the time of the records
	Host string        // the host that it was done to; its connections may break
}

// Phase is what clients saw from one mark to the next.
type Phase struct {
	Mark
	End       time.Duration
	Requests  int
	Failed    int
	Late      int           // succeeded, but only after the kernel had sent the SYN again
	Longest   time.Duration // the longest wait of a request, failed ones included
	Recovered time.Duration // from the mark to the start of the last request that failed or was late; 0: none was
	Split     map[string]int
	Broken    int           // echo connections that broke
	Elsewhere int           // of these, those to other hosts than the mark's
	Wrong     int           // echo connections that returned wrong bytes
	Stall     time.Duration // the longest wait for an echo
	Classes   map[Class]int // how requests failed and connections broke
}

// late is how long a connection takes at least whose first SYN was lost: the kernel sends it again after a second.
const late = 950 * time.Millisecond

// Summarise sorts records into phases. What happened before the first mark is left out; the last phase ends at end.
//
// A request belongs to the phase in which it began. One that failed, or was late, and was under way at a mark belongs to
// that mark's phase: what was done then is the likely cause.
func Summarise(records []Record, marks []Mark, end time.Duration) []Phase {
	marks = slices.Clone(marks)
	slices.SortStableFunc(marks, func(a, b Mark) int { return int(a.At - b.At) })
	phases := make([]Phase, len(marks))
	for i, m := range marks {
		phases[i] = Phase{Mark: m, End: end, Split: make(map[string]int), Classes: make(map[Class]int)}
		if i > 0 {
			phases[i-1].End = m.At
		}
	}
	for _, r := range records {
		if i := phaseOf(r, marks); i >= 0 {
			phases[i].add(r)
		}
	}
	return phases
}

// Slow says whether a request failed or waited for the kernel to send its SYN again.
func (r Record) Slow() bool { return r.Kind == Request && (!r.OK || r.Connect >= late) }

// phaseOf is the index of the mark that a record belongs to; -1: none.
func phaseOf(r Record, marks []Mark) int {
	at := r.At
	until := at
	if r.Slow() || r.Kind == Exchange {
		until = at + r.Took
	}
	phase := -1
	for i, m := range marks {
		if m.At <= at {
			phase = i
			continue
		}
		if m.At <= until {
			return i // the first mark after its start
		}
		break
	}
	return phase
}

func (p *Phase) add(r Record) {
	switch r.Kind {
	case Request:
		p.addRequest(r)
	case Broken, Wrong:
		if r.Kind == Wrong {
			p.Wrong++
		}
		p.Broken++
		p.Classes[r.Class]++
		if r.Host != p.Host {
			p.Elsewhere++
			p.Stall = max(p.Stall, r.Took)
		}
	case Exchange:
		p.Stall = max(p.Stall, r.Took)
	}
}

func (p *Phase) addRequest(r Record) {
	p.Requests++
	p.Longest = max(p.Longest, r.Took)
	if r.Slow() {
		p.Recovered = max(p.Recovered, r.At-p.At)
	}
	switch {
	case !r.OK:
		p.Failed++
		p.Classes[r.Class]++
	case r.Connect >= late:
		p.Late++
	}
	if r.OK {
		p.Split[r.Host]++
	}
}

// Median is the middle of some durations, the higher one of an even number; 0 of none.
func Median(d []time.Duration) time.Duration {
	if len(d) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(d))
	return sorted[len(sorted)/2]
}
