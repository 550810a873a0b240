package standing

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/muster-ha/muster/internal/register"
)

// TestHostVerbs: every verb in every state.
func TestHostVerbs(t *testing.T) {
	started, draining := Host{}, Host{State: Draining}
	stopped, suspended := Host{State: Stopped}, Host{State: Suspended}
	late := Host{State: Draining, Deadline: time.Minute}
	for _, tc := range []struct {
		from                              Host
		drain, stop, start, suspend, back Host
		refused                           bool
	}{
		{started, late, stopped, started, suspended, started, false},
		{draining, late, stopped, started, suspended, started, false},
		{late, late, stopped, started, suspended, started, false},
		{stopped, stopped, stopped, started, suspended, started, false},
		{suspended, suspended, suspended, suspended, suspended, started, true},
	} {
		for verb, want := range map[Verb]Host{Drain: tc.drain, Stop: tc.stop, Start: tc.start, Suspend: tc.suspend, Resume: tc.back} {
			t.Run(fmt.Sprint(tc.from.Value(), " ", verb), func(t *testing.T) {
				got, err := tc.from.After(verb, time.Minute)
				refused := tc.refused && verb != Suspend && verb != Resume
				if got != want || errors.Is(err, ErrSuspended) != refused {
					t.Errorf("%+v, %v; want %+v", got, err, want)
				}
			})
		}
	}
	if _, err := started.After("dance", 0); err == nil {
		t.Error("an unknown verb is no error")
	}
}

func TestHostServesAndCloses(t *testing.T) {
	for state, want := range map[HostState][2]bool{Started: {true, false}, Draining: {false, false}, Stopped: {false, true}, Suspended: {false, true}} {
		h := Host{State: state}
		if got := [2]bool{h.Serves(), h.Closes()}; got != want {
			t.Errorf("%v: serves and closes %v, want %v", state, got, want)
		}
	}
}

