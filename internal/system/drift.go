package system

import "math/bits"

// Drift is a change that somebody else took back.
type Drift struct {
	Change   Change
	What     string
	Expected string
	Found    string
	Times    int   // how often so far, this time included; zero from Verify
	Err      error // why it could not be put back; nil when it was, and from Verify
}

// drift is what Restore remembers of a target between calls.
type drift struct {
	times  int
	broken bool // reported and not put back yet
}

// Verify looks at every change and tells which no longer hold. What cannot be looked at is told as well: it is not known to
// be good.
func (j *Journal) Verify() []Drift {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.verify()
}

func (j *Journal) verify() []Drift {
	var all []Drift
	for _, c := range j.doc.Changes {
		if !c.watched() {
			continue
		}
		state, err := j.kernel.look(j.dir, c)
		if err == nil && state == c.Want {
			continue
		}
		if err != nil {
			state = "unknown: " + err.Error()
		}
		all = append(all, Drift{Change: c, What: c.What(), Expected: c.Want, Found: state})
	}
	return all
}

// Restore puts back what somebody took away and tells each such event once: a drift that cannot be mended is told again
// when it has been. After a mount was put back its pins are lost, and their owner has to make them anew.
//
// Somebody who takes a thing away every second fills no log: the first, second, fourth, eighth ... time is logged.
func (j *Journal) Restore() []Drift {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.doc.Undoing {
		return nil // what has been given back must not rise again
	}
	var told []Drift
	now := map[string]bool{}
	for _, d := range j.verify() {
		now[d.What] = true
		if j.mend(&d) {
			told = append(told, d)
		}
	}
	for what, past := range j.drifted {
		past.broken = past.broken && now[what]
	}
	return told
}

// mend puts one drift back and says whether it is news.
func (j *Journal) mend(d *Drift) bool {
	past := j.drifted[d.What]
	if past == nil {
		past = &drift{}
		j.drifted[d.What] = past
	}
	d.Err = j.enforce(d.Change)
	first, late := !past.broken, past.broken && d.Err == nil
	past.broken = d.Err != nil
	if !first && !late {
		return false
	}
	if first {
		past.times++
	}
	d.Times = past.times
	if bits.OnesCount(uint(d.Times)) == 1 {
		j.report(*d)
	}
	return true
}

func (j *Journal) report(d Drift) {
	if d.Err != nil {
		j.log.Error("cannot put back what somebody took away", "what", d.What, "expected", d.Expected, "found", d.Found, "times", d.Times, "error", d.Err)
		return
	}
	j.log.Warn("put back what somebody took away", "what", d.What, "expected", d.Expected, "found", d.Found, "times", d.Times)
}
