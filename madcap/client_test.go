package madcap

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// RFC 2730, section 2.3: t, t+4, t+12, t+28, the same octets each time, and an end at t+60.
func TestRetransmission(t *testing.T) {
	operations := map[string]struct {
		do func(context.Context, *Client) error
		to string
	}{
		"DISCOVER to 239.255.255.254": {do: func(ctx context.Context, c *Client) error {
			_, err := c.Lease(ctx, Request{Scope: LocalScope(IPv4)})
			return err
		}},
		"REQUEST to 192.0.2.1": {do: func(ctx context.Context, c *Client) error {
			_, err := c.Lease(ctx, Request{Scope: LocalScope(IPv4), Server: serverA})
			return err
		}},
		"RENEW to 192.0.2.1": {do: func(ctx context.Context, c *Client) error {
			_, err := c.Renew(ctx, Lease{ID: someID, Server: serverA}, Terms{})
			return err
		}},
		"RELEASE to 192.0.2.1": {do: func(ctx context.Context, c *Client) error {
			return c.Release(ctx, Lease{ID: someID, Server: serverA})
		}},
		"GETINFO to 239.255.255.254": {do: func(ctx context.Context, c *Client) error {
			_, err := c.Scopes(ctx, netip.Addr{}, "")
			return err
		}},
	}
	for what, op := range operations {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newFakeNet()
				bytes := map[string]bool{}
				n.change = func(_ Message, b []byte) []byte { bytes[string(b)] = true; return b }
				err := op.do(t.Context(), testClient(t, n))
				var silent *TimeoutError
				if !errors.As(err, &silent) || time.Since(n.begun) != NoResponseDelay {
					t.Errorf("%v after %v", err, time.Since(n.begun))
				}
				same(t, n, "0s "+what, "4s "+what, "12s "+what, "28s "+what)
				if len(bytes) != 1 {
					t.Errorf("%d different messages", len(bytes))
				}
			})
		})
	}
}

// Any single loss is made good, and the response cache keeps a repeated REQUEST from being a second allocation.
func TestLossIsMadeGood(t *testing.T) {
	for lost := 1; lost <= 4; lost++ {
		synctest.Test(t, func(t *testing.T) {
			n := newFakeNet()
			s := testServer(t, serverA)
			n.serve(t, s)
			n.lose = func(_ Message, i int) bool { return i == lost }
			lease, err := testClient(t, n).Lease(t.Context(), Request{Scope: LocalScope(IPv4)})
			if err != nil {
				t.Fatalf("message %d lost: %v", lost, err)
			}
			if kept := s.Leases(); len(kept) != 1 || kept[0].Ranges[0] != lease.Ranges[0] || time.Since(n.begun) != 4*time.Second {
				t.Errorf("message %d lost: server has %v, client %v, after %v", lost, kept, lease, time.Since(n.begun))
			}
		})
	}
}

func TestXIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNet()
		n.serve(t, testServer(t, serverA))
		var xids []uint32
		n.change = func(m Message, b []byte) []byte { xids = append(xids, m.XID); return b }
		c := testClient(t, n)
		for range 2 {
			if _, err := c.Lease(t.Context(), Request{Scope: LocalScope(IPv4)}); err != nil {
				t.Fatal(err)
			}
		}
		// DISCOVER, OFFER, REQUEST and ACK are one transaction; the next one counts up.
		for i, xid := range xids {
			if want := xids[0] + uint32(i/4); xid != want {
				t.Errorf("message %d has xid %d, want %d", i, xid, want)
			}
		}
		if other := testClient(t, n); other.xid.Load()-c.xid.Load() < 100 {
			t.Error("two clients begin with nearly the same xid")
		}
	})
}

// liar answers a REQUEST or DISCOVER well but for one thing.
func liar(change func(m *Message)) func(Message, Packet) [][]byte {
	return func(m Message, p Packet) [][]byte {
		id, _ := Get[LeaseID](m)
		scope, _ := Get[ScopeID](m)
		place := InAckToRequest
		switch m.Type {
		case TypeDiscover:
			place = InOffer
		case TypeGetInfo:
			place = InAckToGetInfo
		case TypeRelease:
			place = InAckToRelease
		}
		answer := Message{place.Type(), m.Family, m.XID, []Option{id, ServerID{serverA}}}
		if m.Type == TypeDiscover || m.Type == TypeRequest {
			answer.Options = append(answer.Options, LeaseTime(time.Hour), scope, RangeList{{netip.MustParseAddr("239.255.7.7"), 1}})
		}
		change(&answer)
		return [][]byte{encodeLoose(answer)}
	}
}

