package agent

import (
	"math/bits"
	"time"

	"github.com/muster-ha/muster/internal/api"
)

const (
	// latenessSpan is how long one window of the measure lasts; there are two, so what is shown is of the last one to two.
	latenessSpan = time.Minute

	// latenessSlots are powers of two of microseconds: the last is for 17 minutes and more.
	latenessSlots = 31
)

// lateness measures how promptly this host's own loop runs: how late its ticks come, and which of its works took longest. An agent that
// is late itself looks like a dying host to the others, and here is where to see that it is.
type lateness struct {
	interval time.Duration
	due      time.Time // the next tick; zero: not begun
	began    time.Time // the present window
	windows  [2]window // the present one and the one before
}

// window is what was seen in one span.
type window struct {
	ticks   uint64
	late    [latenessSlots]uint32 // ticks by the length of their lateness in microseconds, in bits
	worst   time.Duration
	work    time.Duration // the longest turn of the loop
	working string        // and what that was
}

// tick takes note of a tick that should have come a whole number of intervals after the one before.
func (l *lateness) tick(now time.Time) {
	if l.due.IsZero() {
		l.due, l.began = now.Add(l.interval), now
		return
	}
	if now.Sub(l.began) >= latenessSpan {
		l.windows[1], l.windows[0], l.began = l.windows[0], window{}, now
	}
	late := max(0, now.Sub(l.due))
	w := &l.windows[0]
	w.ticks++
	w.late[min(bits.Len64(uint64(late.Microseconds())), latenessSlots-1)]++
	w.worst = max(w.worst, late)
	// A ticker leaves out what it has missed, and keeps its beat.
	l.due = l.due.Add((late/l.interval + 1) * l.interval)
}

// turn takes note of how long a turn of the loop took.
func (l *lateness) turn(took time.Duration, what string) {
	if w := &l.windows[0]; took > w.work {
		w.work, w.working = took, what
	}
}

// status is what people see of it.
func (l *lateness) status(scheduling string) api.TimerStatus {
	all := l.windows[0]
	before := &l.windows[1]
	all.ticks += before.ticks
	all.worst = max(all.worst, before.worst)
	for i, n := range before.late {
		all.late[i] += n
	}
	if before.work > all.work {
		all.work, all.working = before.work, before.working
	}
	return api.TimerStatus{
		Scheduling: scheduling, Ticks: all.ticks, MedianMS: all.quantile(50), P99MS: all.quantile(99), WorstMS: millis(all.worst),
		LongestMS: millis(all.work), Longest: all.working,
	}
}

// quantile is the lateness that so many per cent of the ticks do not exceed, rounded up to a power of two of microseconds.
func (w *window) quantile(percent uint64) float64 {
	seen, wanted := uint64(0), (w.ticks*percent+99)/100
	for i, n := range w.late {
		if seen += uint64(n); seen >= wanted && w.ticks > 0 {
			return min(float64(uint64(1)<<i)/1000, millis(w.worst))
		}
	}
	return 0
}
