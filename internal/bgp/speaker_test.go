package bgp

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

var (
	four = netip.MustParsePrefix("203.0.113.10/32")
	six  = netip.MustParsePrefix("2001:db8:1::10/128")
)

func TestAddressesAreAnnouncedToRoutersOfTheirFamilyAndWithdrawn(t *testing.T) {
	t.Parallel()
	r4, r6 := startRouter(t, "192.0.2.254", 1790, ownAS, ""), startRouter(t, "2001:db8::fe", 1790, ownAS, "")
	s, heard := speaker(t, r4.neighbour("r4"), r6.neighbour("r6"))
	s.Announce([]netip.Prefix{four, six})
	r4.hears(t, "203.0.113.10/32 via 192.0.2.1")
	r6.hears(t, "2001:db8:1::10/128 via 2001:db8::1")
	if x := s.session(t, "r6", up); len(x.Announced) != 1 || x.Announced[0] != six || x.Since.IsZero() {
		t.Errorf("session with r6: %+v", x)
	}
	s.Announce([]netip.Prefix{six})
	r4.hears(t)
	r6.hears(t, "2001:db8:1::10/128 via 2001:db8::1")
	s.Announce(nil)
	r6.hears(t)
	s.Announce([]netip.Prefix{four})
	r4.hears(t, "203.0.113.10/32 via 192.0.2.1")
	if list := heard.all(); len(list) != 2 || !list[0].Up || !list[1].Up {
		t.Errorf("told of %+v, want each session once", list)
	}
	s.Close()
	r4.hears(t)
}

func TestChangeOfOneRouterLeavesTheOtherSessionAlone(t *testing.T) {
	t.Parallel()
	one, two := startRouter(t, "192.0.2.254", 1791, ownAS, ""), startRouter(t, "192.0.2.253", 1791, ownAS, "")
	s, heard := speaker(t, one.neighbour("one"))
	s.Announce([]netip.Prefix{four})
	one.hears(t, "203.0.113.10/32 via 192.0.2.1")
	since := s.session(t, "one", up).Since
	s.Set(peering(one.neighbour("one"), two.neighbour("two")))
	two.hears(t, "203.0.113.10/32 via 192.0.2.1")
	changed := two.neighbour("two")
	changed.HoldTime = 9 * time.Second
	s.Set(peering(one.neighbour("one"), changed))
	s.session(t, "two", up)
	two.hears(t, "203.0.113.10/32 via 192.0.2.1")
	s.Set(peering(one.neighbour("one")))
	two.hears(t)
	if x := s.session(t, "one", up); x.Since != since {
		t.Errorf("the session that stays is of %v, was of %v", x.Since, since)
	}
	for _, c := range heard.all() {
		if c.Neighbor == "one" && !c.Up {
			t.Errorf("the session that stays went: %+v", c)
		}
	}
	s.Set(Peering{})
	one.hears(t)
	if left := s.Sessions(); len(left) > 0 {
		t.Errorf("sessions that nobody wants: %+v", left)
	}
}

func TestWhatAHostileRouterSaysIsRefusedAndBounded(t *testing.T) {
	t.Parallel()
	bad, good := startRouter(t, "192.0.2.254", 1792, ownAS, ""), startRouter(t, "192.0.2.253", 1792, ownAS, "")
	bad.say(t, maxRoutes/2)
	s, _ := speaker(t, bad.neighbour("bad"), good.neighbour("good"))
	s.Announce([]netip.Prefix{four})
	bad.hears(t, "203.0.113.10/32 via 192.0.2.1")
	good.hears(t, "203.0.113.10/32 via 192.0.2.1") // and nothing of what the other says: this host is no transit
	bad.say(t, maxRoutes+1)
	x := s.session(t, "bad", func(s Session) bool { return !s.Up && strings.Contains(s.Why, "more than 1000 routes") })
	if !strings.Contains(x.Remedy, "no routes") {
		t.Errorf("remedy: %s", x.Remedy)
	}
	good.hears(t, "203.0.113.10/32 via 192.0.2.1")
	s.mu.Lock()
	s.sessions[bad.at].flooded = time.Now().Add(-cutOff)
	s.mu.Unlock()
	if err := bad.DeletePath(allOf()); err != nil {
		t.Fatal(err)
	}
	s.session(t, "bad", up)
	bad.hears(t, "203.0.113.10/32 via 192.0.2.1")
}

func TestPasswordOfASession(t *testing.T) {
	t.Parallel()
	r := startRouter(t, "192.0.2.254", 1793, ownAS, "correct horse")
	n := r.neighbour("tor1")
	n.Password = "battery staple"
	s, heard := speaker(t, n)
	x := s.session(t, "tor1", func(s Session) bool { return strings.Contains(s.Why, "does not answer") })
	if x.Up || !strings.Contains(x.Remedy, "password") || strings.Contains(x.Why+x.Remedy, "staple") {
		t.Errorf("a wrong password: %+v", x)
	}
	n.Password = "correct horse"
	s.Set(peering(n))
	s.Announce([]netip.Prefix{four})
	r.hears(t, "203.0.113.10/32 via 192.0.2.1")
	if list := heard.all(); len(list) != 1 {
		t.Errorf("told of %+v", list)
	}
}

func TestWhyThereIsNoSession(t *testing.T) {
	t.Parallel()
	wrongAS := startRouter(t, "192.0.2.254", 1794, ownAS+7, "")
	nobody := wrongAS.neighbour("nobody")
	nobody.Address, nobody.port = netip.MustParseAddr("192.0.2.253"), 1795
	other := startRouter(t, "2001:db8::fe", 1794, ownAS, "").neighbour("other-as-here")
	other.AS++
	s, _ := speaker(t, wrongAS.neighbour("other-as-there"), other, nobody)
	if x := s.session(t, "nobody", func(s Session) bool { return s.Remedy != "" }); !strings.Contains(x.Why, "refuses connections") {
		t.Errorf("nobody listens: %+v", x)
	}
	for name, why := range map[string]string{"other-as-here": "AS numbers differ", "other-as-there": "refuses what this host says"} {
		x := s.session(t, name, func(s Session) bool { return s.Remedy != "" })
		if !strings.Contains(x.Why, why) || !strings.Contains(x.Remedy, "AS") && !strings.Contains(x.Remedy, "`as`") {
			t.Errorf("another AS: %+v, want %q", x, why)
		}
	}
}

func TestRouterThatGoesAndComesBack(t *testing.T) {
	t.Parallel()
	r := startRouter(t, "192.0.2.254", 1796, ownAS, "")
	s, heard := speaker(t, r.neighbour("tor1"))
	s.Announce([]netip.Prefix{four})
	s.session(t, "tor1", up)
	r.Stop()
	x := s.session(t, "tor1", func(s Session) bool { return !s.Up })
	if x.Why == "" || x.Since.IsZero() {
		t.Errorf("a session that went: %+v", x)
	}
	again := startRouter(t, "192.0.2.254", 1796, ownAS, "")
	again.hears(t, "203.0.113.10/32 via 192.0.2.1")
	s.session(t, "tor1", up)
	if list := heard.all(); len(list) != 3 || !list[0].Up || list[1].Up || list[1].Why == "" || !list[2].Up {
		t.Errorf("told of %+v, want up, down with a reason, up", list)
	}
}
