package rotation

import (
	"slices"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/wire"
)

var (
	start      = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	testTiming = Timing{Every: time.Hour, Overlap: time.Second, Patience: 5 * time.Second, Rest: 10 * time.Second}
)

const (
	all  = member.Set(1 | 2 | 4)
	one  = wire.KeyID(0x11)
	two  = wire.KeyID(0x22)
	free = wire.KeyID(0x33)
)

// at is a state of three members who are heard and say the same.
func at(after time.Duration, sign, newest wire.KeyID, held ...wire.KeyID) State {
	v := Voice{Heard: true, Sign: sign, Newest: newest}
	return State{Now: start.Add(after), Members: all, Allowed: true, Held: held, Voices: []Voice{v, v, v}}
}

// settled is the responsible host of three who all sign with one.
func settled(t *testing.T) *Machine {
	t.Helper()
	m := New(0, testTiming)
	if do := m.Step(at(0, 0, 0)); !do.Draw || do.Reason != First {
		t.Fatalf("without any key: %+v", do)
	}
	m.Drawn(one, start)
	if m.Step(at(0, 0, one, one)); m.sign != one {
		t.Fatalf("signs with %v though all hold %v", m.sign, one)
	}
	return m
}

func expect(t *testing.T, m *Machine, sign, newest wire.KeyID) {
	t.Helper()
	if s, n := m.Said(); s != sign || n != newest {
		t.Errorf("signs with %v, newest %v; want %v, %v", s, n, sign, newest)
	}
}

func TestResponsibleHostSignsWhenAllHoldTheKey(t *testing.T) {
	m := settled(t)
	m.Order()
	if do := m.Step(at(time.Second, one, one, one)); !do.Draw || do.Reason != Ordered {
		t.Fatalf("ordered: %+v", do)
	}
	m.Drawn(two, start.Add(time.Second))
	s := at(2*time.Second, one, two, one, two)
	s.Voices[2].Newest = one
	if m.Step(s).Turned {
		t.Error("turned although one member does not hold the key")
	}
	expect(t, m, one, two)
	s.Voices[2].Newest = two
	if !m.Step(s).Turned {
		t.Error("not turned although all hold the key")
	}
	expect(t, m, two, two)
}

func TestSilentMemberHoldsUpForPatienceAtMost(t *testing.T) {
	m := settled(t)
	m.Order()
	m.Step(at(0, one, one, one))
	m.Drawn(two, start)
	for after, want := range map[time.Duration]wire.KeyID{testTiming.Patience - 1: one, testTiming.Patience: two} {
		again := *m
		again.Step(at(after, one, one, one, two))
		expect(t, &again, want, two)
	}
}

func TestOthersFollowTheResponsibleHost(t *testing.T) {
	m := New(1, testTiming)
	s := at(0, one, one)
	if do := m.Step(s); do.Want != 1|4 || do.Draw {
		t.Errorf("without the key that others sign with: %+v", do)
	}
	expect(t, m, 0, 0)
	s.Held = []wire.KeyID{one}
	m.Step(s)
	expect(t, m, one, one)
	s.Voices[0].Newest = two
	if do := m.Step(s); do.Want != 1 {
		t.Errorf("without the newest key: %+v", do)
	}
	s.Held = []wire.KeyID{one, two}
	m.Step(s)
	expect(t, m, one, two)
	s.Voices[0].Sign = two
	m.Step(s)
	expect(t, m, two, two)
	s.Voices[0] = Voice{Sign: one, Newest: one} // an old word of a host that is not heard
	m.Step(s)
	expect(t, m, two, two)
}

func TestReasonsToDraw(t *testing.T) {
	for _, tc := range []struct {
		name  string
		after time.Duration
		do    func(m *Machine, s *State)
		want  Reason
	}{
		{"nothing", time.Minute, func(*Machine, *State) {}, ""},
		{"age", time.Hour, func(*Machine, *State) {}, Aged},
		{"not quite the age", time.Hour - 1, func(*Machine, *State) {}, ""},
		{"a shorter age", time.Minute, func(m *Machine, _ *State) { m.SetEvery(time.Minute) }, Aged},
		{"order", time.Second, func(m *Machine, _ *State) { m.Order() }, Ordered},
		{"a member less", testTiming.Rest, func(_ *Machine, s *State) { s.Members = 1 | 2 }, Parted},
		{"a member less too soon", testTiming.Rest - 1, func(_ *Machine, s *State) { s.Members = 1 | 2 }, ""},
		{"a member more", time.Minute, func(_ *Machine, s *State) { s.Members = all | 8 }, ""},
		{"nobody to share with", time.Hour, func(_ *Machine, s *State) { s.Members = 1 }, ""},
		{"no view", time.Hour, func(_ *Machine, s *State) { s.Members = 0 }, ""},
		{"another is responsible", time.Hour, func(m *Machine, _ *State) { m.self = 2 }, ""},
		{"not allowed", time.Hour, func(_ *Machine, s *State) { s.Allowed = false }, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := settled(t)
			s := at(tc.after, one, one, one)
			tc.do(m, &s)
			if do := m.Step(s); do.Reason != tc.want || do.Draw != (tc.want != "") {
				t.Errorf("%+v, want to draw because %q", do, tc.want)
			}
		})
	}
}

