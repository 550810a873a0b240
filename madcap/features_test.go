package madcap

import (
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestFeatureList(t *testing.T) {
	a := newAsker(t)
	ask := func(n byte, f FeatureList) Message { return a.ask(InRequest, append(leaseOf(n), f)...) }
	tests := []struct {
		name string
		list FeatureList
		done []Feature
	}{
		{"only supported is not used", FeatureList{Supported: []Feature{SharedLeaseID}}, nil},
		{"requested and there", FeatureList{Requested: []Feature{SharedLeaseID}}, []Feature{SharedLeaseID}},
		{"requested and not there is skipped", FeatureList{Requested: []Feature{ServerMobility, 99}}, nil},
		{"required and there", FeatureList{Required: []Feature{SharedLeaseID}}, []Feature{SharedLeaseID}},
	}
	for i, tt := range tests {
		m := ask(byte(i), tt.list)
		checkACK(t, m, InAckToRequest)
		got, ok := Get[FeatureList](m)
		if !ok || !slices.Equal(got.Required, tt.done) || !slices.Equal(got.Supported, []Feature{SharedLeaseID}) {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
	m := ask(9, FeatureList{Required: []Feature{ServerMobility, SharedLeaseID, 99}})
	if f, _ := Get[Failure](m); !slices.Equal(f.Features(), []Feature{ServerMobility, 99}) {
		t.Errorf("required and not there: %v", m)
	}
	if m := a.ask(InRequest, leaseOf(10)...); m.has(OptFeatureList) {
		t.Errorf("features told to a client that did not name any: %v", m)
	}
}

// RFC 2730, section 2.13.3: who knows the identifier of a shared lease may change it.
func TestSharedLeaseID(t *testing.T) {
	a := newAsker(t, func(c *ServerConfig) { c.OwnerOnly = true })
	shared := FeatureList{[]Feature{SharedLeaseID}, nil, []Feature{SharedLeaseID}}
	a.ask(InRequest, leaseOf(1)...)
	a.ask(InRequest, append(leaseOf(2), shared)...)
	owner := a.at
	a.at = netip.MustParseAddrPort("192.0.2.101:40000")
	checkNAK(t, a.ask(InRenew, leaseOf(1)[0]), LeaseNotRecognized, NoOption)
	checkNAK(t, a.ask(InRelease, leaseOf(1)[0]), LeaseNotRecognized, NoOption)
	m := a.ask(InRenew, leaseOf(2)[0], shared)
	checkACK(t, m, InAckToRenew)
	if f, _ := Get[FeatureList](m); !slices.Equal(f.Required, []Feature{SharedLeaseID}) {
		t.Errorf("features %v", f)
	}
	if m := a.ask(InRelease, leaseOf(2)[0]); m.Check(InAckToRelease) != nil {
		t.Errorf("release %v", m)
	}
	a.at = owner
	f, _ := Get[Failure](a.ask(InRenew, leaseOf(1)[0], shared))
	if !slices.Equal(f.Features(), []Feature{SharedLeaseID}) {
		t.Errorf("required for a lease that is not shared: %v", f)
	}
}

// RFC 2730, section 2.13.1: with a common store another server renews and releases, when the feature was used.
func TestServerMobility(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNet()
		store := &MemoryStore{}
		mobile := func(first string) func(*ServerConfig) {
			return func(c *ServerConfig) { c.Mobility, c.Store = true, store; only(first, 10)(c) }
		}
		a, b := testServer(t, serverA, mobile("239.255.1.0")), testServer(t, serverB, mobile("239.255.2.0"))
		stop := n.serve(t, a)
		n.serve(t, b)
		c := testClient(t, n)
		r := Request{Scope: LocalScope(IPv4), Server: serverA, Require: []Feature{ServerMobility}}
		lease, err := c.Lease(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		r.Require = nil
		bound, err := c.Lease(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		stop()
		synctest.Wait()
		renewed, err := c.Renew(t.Context(), lease, Terms{})
		if err != nil || renewed.Server != serverB || !slices.Equal(renewed.Ranges, lease.Ranges) {
			t.Fatalf("renewed %v, %v", renewed, err)
		}
		var silent *TimeoutError
		if _, err := c.Renew(t.Context(), bound, Terms{}); !errors.As(err, &silent) {
			t.Errorf("renewed without the feature: %v", err)
		}
		bound.Server = serverB // as if the client did not care
		var refused *RefusedError
		if _, err := c.Renew(t.Context(), bound, Terms{}); !errors.As(err, &refused) || refused.Failure.ErrorCode != LeaseNotRecognized {
			t.Errorf("another server's lease: %v", err)
		}
		if err := c.Release(t.Context(), renewed); err != nil {
			t.Error(err)
		}
		if left, _ := store.Load(); len(left) != 1 {
			t.Errorf("store has %v", left)
		}
	})
}

// Servers with a common store see what the others did, at every message and before they forget a lease.
func TestServersOfAStoreSeeEachOther(t *testing.T) {
	store := &MemoryStore{}
	mobile := func(c *ServerConfig) { c.Mobility, c.Store = true, store }
	used := FeatureList{[]Feature{ServerMobility}, nil, []Feature{ServerMobility}}
	a, b := newAsker(t, mobile), newAsker(t, mobile, func(c *ServerConfig) { c.ID = serverB })
	b.ask(InGetInfo, someID, OptionRequest{OptScopeList}) // it has looked, and found nothing
	checkACK(t, a.ask(InRequest, append(leaseOf(1), LeaseTime(time.Hour), used)...), InAckToRequest)
	checkACK(t, b.ask(InRenew, leaseOf(1)[0], LeaseTime(20*time.Hour), used), InAckToRenew)
	a.now = a.now.Add(10 * time.Hour)
	a.ask(InGetInfo, someID, OptionRequest{OptScopeList})
	if left, _ := store.Load(); len(left) != 1 {
		t.Fatalf("the first server forgets what the second has renewed: %v", left)
	}
	checkACK(t, a.ask(InRenew, leaseOf(1)[0]), InAckToRenew)
}

// RFC 2730, section 2.13.2, with the client's side of it.
func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNet()
		ready := time.Now().Add(time.Hour)
		asked := 0
		s := testServer(t, serverA, func(c *ServerConfig) {
			c.Approve = func(Application) (time.Time, error) { asked++; return ready, nil }
		})
		n.serve(t, s)
		c := testClient(t, n)
		r := Request{Scope: LocalScope(IPv4), Server: serverA, Desired: 100, Retry: true}
		_, err := c.Lease(t.Context(), r)
		var later *RetryError
		if !errors.As(err, &later) || later.At.Sub(ready).Abs() > time.Second || len(s.Leases()) != 0 {
			t.Fatalf("lease: %v", err)
		}
		var refused *RefusedError
		if _, err := c.Renew(t.Context(), Lease{ID: later.ID, Server: serverA}, Terms{}); !errors.As(err, &refused) ||
			refused.Failure.ErrorCode != InvalidRequest {
			t.Errorf("RENEW while the REQUEST goes on: %v", err)
		}
		time.Sleep(time.Until(later.At))
		r.ID = later.ID
		lease, err := c.Lease(t.Context(), r)
		if err != nil || lease.Addresses() != 100 || lease.ID != later.ID || asked != 2 {
			t.Fatalf("lease %v, %v, after %d questions", lease, err, asked)
		}
		ready = time.Now().Add(time.Hour)
		if _, err = c.Renew(t.Context(), lease, Terms{Retry: true, Time: time.Hour}); !errors.As(err, &later) {
			t.Fatalf("renew: %v", err)
		}
		if _, err = c.Renew(t.Context(), lease, Terms{Retry: true, Time: 2 * time.Hour}); !errors.As(err, &refused) ||
			refused.Failure.ErrorCode != InvalidRequest {
			t.Errorf("RENEW with other options while one goes on: %v", err)
		}
		if _, err = c.Lease(t.Context(), Request{Scope: LocalScope(IPv4), Server: serverA}); !errors.As(err, &refused) {
			t.Errorf("client that does not know Retry After: %v", err)
		}
		if err := c.Release(t.Context(), lease); err != nil || len(s.pending) != 0 {
			t.Errorf("release: %v, pending %v", err, s.pending)
		}
		if _, err := c.Lease(t.Context(), Request{Scope: LocalScope(IPv4), Server: serverA, Retry: true}); !errors.As(err, &later) {
			t.Fatal(err)
		}
		if err := c.Release(t.Context(), Lease{ID: later.ID, Server: serverA}); err != nil || len(s.pending) != 0 {
			t.Errorf("release of what was not granted yet: %v, pending %v", err, s.pending)
		}
	})
	s := newAsker(t, func(c *ServerConfig) {
		c.Approve = func(Application) (time.Time, error) { return time.Time{}, errors.New("no") }
	})
	checkNAK(t, s.ask(InRequest, leaseOf(1)...), NotCompleted, NoOption)
}