// encodeLoose writes what no honest encoder would.
func encodeLoose(m Message) []byte { return encodeAny(panics{}, m) }

type panics struct{}

func (panics) Fatalf(format string, args ...any) { panic(format) }

// with replaces the option of the same code, or adds it.
func (m *Message) with(o Option) {
	for i := range m.Options {
		if m.Options[i].Code() == o.Code() {
			m.Options[i] = o
			return
		}
	}
	m.Options = append(m.Options, o)
}

func (m *Message) without(code OptionCode) {
	for i := range m.Options {
		if m.Options[i].Code() == code {
			m.Options = append(m.Options[:i:i], m.Options[i+1:]...)
			return
		}
	}
}

// A server that lies is ignored as if it were silent, and the error says what it did.
func TestLiesAreIgnored(t *testing.T) {
	local := LocalScope(IPv4)
	addr := netip.MustParseAddr
	huge := make(RangeList, 5000)
	for i := range huge {
		huge[i] = Range{plus(local.First, uint64(i)), 1}
	}
	tests := []struct {
		name   string
		change func(*Message)
		say    string // in the error; empty for what is no answer at all
	}{
		{"wrong xid", func(m *Message) { m.XID++ }, ""},
		{"wrong lease identifier", func(m *Message) { m.with(LeaseID("other")) }, ""},
		{"no lease identifier", func(m *Message) { m.without(OptLeaseID) }, ""},
		{"other family", func(m *Message) { *m = Message{m.Type, IPv6, m.XID, m.Options[:2]} }, "IPv6"},
		{"another type", func(m *Message) { m.Type = TypeRelease }, "RELEASE"},
		{"address outside the scope", func(m *Message) { m.with(RangeList{{addr("239.192.0.1"), 2}}) }, "outside the scope"},
		{"range that enters the scope", func(m *Message) { m.with(RangeList{{addr("239.254.255.255"), 2}}) }, "outside the scope"},
		{"zero lease", func(m *Message) { m.with(LeaseTime(0)) }, "no time"},
		{"lease shorter than the minimum", func(m *Message) { m.with(LeaseTime(time.Minute)) }, "at least 10m"},
		{"huge list", func(m *Message) { m.with(huge) }, "5000 addresses"},
		{"huge range", func(m *Message) { m.with(RangeList{{local.First, 65535}}) }, "65535 addresses"},
		{"too few addresses", func(m *Message) { m.with(RangeList{{local.First, 1}}) }, "1 addresses, 2 to 2"},
		{"no addresses", func(m *Message) { m.with(RangeList{}) }, "0 addresses"},
		{"one address twice", func(m *Message) { m.with(RangeList{{local.First, 1}, {local.First, 1}}) }, "stands twice"},
		{"other scope", func(m *Message) { m.with(ScopeID{addr("239.192.0.0")}) }, "scope 239.192.0.0"},
		{"no lease time", func(m *Message) { m.without(OptLeaseTime) }, "Lease Time option: missing"},
		{"server is a group", func(m *Message) { m.with(ServerID{local.First}) }, "239.255.0.0"},
		{"starts too late", func(m *Message) {
			m.with(StartTime{time.Now().Add(time.Hour)})
			m.with(CurrentTime{time.Now()})
		}, "too late"},
		{"clock off", func(m *Message) {
			m.with(StartTime{time.Now().Add(time.Hour)})
			m.with(CurrentTime{time.Now().Add(time.Hour)})
		}, "clock differs by"},
		{"without the feature", func(m *Message) { m.without(OptFeatureList) }, "Shared Lease Identifier"},
	}
	for _, unicast := range []bool{false, true} {
		for _, tt := range tests {
			t.Run(map[bool]string{false: "OFFER ", true: "ACK "}[unicast]+tt.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n := newFakeNet()
					n.answer(t, serverA, liar(func(m *Message) {
						m.with(RangeList{{addr("239.255.7.7"), 2}})
						m.with(FeatureList{Required: []Feature{SharedLeaseID}})
						tt.change(m)
					}))
					r := Request{Scope: local, MinTime: 10 * time.Minute, Desired: 2, Require: []Feature{SharedLeaseID}}
					if unicast {
						r.Server = serverA
					}
					_, err := testClient(t, n).Lease(t.Context(), r)
					checkIgnored(t, n, err, tt.say)
				})
			})
		}
	}
}