func TestMemberThatLeftIsRememberedUntilTheRestIsOver(t *testing.T) {
	m := settled(t)
	s := at(time.Second, one, one, one)
	s.Members = 1 | 2
	if m.Step(s).Draw {
		t.Fatal("drawn too soon")
	}
	s.Now = start.Add(testTiming.Rest)
	if do := m.Step(s); do.Reason != Parted {
		t.Errorf("after the rest: %+v", do)
	}
}

// TestRestartedResponsibleHostTakesOver: it does not draw another key when the members have one.
func TestRestartedResponsibleHostTakesOver(t *testing.T) {
	m := New(0, testTiming)
	if do := m.Step(at(0, one, one)); do.Draw || do.Want != 2|4 {
		t.Fatalf("before it holds the members' key: %+v", do)
	}
	if again := *m; !again.Step(at(testTiming.Patience, one, one)).Draw {
		t.Error("waits for ever for a key that it does not get")
	}
	m.Step(at(time.Second, one, one, one))
	expect(t, m, one, one)
}

func TestOldKeysAreDroppedAfterTheOverlap(t *testing.T) {
	m := settled(t)
	m.Order()
	m.Step(at(0, one, one, one))
	m.Drawn(two, start)
	m.Step(at(0, one, two, one, two))
	late := at(time.Second/2, two, two, one, two)
	late.Voices[1].Sign = one
	m.Step(late)
	for after, want := range map[time.Duration]bool{3*time.Second/2 - 1: false, 3 * time.Second / 2: true} {
		do := m.Step(at(after, two, two, one, two))
		if slices.Contains(do.Drop, one) != want || slices.Contains(do.Drop, two) {
			t.Errorf("after %v: %+v", after, do)
		}
	}
}

func TestKeyOfOneWhoIsHeardIsKept(t *testing.T) {
	m := settled(t)
	s := at(time.Minute, one, one, one, free)
	s.Voices = append(s.Voices, Voice{Heard: true, Sign: free}) // no member
	if do := m.Step(s); len(do.Drop) > 0 {
		t.Errorf("dropped %v", do.Drop)
	}
	s.Now, s.Voices[3].Heard = s.Now.Add(time.Minute), false
	if do := m.Step(s); !slices.Equal(do.Drop, []wire.KeyID{free}) {
		t.Errorf("dropped %v, want %v", do.Drop, free)
	}
}

func TestOlderVersionSendsAllBackToTheBaseKey(t *testing.T) {
	m := settled(t)
	s := at(time.Second, one, one, one)
	s.Allowed = false
	if do := m.Step(s); !do.Turned || do.Want != 0 {
		t.Errorf("not allowed: %+v", do)
	}
	expect(t, m, 0, 0)
	m.Step(at(2*time.Second, 0, 0, one))
	if do := m.Step(at(2*time.Second, 0, 0, one)); !do.Draw {
		t.Errorf("allowed again: %+v", do)
	}
}

func TestNextRotationIsKnown(t *testing.T) {
	m := settled(t)
	if want := start.Add(time.Hour); !m.Due().Equal(want) {
		t.Errorf("due %v, want %v", m.Due(), want)
	}
	if fresh := New(1, testTiming); !fresh.Due().IsZero() || !fresh.Since(one).IsZero() {
		t.Error("a host without keys knows when its key is due")
	}
}

func TestChangeOfSecret(t *testing.T) {
	c := NewChange(0, one, time.Second)
	voices := []SecretVoice{{}, {Heard: true, Sign: one}, {Heard: true, Sign: one}, {Sign: one}}
	step := func(after time.Duration, turned, dropped bool) {
		t.Helper()
		if gotTurned, gotDropped := c.Step(start.Add(after), voices); gotTurned != turned || gotDropped != dropped {
			t.Errorf("after %v: turned %v, dropped %v", after, gotTurned, gotDropped)
		}
	}
	step(0, false, false)
	c.Wish(two)
	voices[1].Other = two
	step(0, false, false)
	if got := c.Waits(voices); got != 4 {
		t.Errorf("waits for %b, want host 2: host 3 is not heard", got)
	}
	voices[2].Sign, voices[2].Other = two, one // it sees that all hold it, and went ahead
	step(0, true, false)
	voices[1] = SecretVoice{Heard: true, Sign: two, Other: one}
	step(time.Second, false, false)
	voices[1].Sign = one // an old word
	step(3*time.Second/2, false, false)
	voices[1].Sign = two
	step(2*time.Second, false, false)
	step(3*time.Second-1, false, false)
	step(3*time.Second, false, true)
	if sign, other := c.Said(); sign != two || other != 0 {
		t.Errorf("signs with %v, holds %v", sign, other)
	}
}

// TestChangeOfSecretIsTakenBack: the old file is put back before the last host had the new one.
func TestChangeOfSecretIsTakenBack(t *testing.T) {
	c := NewChange(0, one, time.Second)
	voices := []SecretVoice{{}, {Heard: true, Sign: one}}
	c.Wish(two)
	c.Step(start, voices)
	c.Wish(one)
	c.Step(start, voices)
	if _, dropped := c.Step(start.Add(time.Second), voices); !dropped {
		t.Error("the secret that was taken back is kept")
	}
	if sign, other := c.Said(); sign != one || other != 0 {
		t.Errorf("signs with %v, holds %v", sign, other)
	}
}
