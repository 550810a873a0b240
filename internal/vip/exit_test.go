package vip

import (
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// exits looks the exits of a host up.
func (s space) exits(six bool) (list []Exit) {
	s.t.Helper()
	on := s.find()
	s.do(func() (err error) { list, err = Exits(on, six); return err })
	return list
}

func (s space) ip(args string) {
	s.t.Helper()
	s.do(func() error {
		out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput()
		if err != nil {
			s.t.Errorf("ip %s: %s", args, out)
		}
		return err
	})
}

// Each route is missed exactly while it is gone, and what is said to bring it back does.
func TestExitsOfAHost(t *testing.T) {
	t.Parallel() // a cable takes the kernel up to a second
	for _, tt := range []struct {
		name         string
		six          bool
		before, take string
		to           string
	}{
		{"its network", false, "", "route del 10.77.0.0/24", "10.77.0.0/24"},
		{"its network, and a default route is left", false, "route add default via 10.77.0.254", "route del 10.77.0.0/24", "10.77.0.0/24"},
		{"the default route", false, "route add default via 10.77.0.254", "route del default", "0.0.0.0/0"},
		{"a default route with a metric", false, "route add default via 10.77.0.254 metric 77", "route del default", "0.0.0.0/0"},
		{"a default route of two", false, "route add default nexthop via 10.77.0.254 nexthop via 10.77.0.253", "route del default", "0.0.0.0/0"},
		{"its IPv6 network", true, "", "-6 route del fd00:77::/64", "fd00:77::/64"},
		{"the IPv6 default route", true, "-6 route add default via fd00:77::254", "-6 route del default", "::/0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			host, _ := cable(t)
			if tt.before != "" {
				host.ip(tt.before)
			}
			before := host.exits(tt.six)
			i := slices.IndexFunc(before, func(e Exit) bool { return e.To == netip.MustParsePrefix(tt.to) })
			if i < 0 || !before[i].There {
				t.Fatalf("before: %+v", before)
			}
			host.ip(tt.take)
			gone := slices.Clone(before)
			gone[i].There = false
			if gone[i].IsDefault() {
				gone[i].Command = ""
			}
			if got := host.exits(tt.six); !slices.Equal(got, gone) {
				t.Errorf("without it: %+v, want %+v", got, gone)
			}
			host.ip(strings.TrimPrefix(before[i].Command, "ip "))
			if got := host.exits(tt.six); !slices.Equal(got, before) {
				t.Errorf("after the remedy: %+v, want %+v", got, before)
			}
		})
	}
}

func TestExitsThatAreNotMissed(t *testing.T) {
	t.Parallel() // a cable takes the kernel up to a second
	host, _ := cable(t)
	for _, tt := range []struct{ name, make string }{
		{"an address alone", "addr add 10.90.0.1/32 dev eth0"},
		{"a route that is the administrator's", "addr add 10.91.0.1/24 dev eth0 noprefixroute"},
		{"a network in halves", "route add 0.0.0.0/1 via 10.77.0.254"},
		{"a second address on the network", "addr add 10.77.0.9/24 dev eth0"},
		{"no link", "link set eth0 down"},
	} {
		host.ip(tt.make)
		for _, e := range host.exits(false) {
			if e.Due && !e.There || e.To.Addr() == netip.MustParseAddr("10.90.0.0") {
				t.Errorf("%s: %+v", tt.name, e)
			}
		}
	}
}
