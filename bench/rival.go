package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/muster-ha/muster/internal/lab"
)

// rival is something that keeps a membership, with some settings: Muster is one of them.
type rival struct {
	name     string
	process  string                          // name of its process on a host
	config   string                          // template of the agents' configuration; empty: the lab's own, for which no agent runs
	start    func(*lab.Lab, *lab.Host) error // starts it on a host; after a power cut the lab does it again
	read     reader
	cuts     int           // of power, to measure its detection
	goal     float64       // milliseconds in which it is to notice one; 0: nobody's
	patience time.Duration // the longest that a change of membership takes

	// detection is how long a host may be silent; 0: that is not known, or not one time.
	detection time.Duration
}

// reader reads a line of a rival's log on some hosts. It gives who is a member from then on, or a zero time if the line is about
// something else.
type reader func(line string, hosts []string) (membership, error)

// membership is what a host said that it had agreed with others, or thought by itself.
type membership struct {
	at      time.Time
	members []string   // sorted
	stood   standstill // instead: the host says that it did nothing for a while
}

// standstill is a time in which a host's own timer did not run.
type standstill struct {
	until  time.Time
	lasted time.Duration
}

// lookInterval is the time between two looks at logs. It delays the next step and no figure: those are of the times in the logs.
const lookInterval = 20 * time.Millisecond

// match is a rival on hosts of a lab.
type match struct {
	*lab.Lab
	rival rival
	logs  []*journal // one a host, in the order of the lab
}

// newMatch builds hosts and starts the rival on them all, and waits until all are one. The caller closes it.
func newMatch(ctx context.Context, r rival, hosts int) (*match, error) {
	l, err := lab.Up(ctx, lab.Options{Hosts: hosts, Binary: binary, Config: r.config})
	if err != nil {
		return nil, err
	}
	m := &match{Lab: l, rival: r}
	var names []string
	for _, h := range l.Hosts() {
		names = append(names, h.Name())
	}
	for _, h := range l.Hosts() {
		m.logs = append(m.logs, &journal{host: h.Name(), path: h.LogPath(r.process), hosts: names, read: r.read})
		if err := r.start(l, h); err != nil {
			return nil, errors.Join(err, m.close())
		}
	}
	if _, err := m.await(ctx, m.names(), m.names(), time.Time{}); err != nil {
		return nil, errors.Join(err, m.close())
	}
	return m, pause(ctx, settle)
}

func (m *match) close() error { return m.Down() }

func (m *match) names() []string {
	var names []string
	for _, j := range m.logs {
		names = append(names, j.host)
	}
	return names
}

// await waits until each of some hosts has said, after a time and as its last word, that exactly these are members. It returns when
// each of them said so first.
func (m *match) await(ctx context.Context, hosts, members []string, after time.Time) (map[string]time.Time, error) {
	deadline := time.Now().Add(m.rival.patience)
	for {
		said, late, err := m.agreed(hosts, members, after)
		if err != nil {
			return nil, err
		}
		if late == "" {
			return said, nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%s: after %v %s has not said that %v are members", m.rival.name, m.rival.patience, late, members)
		}
		if err := pause(ctx, lookInterval); err != nil {
			return nil, err
		}
	}
}

// agreed looks once; late is the first host that does not say so.
func (m *match) agreed(hosts, members []string, after time.Time) (said map[string]time.Time, late string, err error) {
	said = make(map[string]time.Time)
	for _, j := range m.logs {
		if !slices.Contains(hosts, j.host) {
			continue
		}
		if err := j.look(); err != nil {
			return nil, "", err
		}
		at, ok := j.firstSince(after, members)
		if !ok {
			return nil, j.host, nil
		}
		said[j.host] = at
	}
	return said, "", nil
}

// rivals are all that are compared when a power cut is detected.
func rivals() []rival {
	return []rival{musterRival("steady"), musterRival("fast"), corosync("default", 0), corosync("tuned, token 300 ms", 300*time.Millisecond),
		corosync("tuned, token 150 ms", 150*time.Millisecond), memberlistRival("LAN"), memberlistRival("tuned")}
}
