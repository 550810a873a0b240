package agent_test

import (
	"fmt"
	"testing"

	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/internal/lab/load"
)

// routedEchoes keeps connections open to the routed address.
func routedEchoes(t *testing.T, l *lab.Lab, conns int) *clients {
	t.Helper()
	c := begin(t, l, "echo", "--target", routedEcho, "--conns", fmt.Sprint(conns), "--interval", "100ms")
	eventually(t, patience, "all connections open", func() error {
		if n := c.count(load.Open); n < conns {
			return fmt.Errorf("%d of %d", n, conns)
		}
		return nil
	})
	return c
}

func TestRoutedConnectionsSpreadOverTheHosts(t *testing.T) {
	l, _ := farmBehindRouter(t, "", "")
	split := perHost(routedEchoes(t, l, 300).stop(t), load.Open)
	for _, h := range []string{"a", "b", "c"} {
		if n := split[h]; n < 60 || n > 140 {
			t.Errorf("%v: host %s has %d of 300 connections, want about 100", split, h, n)
		}
	}
	s := status(t, l.Host("a"))
	if len(s.BGP) != 1 || !s.BGP[0].Up || len(s.BGP[0].Announced) != 1 || s.BGP[0].Announced[0] != routedVIP+"/32" {
		t.Errorf("host a says of its routers %+v", s.BGP)
	}
	if len(s.Problems) > 0 {
		t.Errorf("problems: %+v", s.Problems)
	}
	if len(events(t, l.Host("a"), "router_up")) != 1 {
		t.Error("no event of the session")
	}
	for _, h := range l.Hosts() {
		if c := status(t, h).Filter.Counters; c["forward_new"] == 0 || c["forward_owner"] == 0 {
			t.Errorf("host %s forwarded nothing: %v", h.Name(), c)
		}
	}
}
