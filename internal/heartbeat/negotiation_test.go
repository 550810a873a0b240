package heartbeat

import (
	"fmt"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/member"
	"pgregory.net/rapid"
)

// parley is hosts that hear each other's ranges as a network would bring them.
type parley struct {
	now   time.Time
	hosts []*negotiation
	boots []member.Boot
	cut   func(from, to int) bool
	down  []bool
}

func makeParley(ranges ...Range) *parley {
	p := &parley{now: time.Unix(1000, 0), cut: func(_, _ int) bool { return false }, down: make([]bool, len(ranges))}
	for id, r := range ranges {
		p.hosts = append(p.hosts, newNegotiation(member.ID(id), len(ranges), r, testSilence))
		p.boots = append(p.boots, member.Boot(id+1))
	}
	return p
}

// restart gives a host another build.
func (p *parley) restart(id int, r Range) {
	for other, h := range p.hosts {
		if other != id && !p.down[id] {
			h.forget(member.ID(id), p.boots[id])
		}
	}
	p.boots[id] += 100
	p.hosts[id], p.down[id] = newNegotiation(member.ID(id), len(p.hosts), r, testSilence), false
}

// beat lets everybody speak once, and gives which pairs could not be read.
func (p *parley) beat() (unread int) {
	p.now = p.now.Add(testInterval)
	for from, h := range p.hosts {
		if p.down[from] {
			continue
		}
		said := Language{}
		said.Speaks, said.Written = h.speak(p.now)
		for to, other := range p.hosts {
			if to != from && !p.down[to] && !p.cut(from, to) && !other.hear(member.ID(from), p.boots[from], said, p.now) {
				unread++
			}
		}
	}
	return unread
}

func (p *parley) beats(n int) (unread int) {
	for range n {
		unread += p.beat()
	}
	return unread
}

func (p *parley) written() string {
	s := ""
	for _, h := range p.hosts {
		s += fmt.Sprint(h.agreement().Version)
	}
	return s
}

func r(lowest, highest uint8) Range { return Range{lowest, highest} }

// TestHostsUseTheHighestCommonVersion: item 2 of the issue, as a table.
func TestHostsUseTheHighestCommonVersion(t *testing.T) {
	for _, tc := range []struct {
		name   string
		ranges []Range
		want   string // versions written in, by host
	}{
		{"all the same", []Range{r(1, 2), r(1, 2), r(1, 2)}, "222"},
		{"one is older", []Range{r(1, 2), r(1, 1), r(1, 2)}, "111"},
		{"one is newer", []Range{r(1, 2), r(1, 3), r(1, 2)}, "222"},
		{"one no longer speaks the lowest", []Range{r(1, 2), r(2, 3), r(1, 2)}, "222"},
		{"one alone in the cluster", []Range{r(1, 2)}, "2"},
		{"nothing in common", []Range{r(1, 1), r(2, 2)}, "12"},
		{"one too new", []Range{r(1, 2), r(1, 2), r(3, 4)}, "223"},
		{"all far apart from zero", []Range{r(7, 9), r(8, 9), r(6, 8)}, "888"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := makeParley(tc.ranges...)
			p.beats(40)
			if got := p.written(); got != tc.want {
				t.Errorf("written in %s, want %s", got, tc.want)
			}
		})
	}
}

// TestStarterBeginsLow: whoever starts writes what all can read until it knows better, and lowers nobody who need not be.
func TestStarterBeginsLow(t *testing.T) {
	p := makeParley(r(2, 3), r(2, 3), r(1, 2))
	p.down[2] = true
	p.beats(40)
	if got := p.written(); got != "331" {
		t.Fatalf("without the starter: %s", got)
	}
	p.down[2] = false
	if _, first := p.hosts[2].speak(p.now); first != 1 {
		t.Errorf("the starter begins in %d", first)
	}
	p.beats(3)
	if got := p.written(); got != "222" || p.beat() != 0 {
		t.Errorf("after three intervals: %s, want 222 and nothing unread", got)
	}
	p.hosts[2].hosts = make([]speaker, 3) // alone for a while
	p.cut = func(from, to int) bool { return from == 2 || to == 2 }
	p.beats(40)
	if got := p.written(); got != "222" {
		t.Errorf("after a fall, within the longer patience: %s, want 222", got)
	}
}