// What only some requests can notice.
func TestLiesAboutWhatWasAsked(t *testing.T) {
	addr := netip.MustParseAddr
	tests := []struct {
		name   string
		change func(*Message)
		want   Request
		say    string
	}{
		{"ACK of another server", func(m *Message) { m.with(ServerID{serverB}) }, Request{}, "ACK of server 192.0.2.2"},
		{"another address than asked for", func(*Message) {}, Request{Want: []Range{{addr("239.255.7.8"), 1}}}, "239.255.7.7 was not asked for"},
		{"at once instead of tomorrow", func(*Message) {}, Request{Start: someTime.AddDate(1, 0, 0)}, "lease starts now instead of"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newFakeNet()
				n.answer(t, serverA, liar(tt.change))
				tt.want.Scope, tt.want.Server = LocalScope(IPv4), serverA
				_, err := testClient(t, n).Lease(t.Context(), tt.want)
				checkIgnored(t, n, err, tt.say)
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNet()
		n.answer(t, serverA, liar(func(*Message) {})) // no lease has this address
		lease := Lease{ID: someID, Server: serverA, Scope: LocalScope(IPv4).First, Ranges: []Range{{addr("239.255.9.9"), 1}}}
		_, err := testClient(t, n).Renew(t.Context(), lease, Terms{})
		checkIgnored(t, n, err, "missing")
		n = newFakeNet()
		n.answer(t, serverA, func(m Message, p Packet) [][]byte {
			m.Type = TypeRequest
			m.with(ScopeID{LocalScope(IPv4).First})
			return liar(func(*Message) {})(m, p)
		})
		_, err = testClient(t, n).Renew(t.Context(), lease, Terms{})
		checkIgnored(t, n, err, "239.255.7.7")
	})
}

func TestBetterOffer(t *testing.T) {
	ranges := func(n uint16) []Range { return []Range{{LocalScope(IPv4).First, n}} }
	base := grant{server: serverA, ranges: ranges(2), start: someTime, time: time.Hour}
	tests := map[string]grant{
		"more addresses": {serverB, ranges(3), someTime.Add(time.Hour), time.Minute, nil},
		"earlier start":  {serverB, ranges(2), someTime.Add(-time.Second), time.Minute, nil},
		"more time":      {serverB, ranges(2), someTime, 2 * time.Hour, nil},
		"untold":         {serverB, nil, someTime, 2 * time.Hour, nil},
	}
	for name, g := range tests {
		if r := (Request{}); !r.better(g, base) || r.better(base, g) {
			t.Errorf("%s is not better", name)
		}
	}
}

func checkIgnored(t *testing.T, n *fakeNet, err error, say string) {
	t.Helper()
	var silent *TimeoutError
	if !errors.As(err, &silent) || time.Since(n.begun) != NoResponseDelay {
		t.Fatalf("%v after %v, want a time-out", err, time.Since(n.begun))
	}
	if (say == "") != (silent.Ignored == 0) || !strings.Contains(err.Error(), say) || len(silent.Rejected) > maxRejections {
		t.Errorf("%v (%d ignored), want that it says %q", err, silent.Ignored, say)
	}
}

// What a server says of scopes: a lie about them is ignored too.
func TestScopeLies(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Message)
		say    string
	}{
		{"no server", func(m *Message) { m.without(OptServerID) }, "Server Identifier option: missing"},
		{"nesting without scopes", func(m *Message) { m.with(NewNesting(2)) }, "Nesting"},
		{"addresses in it", func(m *Message) { m.with(RangeList{}) }, "must not stand"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newFakeNet()
				n.answer(t, serverA, liar(tt.change))
				_, err := testClient(t, n).Scopes(t.Context(), serverA, "")
				checkIgnored(t, n, err, tt.say)
			})
		})
	}
	synctest.Test(t, func(t *testing.T) { // RFC 2907, section 5: a wrong count makes the nesting void, not the scopes
		n := newFakeNet()
		n.answer(t, serverA, liar(func(m *Message) {
			m.with(ScopeList{LocalScope(IPv4)})
			m.with(NewNesting(2, [2]int{0, 1}))
		}))
		found, err := testClient(t, n).Scopes(t.Context(), serverA, "")
		if err != nil || len(found) != 1 || len(found[0].Scopes) != 1 || found[0].Nesting.Len() != 0 || time.Since(n.begun) != 0 {
			t.Errorf("scopes %v, %v", found, err)
		}
	})
}

