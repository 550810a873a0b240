package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

// journal is what a rival's log on one host says about members. The log only grows.
type journal struct {
	host  string
	path  string
	hosts []string // all hosts, in the order in which rivals number them
	read  reader

	offset int64
	said   []membership // oldest first
	pauses []standstill // Muster's own, oldest first
}

// look reads what has been written since the last look, whole lines only.
func (j *journal) look() error {
	file, err := os.Open(j.path)
	if err != nil {
		return fmt.Errorf("read log of %s: %w", j.host, err)
	}
	defer file.Close()
	if _, err := file.Seek(j.offset, io.SeekStart); err != nil {
		return fmt.Errorf("read log of %s: %w", j.host, err)
	}
	data, err := io.ReadAll(file)
	if err != nil {
		return fmt.Errorf("read log of %s: %w", j.host, err)
	}
	data = data[:bytes.LastIndexByte(data, '\n')+1]
	for line := range bytes.Lines(data) {
		m, err := j.read(string(line), j.hosts)
		if err != nil {
			return fmt.Errorf("read log of %s: %w", j.host, err)
		}
		switch {
		case m.stood.lasted > 0:
			j.pauses = append(j.pauses, m.stood)
		case !m.at.IsZero():
			slices.Sort(m.members)
			j.said = append(j.said, m)
		}
	}
	j.offset += int64(len(data))
	return nil
}

// firstSince says when, not before a time, the host first said that exactly these hosts are members, given that it is its last word.
func (j *journal) firstSince(after time.Time, members []string) (time.Time, bool) {
	if len(j.said) == 0 || !j.said[len(j.said)-1].are(members) || j.said[len(j.said)-1].at.Before(after) {
		return time.Time{}, false
	}
	first := slices.IndexFunc(j.said, func(m membership) bool { return m.are(members) && !m.at.Before(after) })
	return j.said[first].at, true
}

// are says whether the members are exactly these, in any order.
func (m membership) are(names []string) bool {
	return slices.Equal(m.members, slices.Sorted(slices.Values(names)))
}

// removal is a host that was a member no more from a time on.
type removal struct {
	host string
	at   time.Time
}

// removals are the members that the host took out of its membership after a time, once for each time that it did.
func (j *journal) removals(after time.Time) (removed []removal) {
	var before []string
	for _, m := range j.said {
		if m.at.After(after) {
			for _, name := range before {
				if !slices.Contains(m.members, name) {
					removed = append(removed, removal{name, m.at})
				}
			}
		}
		before = m.members
	}
	return removed
}

// changes counts how often the host named members after a time, the same ones included: an agreement made again stops work, too.
func (j *journal) changes(after time.Time) int {
	n := 0
	for _, m := range j.said {
		if m.at.After(after) {
			n++
		}
	}
	return n
}
