package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// wireSettle is how long to wait after all are members: the hosts agree on a group and find that it carries.
	wireSettle = 5 * time.Second
	wireFor    = 10 * time.Second
	// agentGoal is the processor time that an agent may take in the largest cluster, in per cent of a core.
	agentGoal = 5
)

func wireRow() row {
	return row{"wire", "Datagrams on the wire, and processor time, for 3 to 32 hosts", `Hosts that are all members, with nothing to do, for 10 s. *sent* is what the hosts send, *delivered* what the switch hands them, frames of every
kind as its ports count them, Ethernet's header in the bytes: a datagram to a group is sent once and delivered to each. Muster's
heartbeats are the steady profile's, 50 a second from each host. Of 3 and 8 hosts also corosync's and memberlist's, tuned as they are for
the quickest detection above; idle, they say less often that a host lives, and memberlist asks one host at a time. *processor* is the processor time of each agent and its guard,
in per cent of a core: with 32 hosts all agents share the few cores of one machine.`, runWire}
}

// crowd is a rival on a number of hosts.
type crowd struct {
	rival rival
	hosts int
}

func crowds() []crowd {
	byMulticast := musterWith("Muster by multicast", "{profile: steady}")
	byUnicast := musterWith("Muster by unicast", "{profile: steady, multicast: {disabled: true}}")
	var all []crowd
	for _, n := range []int{3, 8, 16, 32} {
		all = append(all, crowd{byMulticast, n}, crowd{byUnicast, n})
	}
	for _, n := range []int{3, 8} {
		all = append(all, crowd{corosync("tuned, token 150 ms", 150*time.Millisecond), n}, crowd{memberlistRival("tuned"), n})
	}
	return all
}

func runWire(ctx context.Context, b *bench) (figures []figure, err error) {
	for _, c := range crowds() {
		got, err := c.measure(ctx, b)
		if err != nil {
			return nil, fmt.Errorf("%d hosts: %w", c.hosts, err)
		}
		figures = append(figures, got...)
	}
	return figures, nil
}

func (c crowd) measure(ctx context.Context, b *bench) (figures []figure, err error) {
	began := time.Now()
	m, err := newMatch(ctx, c.rival, c.hosts)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	b.say("%s, %d hosts: all are members after %v", c.rival.name, c.hosts, time.Since(began).Round(100*time.Millisecond))
	if err := pause(ctx, wireSettle); err != nil {
		return nil, err
	}
	sent, delivered, load, err := m.idle(ctx, wireFor)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%d hosts, %s: ", c.hosts, c.rival.name)
	figures = []figure{
		newFigure(name+"sent", "datagrams/s", sent.frames), newFigure(name+"sent", "kB/s", sent.kilobytes),
		newFigure(name+"delivered", "datagrams/s", delivered.frames),
	}
	if c.rival.config != "" {
		figures = append(figures, newFigure(name+"processor", "% of a core", load...).most(agentGoal))
	}
	return figures, nil
}

// rate is traffic a second.
type rate struct{ frames, kilobytes float64 }

// idle looks at the wire, and at the agents if there are any, while nothing happens.
func (m *match) idle(ctx context.Context, d time.Duration) (sent, delivered rate, load []float64, err error) {
	used, err := m.usage()
	if err != nil {
		return sent, delivered, nil, err
	}
	before, err := m.Traffic()
	if err != nil {
		return sent, delivered, nil, err
	}
	from := time.Now()
	if err := pause(ctx, d); err != nil {
		return sent, delivered, nil, err
	}
	after, err := m.Traffic()
	if err != nil {
		return sent, delivered, nil, err
	}
	elapsed := time.Since(from)
	since, seconds := after.Since(before), elapsed.Seconds()
	now, err := m.usage()
	for i := range now {
		load = append(load, now[i].since(used[i], elapsed).run)
	}
	return rate{float64(since.SentFrames) / seconds, float64(since.SentBytes) / 1000 / seconds},
		rate{float64(since.ReceivedFrames) / seconds, float64(since.ReceivedBytes) / 1000 / seconds}, load, err
}

// usage is what each host's agent and guard have used so far; nothing when there are no agents.
func (m *match) usage() ([]usage, error) {
	if m.rival.config == "" {
		return nil, nil
	}
	var all []usage
	for _, h := range m.Hosts() {
		pair, err := usageOf(h)
		if err != nil {
			return nil, err
		}
		all = append(all, usage{run: pair[0].run + pair[1].run})
	}
	return all, nil
}
