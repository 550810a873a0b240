package agent_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/lab"
)

// TestParamsSayWhatIsInUse: item 5 of the issue. Every parameter has its value with where it comes from: the file, a default, the hosts' agreement, or somebody's hand.
func TestParamsSayWhatIsInUse(t *testing.T) {
	l := farm(t, "")
	a, b := l.Host("a"), l.Host("b")
	by(t, a, "multicast", "239.255.", true, 2, 2, 2)
	muster(t, a, "host", "drain", "c")
	muster(t, b, "rule", "drain", "web:443", "--host", "b")
	muster(t, b, "network", "set", "lan", "madcap=false")
	var p api.Params
	if err := json.Unmarshal([]byte(muster(t, b, "params", "--json")), &p); err != nil {
		t.Fatal(err)
	}
	for _, want := range []api.EffectiveParameter{
		{About: "cluster", Name: "cluster", Value: "shop", Source: api.FromFile},
		{About: "cluster", Name: "heartbeat.interval", Value: "20ms", Source: api.FromDefault},
		{About: "cluster", Name: "multicast.disabled", Value: "false", Source: api.FromDefault},
		{About: "host a", Name: "weight", Value: "1", Source: api.FromDefault},
		{About: "host a", Name: "order", Value: "started", Source: api.FromDefault},
		{About: "host c", Name: "order", Value: "draining", Source: api.FromOverride, SetOn: "a", Undo: "muster host resume c"},
		{About: "VIP web", Name: "delivery", Value: "directed", Source: api.FromFile},
		{About: "rule web:7", Name: "ports", Value: "80, 443, 7", Source: api.FromFile},
		{About: "rule web:7", Name: "quorum", Value: "none", Source: api.FromDefault},
		{About: "rule web:7", Name: "order", Value: "drained", Source: api.FromOverride, SetOn: "b", Undo: "muster rule enable web:7 --host b"},
		{About: "check web", Name: "fall", Value: "2", Source: api.FromFile},
		{About: "network lan", Name: "madcap", Value: "false", Source: api.FromOverride, SetOn: "b", Undo: "muster network set lan madcap="},
		{About: "network lan", Name: "config-type", Value: "self-selected (2)", Source: api.FromCluster},
	} {
		i := slices.IndexFunc(p.Parameters, func(e api.EffectiveParameter) bool { return e.About == want.About && e.Name == want.Name })
		if i < 0 {
			t.Errorf("%s of %s is not there", want.Name, want.About)
			continue
		}
		got := p.Parameters[i]
		if (got.SetAt != nil) != (want.Source == api.FromOverride) {
			t.Errorf("%+v: set at %v", got, got.SetAt)
		}
		if got.SetAt = nil; got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	if err := json.Unmarshal([]byte(muster(t, a, "params", "c", "--json")), &p); err != nil {
		t.Fatal(err)
	}
	for _, e := range p.Parameters {
		if e.About == "host a" || e.About == "rule web:7" && e.Name == "order" && e.Value != "enabled" {
			t.Errorf("asked on a about c: %+v", e)
		}
	}
	if code, said := exit(t, a, "params", "z"); code != 1 || said == "" {
		t.Errorf("no such host: exit code %d, %q", code, said)
	}
}

// TestOrdersBesideAnOlderVersion: where a host has a version without common values, draining goes as that version knows it, and what it does not know is refused with what to
// do, for every host but the own one.
func TestOrdersBesideAnOlderVersion(t *testing.T) {
	previous := generation(t, "muster_previous")
	l := machines(t, lab.Options{Hosts: 3, Clients: 1})
	a, b, c := l.Host("a"), l.Host("b"), l.Host("c")
	if err := errors.Join(l.StartWeb(), a.Start(), b.StartBuild(previous), c.Start()); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
	for _, tc := range []struct {
		args []string
		says string
	}{
		{[]string{"host", "stop", "c"}, "upgrade it first, or give the order on host c itself"},
		{[]string{"host", "drain", "b", "--deadline", "1m"}, "upgrade it first"},
		{[]string{"rule", "drain", "web:80"}, "host b has a version that knows of no orders about rules"},
	} {
		if code, said := exit(t, a, tc.args...); code != 1 || !strings.Contains(said, tc.says) {
			t.Errorf("%v: exit code %d, %q", tc.args, code, said)
		}
	}
	muster(t, a, "host", "drain", "b")
	drained(t, c, "b")
	muster(t, b, "host", "drain", "c")
	drained(t, a, "c")
	mustServe(t, l, "a")
	muster(t, a, "host", "resume", "b")
	muster(t, b, "host", "start", "c")
	ready(t, l)
	if code, said := exit(t, c, "host", "stop", "c"); code != 1 || !strings.Contains(said, "not every host that is heard has confirmed the order (a, b)") {
		t.Errorf("an order that cannot travel: exit code %d, %q", code, said)
	}
	isState(t, c, "c", api.StateStopped)
	mustServe(t, l, "a", "b")
	if h := hostIn(status(t, a), "c"); h.State != api.StateDrained || h.Weight != 0 {
		t.Errorf("a, which cannot hear of the order, says %+v", h)
	}
}
