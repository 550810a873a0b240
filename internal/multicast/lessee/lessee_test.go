package lessee

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-ha/muster/internal/multicast"
	"github.com/muster-ha/muster/madcap"
)

// TestLifeOfALease: obtained by one host, renewed and given back by another one, which knows no more than the cluster state.
func TestLifeOfALease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *madcap.ServerConfig) { c.MaxTime, c.OwnerOnly = time.Hour, true })
		l, err := Obtain(t.Context(), w.client(t), wish())
		if err != nil {
			t.Fatal(err)
		}
		if !netip.MustParsePrefix("239.255.0.0/16").Contains(l.Address) || l.Server != serverAt || l.Expires.Sub(l.Obtained) != time.Hour || !l.Shared {
			t.Errorf("lease %v", l)
		}
		known, err := multicast.ParseLease(l.String())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Minute)
		renewed, err := Renew(t.Context(), w.client(t), known)
		if err != nil || renewed.Address != l.Address || renewed.ID != l.ID || renewed.Expires.Sub(l.Expires) != 30*time.Minute || !renewed.Shared {
			t.Errorf("renewed %v, %v", renewed, err)
		}
		if err := Release(t.Context(), w.client(t), renewed); err != nil || len(w.server.Leases()) != 0 {
			t.Errorf("release: %v; the server has %v", err, w.server.Leases())
		}
		_, err = Renew(t.Context(), w.client(t), renewed)
		var refused *madcap.RefusedError
		if !errors.As(err, &refused) || refused.Failure.ErrorCode != madcap.LeaseNotRecognized {
			t.Errorf("renewed although it was given back: %v", err)
		}
	})
}

// TestAddressesToAvoidAreGivenBack: they are kept until there is a better one.
func TestAddressesToAvoidAreGivenBack(t *testing.T) {
	pool := func(last string) func(*madcap.ServerConfig) {
		return func(c *madcap.ServerConfig) {
			c.Scopes[0].Pools = []madcap.Span{{First: address("239.255.8.1"), Last: address(last)}}
			c.Extra = -1
		}
	}
	avoid := multicast.Avoid(nil, []netip.Addr{address("239.127.8.1"), address("239.127.8.2")})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, pool("239.255.8.3"))
		l, err := Obtain(t.Context(), w.client(t), Wish{multicast.Administrative(), avoid})
		if err != nil || l.Address != address("239.255.8.3") {
			t.Errorf("lease %v, %v", l, err)
		}
		if n := len(w.server.Leases()); n != 1 {
			t.Errorf("%d leases are kept", n)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, pool("239.255.8.2"))
		if l, err := Obtain(t.Context(), w.client(t), Wish{multicast.Administrative(), avoid}); err == nil {
			t.Errorf("lease %v", l)
		}
		if n := len(w.server.Leases()); n != 0 {
			t.Errorf("%d leases are kept", n)
		}
	})
}

// TestTheBetterOfTwoServers: when several have the local scope, all are asked for offers.
func TestTheBetterOfTwoServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *madcap.ServerConfig) { c.MaxTime = time.Minute })
		w.other = newWorld(t, func(c *madcap.ServerConfig) { c.ID = address("192.0.2.2") })
		l, err := Obtain(t.Context(), w.client(t), wish())
		if err != nil || l.Server != address("192.0.2.2") || w.messages(madcap.TypeDiscover) != 1 {
			t.Errorf("lease %v, %v after %d messages", l, err, w.messages(madcap.TypeDiscover))
		}
	})
}

// TestScopes: the smallest that will do comes first, cut to what the configuration allows.
func TestScopes(t *testing.T) {
	scope := func(first, last string, ttl uint8) madcap.Scope {
		return madcap.Scope{First: address(first), Last: address(last), TTL: ttl}
	}
	local, site := scope("239.255.0.0", "239.255.255.255", 16), scope("239.192.0.0", "239.195.255.255", 32)
	global := scope("224.0.1.0", "238.255.255.255", 255)
	wide := multicast.Administrative()
	narrow := multicast.Range{First: address("239.255.7.0"), Last: address("239.255.7.9")}
	for _, tc := range []struct {
		name    string
		scopes  []madcap.Scope
		allowed multicast.Range
		want    string
	}{
		{"none", nil, wide, ""},
		{"the smallest first", []madcap.Scope{site, local}, wide, "239.255.0.0 239.192.0.0"},
		{"the global scope is nobody's own", []madcap.Scope{local, global}, wide, "239.255.0.0"},
		{"twice", []madcap.Scope{local, local}, wide, "239.255.0.0"},
		{"two of a size stay in order", []madcap.Scope{scope("239.2.0.0", "239.2.0.9", 1), scope("239.1.0.0", "239.1.0.9", 1)}, wide, "239.2.0.0 239.1.0.0"},
		{"no datagram may go there", []madcap.Scope{scope("239.1.0.0", "239.1.0.9", 0)}, wide, ""},
		{"IPv6", []madcap.Scope{scope("ff05::", "ff05::ffff", 9)}, wide, ""},
		{"cut to a range", []madcap.Scope{site, local}, narrow, "239.255.0.0[239.255.7.0+10]"},
		{"cut to the end of the scope", []madcap.Scope{scope("239.255.7.5", "239.255.8.0", 9)}, narrow, "239.255.7.5[239.255.7.5+5]"},
		{"cut to what a message can name", []madcap.Scope{scope("238.0.0.0", "239.255.255.255", 9)}, wide, "238.0.0.0[239.0.0.0+65535]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			for _, c := range candidates([]madcap.ServerInfo{{Scopes: tc.scopes}}, tc.allowed) {
				text := c.First.String()
				for _, r := range c.want {
					text += fmt.Sprintf("[%v+%d]", r.First, r.Count)
				}
				got = append(got, text)
			}
			if s := strings.Join(got, " "); s != tc.want {
				t.Errorf("got %s, want %s", s, tc.want)
			}
		})
	}
}