// TestUpIsSlowAndDownIsAtOnce: a host that comes and goes does not take the others up and down with it.
func TestUpIsSlowAndDownIsAtOnce(t *testing.T) {
	p := makeParley(r(1, 2), r(1, 2), r(1, 1))
	p.down[2] = true
	p.beats(10)
	if got := p.written()[:2]; got != "11" {
		t.Errorf("higher after 10 intervals: %s", got)
	}
	p.beats(10)
	if got := p.written()[:2]; got != "22" {
		t.Errorf("after 20 intervals: %s, want 22", got)
	}
	rises, before := 0, uint8(2)
	for round := range 20 {
		p.down[2] = round%2 == 0
		for range 25 { // more than the silence that is tolerated
			p.beat()
			now := p.hosts[0].agreement().Version
			if now > before {
				rises++
			}
			before = now
		}
	}
	if rises > 0 {
		t.Errorf("%d rises while a host flips every 25 intervals", rises)
	}
	p.down[2] = true
	p.beats(16 + flipPatience*16)
	if got := p.written()[:2]; got != "22" {
		t.Errorf("after it has gone for good: %s, want 22", got)
	}
	p.down[2] = false
	p.beats(2)
	if got := p.written(); got != "111" || p.beat() != 0 {
		t.Errorf("two intervals after it has come back: %s, want 111", got)
	}
	if a := p.hosts[0].agreement(); !a.Limited || a.By != 2 {
		t.Errorf("limited: %+v, want by host 2", a)
	}
}

// TestApartNobodyIsDisturbed: a host without a common version is not read, names no version, and is told apart.
func TestApartNobodyIsDisturbed(t *testing.T) {
	p := makeParley(r(1, 2), r(2, 3), r(3, 4))
	p.down[2] = true
	p.beats(40)
	p.down[2] = false
	p.beats(40)
	if got := p.written(); got[:2] != "22" {
		t.Errorf("written in %s, want 22 by those that were there", got)
	}
	if s := p.hosts[1].speakers()[2]; !s.Apart || s.With != 0 {
		t.Errorf("host 1 takes host 2 for %+v, want it apart from host 0", s)
	}
	if s := p.hosts[0].speakers()[2]; !s.Apart || s.With != 0 {
		t.Errorf("host 0 takes host 2 for %+v, want it apart from itself", s)
	}
	p.restart(0, r(2, 3))
	p.beats(40)
	if got := p.written()[:2]; got != "33" {
		t.Errorf("after the upgrade of host 0: %s, want 33", got)
	}
	if s := p.hosts[1].speakers()[2]; s.Apart {
		t.Errorf("host 1 still refuses host 2: %+v", s)
	}
}

func TestFarewellEndsALimit(t *testing.T) {
	p := makeParley(r(1, 2), r(1, 2), r(1, 1))
	p.beats(40)
	p.down[2] = true
	p.hosts[0].forget(2, p.boots[2])
	p.beat()
	if a := p.hosts[0].agreement(); a.Limited {
		t.Errorf("limited by a host that has left: %+v", a)
	}
	if !p.hosts[0].hear(2, p.boots[2], Language{Speaks: r(1, 1), Written: 1}, p.now) {
		t.Error("a late heartbeat that can be read is called foreign")
	}
	if a := p.hosts[0].agreement(); a.Limited {
		t.Error("a late heartbeat of a boot that has left limits again")
	}
}

// TestNegotiationSettles: whatever happens before, once it is quiet for long enough all hosts that hear each other and have a
// version in common write in the highest of those, and each can read all others.
func TestNegotiationSettles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const hosts = 4
		build := func() Range {
			lowest := rapid.Uint8Range(1, 2).Draw(t, "lowest")
			return Range{lowest, lowest + rapid.Uint8Range(1, 2).Draw(t, "more")} // 2 is common to all
		}
		p := makeParley(build(), build(), build(), build())
		for range rapid.IntRange(0, 12).Draw(t, "happenings") {
			id := rapid.IntRange(0, hosts-1).Draw(t, "host")
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				p.restart(id, build())
			case 1:
				p.down[id] = !p.down[id]
			case 2:
				side := rapid.IntRange(0, 1<<hosts-1).Draw(t, "side")
				p.cut = func(from, to int) bool { return side>>from&1 != side>>to&1 }
			case 3:
				p.cut = func(from, to int) bool { return from == id } // heard by nobody, and hears all
			}
			p.beats(rapid.IntRange(1, 30).Draw(t, "intervals"))
		}
		p.cut = func(_, _ int) bool { return false }
		want := uint8(9)
		for id := range p.hosts {
			if p.down[id] {
				p.restart(id, build())
			}
			want = min(want, p.hosts[id].own.Highest)
		}
		if p.beats(3); p.beats(10) > 0 {
			t.Error("three intervals after all hear each other, somebody cannot read somebody")
		}
		p.beats(16 + flipPatience*16)
		for id, h := range p.hosts {
			if got := h.agreement().Version; got != want {
				t.Errorf("host %d writes in %d, want %d", id, got, want)
			}
		}
	})
}
