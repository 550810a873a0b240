package lab_test

import (
	"context"
	"testing"

	"github.com/muster-ha/muster/internal/lab"
)

// TestFarHostsAreBehindARouter: they are reached through it, come back from a power cut where they were, and nothing is left of the lab.
func TestFarHostsAreBehindARouter(t *testing.T) {
	l := up(t, lab.Options{Hosts: 2, Far: 1, Clients: 1})
	if err := l.StartWeb(); err != nil {
		t.Fatal(err)
	}
	if got := l.Host("b").Address().String(); got != "10.88.0.2" {
		t.Errorf("the far host is at %s", got)
	}
	mustReach(t, l, "c1", "b")
	mustReach(t, l, "a", "b")
	mustReach(t, l, "b", "a")
	if _, err := l.Host("b").PowerCut(); err != nil {
		t.Fatal(err)
	}
	mustNotReach(t, l, "c1", "b")
	if err := l.Host("b").PowerOn(); err != nil {
		t.Fatal(err)
	}
	mustReach(t, l, "c1", "b")
	again, err := lab.Open(l.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if again.Router() == nil || again.Host("router") != nil {
		t.Error("a lab that is opened again has lost its router, or takes it for a host")
	}
}

func TestLabsThatHaveNoFarHosts(t *testing.T) {
	for _, o := range []lab.Options{{Hosts: 2, Far: 2}, {Hosts: 2, Far: -1}, {Hosts: 3, Far: 1, Networks: 1}} {
		if l, err := lab.Up(context.Background(), o); err == nil {
			t.Errorf("%+v: no error", o)
			_ = l.Down()
		}
	}
	l := up(t, lab.Options{Hosts: 1})
	if l.Router() != nil || l.Narrow(1400) == nil {
		t.Error("a lab without far hosts has a router")
	}
}