// TestWhomToAsk: all servers for offers, or, for a scope within the local one, the one that has it.
func TestWhomToAsk(t *testing.T) {
	scope := func(first, last string) madcap.Scope {
		return madcap.Scope{First: address(first), Last: address(last), TTL: 1}
	}
	for _, tc := range []struct {
		name  string
		scope madcap.Scope
		want  netip.Addr
	}{
		{"local", madcap.LocalScope(madcap.IPv4), netip.Addr{}},
		{"within the local", scope("239.255.1.0", "239.255.1.9"), serverAt},
		{"another", scope("239.192.0.0", "239.195.255.255"), netip.Addr{}},
		{"around the local", scope("239.254.0.0", "239.255.255.255"), netip.Addr{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			list := candidates([]madcap.ServerInfo{{Server: serverAt, Scopes: madcap.ScopeList{tc.scope}}}, multicast.Administrative())
			if len(list) != 1 || list[0].server != tc.want {
				t.Errorf("got %v", list)
			}
		})
	}
}

// TestWhatIsGrantedForLaterIsGivenBack: a server without a free address may promise one for tomorrow, which is no use.
func TestWhatIsGrantedForLaterIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *madcap.ServerConfig) {
			c.Scopes = []madcap.ServedScope{{Scope: madcap.Scope{First: address("239.255.1.0"), Last: address("239.255.1.0"), TTL: 1}}}
			c.Extra = -1
		})
		first, err := Obtain(t.Context(), w.client(t), wish())
		if err != nil {
			t.Fatal(err)
		}
		if l, err := Obtain(t.Context(), w.client(t), wish()); err == nil || !strings.Contains(err.Error(), "too late") {
			t.Errorf("lease %v, %v", l, err)
		}
		if all := w.server.Leases(); len(all) != 1 || all[0].ID != first.ID {
			t.Errorf("the server keeps %v", all)
		}
	})
}

func TestARangeOfTheFileBoundsLeases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := multicast.Range{First: address("239.255.7.9"), Last: address("239.255.7.9")}
		l, err := Obtain(t.Context(), newWorld(t).client(t), Wish{r, nobody})
		if err != nil || l.Address != r.First {
			t.Errorf("lease %v, %v", l, err)
		}
		elsewhere := multicast.Range{First: address("224.1.0.0"), Last: address("224.1.0.9")}
		_, err = Obtain(t.Context(), newWorld(t).client(t), Wish{elsewhere, nobody})
		if !errors.Is(err, ErrNoScope) || !strings.Contains(err.Error(), "they have 239.255.0.0 to 239.255.255.255; addresses from 224.1.0.0 to 224.1.0.9 are allowed") {
			t.Errorf("error %v", err)
		}
	})
}

// TestARefusedScopeIsFollowedByTheNext: a server that has no address left in the smallest scope has some in the next.
func TestARefusedScopeIsFollowedByTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		small := madcap.Scope{First: address("239.255.1.0"), Last: address("239.255.1.9"), TTL: 1}
		w := newWorld(t, func(c *madcap.ServerConfig) {
			c.Scopes = append([]madcap.ServedScope{{Scope: small, Pools: []madcap.Span{{First: small.First, Last: small.First}}}}, c.Scopes...)
		})
		first, err := Obtain(t.Context(), w.client(t), wish())
		if err != nil || first.Address != small.First {
			t.Fatalf("lease %v, %v", first, err)
		}
		second, err := Obtain(t.Context(), w.client(t), wish())
		if err != nil || second.Scope != address("239.255.0.0") {
			t.Errorf("lease %v, %v", second, err)
		}
	})
}

func TestGivingUpEndsAnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.mute = true
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		begun := time.Now()
		if _, err := Obtain(ctx, w.client(t), wish()); err == nil || time.Since(begun) != 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
	})
}
