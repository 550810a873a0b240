package agent_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/lab"
)

// TestARouteThatIsTakenAwayIsToldAndNotPutBack: by a stray command the host loses its way to clients. Each time it says which command mends that, once
// as an event and as a problem for as long as it lasts.
func TestARouteThatIsTakenAwayIsToldAndNotPutBack(t *testing.T) {
	l := machines(t, lab.Options{Hosts: 3, Clients: 1, Config: sixFarm})
	b := l.Host("b")
	ip(t, b.Node, "route", "add", "default", "via", "10.77.0.201")
	ip(t, b.Node, "-6", "route", "add", "default", "via", l.Client(1).Address6().String())
	if err := errors.Join(l.StartWeb(), l.StartAll()); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
	for _, tt := range []struct{ name, take, what, remedy string }{
		{"default", "route del default", "default route", "ip route add default via 10.77.0.201 dev eth0"},
		{"of its network", "route del 10.77.0.0/24 dev eth0", "10.77.0.0/24", "ip route add 10.77.0.0/24 dev eth0 proto kernel scope link src 10.77.0.2"},
		{"default by IPv6", "-6 route del default", "default route", "ip -6 route add default metric 1024 via fd00:77::201 dev eth0"},
		{"of its IPv6 network", "-6 route del fd00:77::/64 dev eth0", "fd00:77::/64", "ip -6 route add fd00:77::/64 dev eth0 proto kernel metric 256"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			routes := routesOf(t, b)
			seen := len(events(t, b, "drift"))
			ip(t, b.Node, strings.Fields(tt.take)...)
			taken, without := time.Now(), routesOf(t, b)
			missed := func(p api.Problem) bool {
				return strings.Contains(p.What, tt.what) && strings.Contains(p.Remedy, "`"+tt.remedy+"`")
			}
			eventually(t, within, "told", func() error {
				if s := status(t, b); !slices.ContainsFunc(s.Problems, missed) {
					return fmt.Errorf("problems %+v", s.Problems)
				}
				return nil
			})
			t.Logf("told after %v", time.Since(taken))
			list := events(t, b, "drift")[seen:]
			if len(list) != 1 || !strings.Contains(list[0].Text, "route taken away") || !strings.Contains(list[0].Text, tt.what) {
				t.Errorf("events %+v", list)
			}
			pass(t, time.Second) // two looks, at which something might be put back or told again
			if now := routesOf(t, b); now != without {
				t.Errorf("changed: %s", differences(without, now))
			}
			if again := events(t, b, "drift")[seen:]; len(again) != 1 {
				t.Errorf("told %d times", len(again))
			}
			ip(t, b.Node, strings.Fields(tt.remedy)[1:]...)
			eventually(t, within, "no problem any more", func() error {
				if s := status(t, b); slices.ContainsFunc(s.Problems, missed) {
					return fmt.Errorf("problems %+v", s.Problems)
				}
				return nil
			})
			if now := routesOf(t, b); now != routes {
				t.Errorf("the remedy made something else: %s", differences(routes, now))
			}
		})
	}
	ready(t, l)
	mustServe(t, l, "a", "b", "c")
	for _, other := range []string{"a", "c"} { // which have no default route, as closed networks have none
		if list := events(t, l.Host(other), "drift"); len(list) > 0 {
			t.Errorf("host %s tells %+v", other, list)
		}
	}
}

// routesOf lists a host's routes of both families.
func routesOf(t *testing.T, h *lab.Host) string {
	t.Helper()
	var all []string
	for _, family := range []string{"-4", "-6"} {
		out, err := h.Exec(t.Context(), "ip", family, "route", "show").CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		for line := range strings.Lines(string(out)) {
			all = append(all, family+" "+strings.TrimSpace(line))
		}
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}