func nak(m Message, server netip.Addr, f Failure) []byte {
	id, _ := Get[LeaseID](m)
	return encodeLoose(Message{TypeNak, m.Family, m.XID, []Option{id, ServerID{server}, f}})
}

func TestNAKs(t *testing.T) {
	busy := failure(NotCompleted, NoOption)
	t.Run("ends a unicast exchange at once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := newFakeNet()
			n.answer(t, serverA, func(m Message, _ Packet) [][]byte {
				return [][]byte{nak(m, serverA, failure(InvalidRequest, OptScope))}
			})
			_, err := testClient(t, n).Lease(t.Context(), Request{Scope: LocalScope(IPv4), Server: serverA})
			var refused *RefusedError
			if !errors.As(err, &refused) || refused.Failure.Option() != OptScope || time.Since(n.begun) != 0 {
				t.Errorf("%v after %v", err, time.Since(n.begun))
			}
		})
	})
	t.Run("to a DISCOVER leaves the others time but is not followed by another DISCOVER", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := newFakeNet()
			n.answer(t, serverA, func(m Message, _ Packet) [][]byte { return [][]byte{nak(m, serverA, busy)} })
			_, err := testClient(t, n).Lease(t.Context(), Request{Scope: LocalScope(IPv4)})
			var refused *RefusedError
			if !errors.As(err, &refused) || time.Since(n.begun) != 4*time.Second {
				t.Errorf("%v after %v", err, time.Since(n.begun))
			}
			same(t, n, "0s DISCOVER to 239.255.255.254", "0s NAK to 192.0.2.100")
		})
	})
	t.Run("beside an offer is passed over", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := newFakeNet()
			n.answer(t, serverA, func(m Message, _ Packet) [][]byte { return [][]byte{nak(m, serverA, busy)} })
			n.serve(t, testServer(t, serverB))
			if lease, err := testClient(t, n).Lease(t.Context(), Request{Scope: LocalScope(IPv4)}); err != nil || lease.Server != serverB {
				t.Errorf("lease %v, %v", lease, err)
			}
		})
	})
	t.Run("of a server that was not chosen is ignored", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := newFakeNet()
			n.answer(t, serverA, func(m Message, _ Packet) [][]byte {
				if m.Type == TypeDiscover {
					return nil
				}
				return [][]byte{nak(m, serverA, busy)}
			})
			lost := false
			n.lose = func(m Message, _ int) bool { // the first ACK: the NAK is there alone
				first := m.Type == TypeAck && !lost
				lost = lost || first
				return first
			}
			n.serve(t, testServer(t, serverB))
			if lease, err := testClient(t, n).Lease(t.Context(), Request{Scope: LocalScope(IPv4)}); err != nil || lease.Server != serverB {
				t.Errorf("lease %v, %v", lease, err)
			}
		})
	})
	t.Run("of the chosen server makes the client take another", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := newFakeNet()
			offer := liar(func(*Message) {})
			n.answer(t, serverA, func(m Message, p Packet) [][]byte {
				if m.Type == TypeDiscover {
					return offer(m, p)
				}
				return [][]byte{nak(m, serverA, busy)}
			})
			n.serve(t, testServer(t, serverB))
			if lease, err := testClient(t, n).Lease(t.Context(), Request{Scope: LocalScope(IPv4)}); err != nil || lease.Server != serverB {
				t.Errorf("lease %v, %v", lease, err)
			}
		})
	})
}