// A retry time that a server makes up counts for nothing.
func TestRetryTimeNeedsTheFeature(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNet()
		n.answer(t, serverA, liar(func(m *Message) {
			m.with(RangeList{})
			m.with(RetryTime{time.Now().Add(time.Hour)})
			m.with(CurrentTime{time.Now()})
		}))
		_, err := testClient(t, n).Lease(t.Context(), Request{Scope: LocalScope(IPv4), Server: serverA})
		checkIgnored(t, n, err, "without the Retry After feature")
	})
}

func TestScopesInALanguage(t *testing.T) {
	a := newAsker(t)
	for language, want := range map[Language]string{"de": "hier", "DE": "hier", "fr": "here"} {
		m := a.ask(InGetInfo, someID, OptionRequest{OptScopeList}, language)
		if list, _ := Get[ScopeList](m); len(list) != 2 || len(list[0].Names) != 1 || list[0].Names[0].Name != want || list[1].Names[0].Name != "world" {
			t.Errorf("%s: %v", language, m)
		}
	}
	m := a.ask(InGetInfo, someID, OptionRequest{OptScopeList, OptNesting, 4711})
	if list, _ := Get[ScopeList](m); len(list[0].Names) != 2 || !m.has(OptNesting) || m.has(OptCurrentTime) {
		t.Errorf("without language: %v", m)
	}
	if m := a.ask(InGetInfo, someID, OptionRequest{OptNesting}); m.Check(InAckToGetInfo) != nil || m.has(OptNesting) {
		t.Errorf("nesting without scopes: %v", m)
	}
	evil := Scope{Names: []ZoneName{{"en", "a\x1b[2Jb\u0085", true}}}
	if got := evil.Name("en"); got != "a\ufffd[2Jb\ufffd" {
		t.Errorf("name to be shown %q", got)
	}
}

