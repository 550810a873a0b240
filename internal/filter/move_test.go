package filter

import "testing"

func TestDirectedHostsShareConnections(t *testing.T) {
	f := newFarm(t, farmOptions{hosts: 2})
	f.own(shared(2, 0))
	conns, split := f.open(100)
	if split["h0"] < 25 || split["h1"] < 25 {
		t.Errorf("split is %v, want about half each", split)
	}
	if n, err := broken(conns, "again"); n > 0 {
		t.Errorf("%d of %d broken in steady state: %v", n, len(conns), err)
	}
	if f.counters(0).Of(ForwardNew) == 0 || f.counters(1).Of(AcceptNew) == 0 {
		t.Errorf("director forwarded nothing: %v, %v", f.counters(0), f.counters(1))
	}
}