// The best offer within the retransmission delay is taken; one of all that was asked for at once.
func TestChoiceOfOffers(t *testing.T) {
	short := func(c *ServerConfig) { c.MaxTime = time.Minute }
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNet()
		n.serve(t, testServer(t, serverA, short))
		n.serve(t, testServer(t, serverB, func(c *ServerConfig) { c.MaxTime = 2 * time.Minute }))
		lease, err := testClient(t, n).Lease(t.Context(), Request{Scope: LocalScope(IPv4), Time: time.Hour})
		if err != nil || lease.Server != serverB || time.Since(n.begun) != firstRetransmission {
			t.Errorf("lease %v, %v after %v, want the longer one after 4 s", lease, err, time.Since(n.begun))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNet()
		n.serve(t, testServer(t, serverA, short))
		n.serve(t, testServer(t, serverB))
		lease, err := testClient(t, n).Lease(t.Context(), Request{Scope: LocalScope(IPv4), Time: time.Hour})
		if err != nil || lease.Server != serverB || time.Since(n.begun) != 0 {
			t.Errorf("lease %v, %v after %v, want the full one at once", lease, err, time.Since(n.begun))
		}
	})
}

// A server that falls silent after the best offer, because it was killed, costs the time of a REQUEST; then the client takes another one,
// whatever the first one offers when it is back.
func TestServerThatDiesAfterItsOffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNet()
		offer := liar(func(*Message) {})
		n.answer(t, serverA, func(m Message, p Packet) [][]byte {
			if m.Type == TypeDiscover {
				return offer(m, p)
			}
			return nil
		})
		n.serve(t, testServer(t, serverB, func(c *ServerConfig) { c.MaxTime = time.Minute }))
		lease, err := testClient(t, n).Lease(t.Context(), Request{Scope: LocalScope(IPv4), Time: time.Hour})
		if err != nil || lease.Server != serverB || time.Since(n.begun) != NoResponseDelay+firstRetransmission {
			t.Errorf("lease %v, %v after %v", lease, err, time.Since(n.begun))
		}
	})
}

func TestClientRefusesWhatItMustNotAsk(t *testing.T) {
	c := testClient(t, newFakeNet())
	local := LocalScope(IPv4)
	requests := map[string]Request{
		"no scope":                     {},
		"scope of the other family":    {Scope: LocalScope(IPv6)},
		"more at least than at most":   {Scope: local, Min: 3, Desired: 2},
		"65536 addresses":              {Scope: local, Desired: 1 << 16},
		"less than a second":           {Scope: local, Time: time.Millisecond},
		"Retry After required":         {Scope: local, Require: []Feature{RetryAfter}},
		"addresses outside the scope":  {Scope: local, Want: []Range{{netip.MustParseAddr("239.1.1.1"), 1}}},
		"start before the wire's time": {Scope: local, Start: time.Unix(-5, 0)},
	}
	for name, r := range requests {
		if _, err := c.Lease(t.Context(), r); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	configs := map[string]ClientConfig{
		"no transport":    {},
		"family":          {Open: newFakeNet().open, Family: 7},
		"unicast group":   {Open: newFakeNet().open, Group: serverA},
		"global group":    {Open: newFakeNet().open, Group: netip.MustParseAddr("238.255.255.254")},
		"global v6 group": {Open: newFakeNet().open, Family: IPv6, Group: netip.MustParseAddr("ff0e:ffff::fffe")},
	}
	for name, cfg := range configs {
		if _, err := NewClient(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestContextEndsAnOperation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNet()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := testClient(t, n).Lease(ctx, Request{Scope: LocalScope(IPv4)})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(n.begun) != 5*time.Second {
			t.Errorf("%v after %v", err, time.Since(n.begun))
		}
	})
}

// TestServersWithoutEnd: what claims to be ever more servers does not fill the memory.
func TestServersWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNet()
		n.answer(t, serverA, func(m Message, _ Packet) (list [][]byte) {
			id, _ := Get[LeaseID](m)
			for i := range byte(maxServers + 20) {
				server := ServerID{netip.AddrFrom4([4]byte{192, 0, 2, i + 1})}
				b, err := Message{TypeAck, IPv4, m.XID, []Option{id, server, ScopeList{LocalScope(IPv4)}}}.Encode(InAckToGetInfo)
				if err != nil {
					t.Error(err)
				}
				list = append(list, b)
			}
			return list
		})
		found, err := testClient(t, n).Scopes(t.Context(), netip.Addr{}, "")
		if err != nil || len(found) != maxServers {
			t.Errorf("%d servers, %v", len(found), err)
		}
	})
}