// RFC 2730, section 2.11: multicast is answered for the scope of the group and those around it.
func TestGroupsAndScopes(t *testing.T) {
	org := Scope{First: netip.MustParseAddr("239.192.0.0"), Last: netip.MustParseAddr("239.195.255.255"), TTL: 255}
	local, global := siteAndGlobal()[0], siteAndGlobal()[1]
	order := func(c *ServerConfig) {
		c.Scopes = []ServedScope{{Scope: local.Scope}, {Scope: org}, {Scope: global.Scope}}
	}
	nested := func(c *ServerConfig) {
		c.Scopes = []ServedScope{{Scope: org, Inside: []netip.Addr{global.First}}, {Scope: local.Scope, Inside: []netip.Addr{org.First}}, {Scope: global.Scope}}
	}
	for name, change := range map[string]func(*ServerConfig){"by order": order, "by nesting": nested} {
		a := newAsker(t, change)
		for _, tt := range []struct {
			group, scope netip.Addr
			answer       bool
		}{
			{localGroup, local.First, true},
			{localGroup, org.First, true},
			{localGroup, global.First, true},
			{org.ServerGroup(), org.First, true},
			{org.ServerGroup(), global.First, true},
			{org.ServerGroup(), local.First, false},
			{netip.MustParseAddr("239.7.7.7"), local.First, true},
		} {
			a.xid++
			m := Message{TypeDiscover, IPv4, a.xid, []Option{NewLeaseID(), ScopeID{tt.scope}}}
			reply := a.s.Handle(a.now, Packet{encodeLoose(m), a.at, tt.group})
			if (reply != nil) != tt.answer {
				t.Errorf("%s: DISCOVER about %v to %v: answer %v, want %v", name, tt.scope, tt.group, reply != nil, tt.answer)
			}
		}
		info := encodeLoose(Message{TypeGetInfo, IPv4, 1000, []Option{someID, OptionRequest{OptScopeList}}})
		if a.s.Handle(a.now, Packet{info, a.at, org.ServerGroup()}) != nil {
			t.Errorf("%s: GETINFO to the group of a larger scope is answered", name)
		}
		if a.s.Handle(a.now, Packet{info, a.at, localGroup}) == nil {
			t.Errorf("%s: GETINFO to the local group is not answered", name)
		}
	}
}

func TestIPv6(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNet()
		site := Scope{First: netip.MustParseAddr("ff15::"), Last: netip.MustParseAddr("ff15:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), TTL: 255}
		id := netip.MustParseAddr("2001:db8::1")
		s := testServer(t, id, func(c *ServerConfig) { c.Scopes = append(c.Scopes, ServedScope{Scope: site}) })
		n.serve(t, s)
		c, err := NewClient(ClientConfig{Open: n.open, Family: IPv6})
		if err != nil {
			t.Fatal(err)
		}
		found, err := c.Scopes(t.Context(), netip.Addr{}, "")
		if err != nil || len(found[0].Scopes) != 1 || found[0].Server != id {
			t.Fatalf("scopes %v, %v", found, err)
		}
		lease, err := c.Lease(t.Context(), Request{Scope: found[0].Scopes[0], Desired: 300, Min: 200})
		if err != nil || lease.Addresses() != 256 || !site.Span().Contains(lease.Ranges[0].span()) {
			t.Fatalf("lease %v, %v", lease, err)
		}
		text, err := json.Marshal(lease)
		var kept Lease
		if err != nil || json.Unmarshal(text, &kept) != nil {
			t.Fatalf("%s, %v", text, err)
		}
		if renewed, err := c.Renew(t.Context(), kept, Terms{}); err != nil || !slices.Equal(renewed.Ranges, lease.Ranges) {
			t.Errorf("renewed %v, %v", renewed, err)
		}
		if err := c.Release(t.Context(), kept); err != nil {
			t.Error(err)
		}
	})
}
