package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	detectTimes = 10
	slowTimes   = 3 // of what takes ten seconds each

	// steadyGoal and fastGoal are what Muster is to detect a power cut in, in milliseconds.
	steadyGoal, fastGoal = 350, 60
)

const detectAbout = `A host's link goes down and everything on it is killed, one host after another in turn, and comes back when the others have noticed. *last* is when
the last of the others used a membership of exactly those that live, by the time in its log; *first* the first of them. For Muster that is
the view in use, agreed with all and carried into the filter; for corosync (knet, votequorum) the line ` + "`Members[n]`" + `, in steps of 4 ms; for
memberlist, which agrees on nothing, the call of NotifyLeave. corosync's default is token 3 s and 650 ms for each host above two; tuned is
token_coefficient 0. memberlist is tuned to probe every 200 ms, with 100 ms for an answer and suspicion multiplier 2.`

func detectRow() row {
	return row{"detect", "Power cut noticed, three hosts: Muster, corosync, memberlist", detectAbout,
		func(ctx context.Context, b *bench) ([]figure, error) { return runDetect(ctx, b, 3) }}
}

func detectSevenRow() row {
	return row{"detect7", "Power cut noticed, seven hosts", "The same with seven hosts, whose agents share the same processor cores.",
		func(ctx context.Context, b *bench) ([]figure, error) { return runDetect(ctx, b, 7) }}
}

func runDetect(ctx context.Context, b *bench, hosts int) (figures []figure, err error) {
	for _, r := range rivals() {
		got, err := detect(ctx, b, r, hosts)
		if err != nil {
			return nil, err
		}
		figures = append(figures, got...)
	}
	return figures, nil
}

// detect cuts the power of hosts in turn.
func detect(ctx context.Context, b *bench, r rival, hosts int) (figures []figure, err error) {
	m, err := newMatch(ctx, r, hosts)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	var firsts, lasts []time.Duration
	for i := range b.times(r.cuts) {
		first, last, err := m.cut(ctx, m.names()[i%hosts])
		if err != nil {
			return nil, err
		}
		b.say("%s: cut %s: first %v, last %v", r.name, m.names()[i%hosts], first.Round(time.Millisecond), last.Round(time.Millisecond))
		firsts, lasts = append(firsts, first), append(lasts, last)
	}
	last := milliseconds(r.name+": last", lasts)
	if r.goal > 0 {
		last = last.most(r.goal)
	}
	return []figure{last, milliseconds(r.name+": first", firsts)}, nil
}

// cut cuts a host's power and switches it on again, and says when the first and the last of the others had noticed.
func (m *match) cut(ctx context.Context, victim string) (first, last time.Duration, err error) {
	live := slices.DeleteFunc(m.names(), func(name string) bool { return name == victim })
	at, err := m.Host(victim).PowerCut()
	if err != nil {
		return 0, 0, err
	}
	said, err := m.await(ctx, live, live, at)
	if err != nil {
		return 0, 0, fmt.Errorf("cut %s: %w", victim, err)
	}
	first = time.Hour
	for _, when := range said {
		first, last = min(first, when.Sub(at)), max(last, when.Sub(at))
	}
	back := time.Now()
	if err := m.Host(victim).PowerOn(); err != nil {
		return 0, 0, err
	}
	if _, err := m.await(ctx, m.names(), m.names(), back); err != nil {
		return 0, 0, fmt.Errorf("switch %s on: %w", victim, err)
	}
	return first, last, pause(ctx, settle)
}
