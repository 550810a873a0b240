package agent

import (
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"
	"time"
)

const (
	// driftLife is for how long what was put back stays among the problems of a status: long enough to be seen, and not for ever.
	driftLife = 15 * time.Minute

	// keptDrift bounds what is remembered. What a host is made of is about twice the number of its VIPs.
	keptDrift = 64
)

// drifts are the things that somebody took away lately, with how often.
type drifts struct{ seen map[string]taken }

// taken is one of them.
type taken struct {
	text  string    // what was found, the last time
	times int       // within driftLife of each other
	last  time.Time // when it was
}

// note remembers that something was found changed. It says whether that is to be told: the first, second, fourth, eighth ... time.
func (d *drifts) note(what, text string, now time.Time) bool {
	d.expire(now)
	if d.seen == nil {
		d.seen = map[string]taken{}
	}
	t, known := d.seen[what]
	if !known && len(d.seen) >= keptDrift {
		delete(d.seen, d.oldest())
	}
	t.text, t.last = text, now
	t.times++
	d.seen[what] = t
	return bits.OnesCount(uint(t.times)) == 1
}

// lines are what to tell a person, the newest first.
func (d *drifts) lines(now time.Time) []string {
	d.expire(now)
	all := slices.SortedFunc(maps.Values(d.seen), func(a, b taken) int {
		if c := b.last.Compare(a.last); c != 0 {
			return c
		}
		return strings.Compare(a.text, b.text)
	})
	var list []string
	for _, t := range all {
		if t.times > 1 {
			t.text = fmt.Sprintf("%s (%d times)", t.text, t.times)
		}
		list = append(list, t.text)
	}
	return list
}

// expire forgets what has not happened for a while.
func (d *drifts) expire(now time.Time) {
	maps.DeleteFunc(d.seen, func(_ string, t taken) bool { return now.Sub(t.last) > driftLife })
}

func (d *drifts) oldest() (what string) {
	var at time.Time
	for each, t := range d.seen {
		if what == "" || t.last.Before(at) {
			what, at = each, t.last
		}
	}
	return what
}