func TestLeftIsBoundedWhateverTheClocksSay(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	h := Host{State: Draining, Deadline: time.Minute, Set: Set{At: at}}
	for _, tc := range []struct {
		name  string
		after time.Duration
		want  time.Duration
	}{
		{"at once", 0, time.Minute}, {"on the way", 20 * time.Second, 40 * time.Second}, {"over", time.Hour, 0},
		{"a clock that is behind", -time.Hour, time.Minute},
	} {
		if got := h.Left(at.Add(tc.after)); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

// TestValuesOfOtherVersions: what cannot be read is no order, and what is said beyond a known word does not hide it.
func TestValuesOfOtherVersions(t *testing.T) {
	for value, want := range map[string]HostState{"": Started, "started": Started, "asleep": Started, "draining": Draining, "draining soon": Draining,
		"draining -1s": Draining, "draining 1000h": Draining, "stopped": Stopped, "stopped by the moon": Stopped, "suspended": Suspended, "Suspended": Started} {
		s := register.New(0)
		if err := s.Put(HostKey("b"), value, time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
		if got := Read(s.Values("")).Host("b"); got.State != want || got.Deadline != 0 {
			t.Errorf("%q is %+v, want %v", value, got, want)
		}
	}
}

// board is a register with the orders in it, as an agent uses them.
type board struct {
	t   interface{ Fatal(...any) }
	set *register.Set
}

func (b board) rule(r Rule, host string, state RuleState) {
	for _, c := range Read(b.set.Values("")).Changes(r, host, state) {
		err := b.set.Delete(c.Key, time.Unix(1, 0))
		if !c.Delete {
			err = b.set.Put(c.Key, c.Value, time.Unix(1, 0))
		}
		if err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b board) on(host string, r Rule) RuleState {
	return Read(b.set.Values("")).RuleOn(host, func(o Rule) bool { return o == r }).State
}

// TestRuleOrders: an order for one host wins over one for all, and a new one for all replaces all.
func TestRuleOrders(t *testing.T) {
	web, dns := Rule{VIP: "web", Port: 80}, Rule{VIP: "web", Port: 80, UDP: true}
	type step struct {
		host  string
		state RuleState
	}
	for _, tc := range []struct {
		name  string
		steps []step
		want  [2]RuleState // on a and b
		kept  int
	}{
		{"nothing", nil, [2]RuleState{Enabled, Enabled}, 0},
		{"all", []step{{"", Disabled}}, [2]RuleState{Disabled, Disabled}, 1},
		{"one", []step{{"b", Drained}}, [2]RuleState{Enabled, Drained}, 1},
		{"all but one", []step{{"", Disabled}, {"b", Enabled}}, [2]RuleState{Disabled, Enabled}, 2},
		{"one, then all", []step{{"b", Drained}, {"", Disabled}}, [2]RuleState{Disabled, Disabled}, 1},
		{"one and back", []step{{"b", Drained}, {"b", Enabled}}, [2]RuleState{Enabled, Enabled}, 0},
		{"all and back", []step{{"b", Drained}, {"", Disabled}, {"a", Enabled}, {"", Enabled}}, [2]RuleState{Enabled, Enabled}, 0},
		{"milder for one", []step{{"", Disabled}, {"a", Drained}}, [2]RuleState{Drained, Disabled}, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := board{t, register.New(0)}
			for _, s := range tc.steps {
				b.rule(web, s.host, s.state)
			}
			if got := [2]RuleState{b.on("a", web), b.on("b", web)}; got != tc.want || len(b.set.Values("")) != tc.kept {
				t.Errorf("%v with %d values kept, want %v with %d", got, len(b.set.Values("")), tc.want, tc.kept)
			}
			if b.on("a", dns) != Enabled {
				t.Error("UDP of the same port is touched")
			}
		})
	}
}

// TestStricterOfTwoOrdersCounts: two orders name one rule by different ports.
func TestStricterOfTwoOrdersCounts(t *testing.T) {
	b := board{t, register.New(0)}
	b.rule(Rule{VIP: "web", Port: 80}, "", Drained)
	b.rule(Rule{VIP: "web", Port: 443}, "", Disabled)
	if got := Read(b.set.Values("")).RuleOn("a", func(Rule) bool { return true }); got.State != Disabled || got.Rule.Port != 443 {
		t.Errorf("%+v", got)
	}
}

// TestOrdersAreReadAsWritten: whatever the names, keys keep the limits of the common values and say what was meant.
func TestOrdersAreReadAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[a-z0-9][a-z0-9-]{0,61}[a-z0-9]`)
		want := RuleOrder{Rule: Rule{VIP: name.Draw(t, "VIP"), Port: rapid.Uint16().Draw(t, "port"), UDP: rapid.Bool().Draw(t, "UDP")},
			State: RuleState(rapid.IntRange(1, 2).Draw(t, "state"))}
		if rapid.Bool().Draw(t, "one host") {
			want.Host = name.Draw(t, "host")
		}
		b := board{t, register.New(3)}
		b.rule(want.Rule, want.Host, want.State)
		want.Set = Set{3, time.Unix(1, 0)}
		if got := Read(b.set.Values("")).Rules; !slices.Equal(got, []RuleOrder{want}) {
			t.Fatalf("%+v, want %+v", got, want)
		}
		key := RuleKey(want.Rule, want.Host)
		if _, about, ok := About(key); !ok || about != want.Rule.String() {
			t.Fatalf("%s is about %q", key, about)
		}
		if host, _, ok := About(HostKey(want.Rule.VIP)); !ok || host != want.Rule.VIP {
			t.Fatalf("about host %q", host)
		}
	})
}

// FuzzRead: common values come from the network and a file: anything may stand in them.
func FuzzRead(f *testing.F) {
	f.Add("host/b", "draining 5m0s")
	f.Add("rule/web/443/tcp", "disabled")
	f.Add(RuleKey(Rule{VIP: "web", Port: 53, UDP: true}, "b"), "drained b")
	f.Fuzz(func(t *testing.T, key, value string) {
		o := Read([]register.Entry{{Key: key, Value: value}})
		for name, h := range o.Hosts {
			if again, ok := parseHost(h.Value()); HostKey(name) != key || !ok || again.State != h.State || again.Deadline != h.Deadline || again.Why != h.Why {
				t.Errorf("%q %q is read as %+v of %s, and then as %+v", key, value, h, name, again)
			}
		}
		for _, r := range o.Rules {
			if RuleKey(r.Rule, r.Host) != key || r.value() != value {
				t.Errorf("%q %q is read as %+v", key, value, r)
			}
		}
		About(key)
	})
}
