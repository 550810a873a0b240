package member_test

import (
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/member"
)

func TestAViewWithThePendingConfigurationHasItsAttributes(t *testing.T) {
	const inUse, pending = member.ConfigID(1), member.ConfigID(2)
	now := time.Unix(1000, 0)
	before := member.Attributes{Weight: 1, Ready: 0b01, Director: true}
	after := member.Attributes{Weight: 7, Ready: 0b10, Director: true}
	m := member.New(member.Params{Self: 0, Boot: 9, Hosts: 1, Config: inUse, Attrs: before,
		Timing: member.Timing{Interval: 20 * time.Millisecond, Tolerance: 15, Lease: 10}}, now)
	view := released(t, m.Tick(now.Add(20*time.Millisecond)))
	if view.Config != inUse || view.Members[0].Attributes != before {
		t.Fatalf("first view %+v, want configuration 1 and %+v", view, before)
	}
	m.Released(now, view.ViewID)
	m.Installed(now, view.ViewID)

	now = now.Add(40 * time.Millisecond)
	view = released(t, m.Tick(now).And(m.SetConfigs(now, inUse, pending, after)))
	if view.Config != pending || view.Members[0].Attributes != after {
		t.Fatalf("next view %+v, want configuration 2 and %+v", view, after)
	}
	if out := m.SetConfigs(now, pending, 0, after); len(out.Steps) > 0 {
		t.Errorf("taking it into use asks for %+v, want nothing: the view says all", out.Steps)
	}
	if hb := m.Heartbeat(now, 1); hb.Attrs != after || hb.Config != pending || hb.Pending != 0 || hb.Next != (member.Attributes{}) {
		t.Errorf("then it says %+v, want configuration 2 in use with %+v", hb, after)
	}
}

// released is the view of the release that an output asks for.
func released(t *testing.T, out member.Output) member.View {
	t.Helper()
	for _, s := range out.Steps {
		if s.Phase == member.Release {
			return s.View
		}
	}
	t.Fatalf("no release in %+v", out)
	return member.View{}
}
