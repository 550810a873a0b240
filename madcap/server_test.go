package madcap

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// asker sends a server one message after the other at times of its choice.
type asker struct {
	t   *testing.T
	s   *Server
	now time.Time
	xid uint32
	at  netip.AddrPort
}

func newAsker(t *testing.T, change ...func(*ServerConfig)) *asker {
	t.Helper()
	return &asker{t: t, s: testServer(t, serverA, change...), now: someTime, at: netip.MustParseAddrPort("192.0.2.100:40000")}
}

var localGroup = LocalScope(IPv4).ServerGroup()

// ask sends a message as it stands in the place; the zero Message means silence.
func (a *asker) ask(place Place, options ...Option) Message {
	a.t.Helper()
	a.xid++
	return a.send(Message{place.Type(), IPv4, a.xid, options}, place == InDiscover || place == InMulticastRequest)
}

func (a *asker) send(m Message, multicast bool) Message {
	a.t.Helper()
	p := Packet{Data: encodeLoose(m), From: a.at}
	if multicast {
		p.Group = localGroup
	}
	reply := a.s.Handle(a.now, p)
	if reply == nil {
		return Message{}
	}
	answer, err := Parse(reply)
	if err != nil || answer.XID != m.XID {
		a.t.Fatalf("answer %v, %v", answer, err)
	}
	return answer
}

// only makes a scope with just these addresses.
func only(first string, n int) func(*ServerConfig) {
	return func(c *ServerConfig) {
		at := netip.MustParseAddr(first)
		c.Scopes[0].Pools = []Span{{at, plus(at, uint64(n-1))}}
	}
}

func leaseOf(n byte) []Option {
	return []Option{LeaseID([]byte{0, n}), ScopeID{LocalScope(IPv4).First}}
}

func checkNAK(t *testing.T, m Message, code ErrorCode, option OptionCode) {
	t.Helper()
	f, _ := Get[Failure](m)
	if m.Check(InNak) != nil || f.ErrorCode != code || f.Option() != option {
		t.Errorf("answer %v, want a NAK: %v", m, failure(code, option))
	}
}

func checkACK(t *testing.T, m Message, place Place) []Range {
	t.Helper()
	if err := m.Check(place); err != nil {
		t.Fatalf("answer %v: %v", m, err)
	}
	list, _ := Get[RangeList](m)
	return list
}

func TestServerRefusesInvalidMessages(t *testing.T) {
	scope := ScopeID{LocalScope(IPv4).First}
	tests := []struct {
		name string
		m    Message
		want OptionCode
	}{
		{"type not known", Message{77, IPv4, 1, []Option{someID}}, NoOption},
		{"family not known", Message{TypeRequest, 7, 1, []Option{someID}}, NoOption},
		{"REQUEST without scope", Message{TypeRequest, IPv4, 1, []Option{someID}}, OptScope},
		{"REQUEST with an error in it", Message{TypeRequest, IPv4, 1, []Option{someID, scope, failure(0, 0)}}, OptError},
		{"REQUEST of another server", Message{TypeRequest, IPv4, 1, []Option{someID, scope, ServerID{serverB}}}, OptServerID},
		{"no time", Message{TypeRequest, IPv4, 1, []Option{someID, scope, LeaseTime(0)}}, OptLeaseTime},
		{"minimum above desired", Message{TypeRequest, IPv4, 1, []Option{someID, scope, AddressCount{2, 1}}}, OptAddressCount},
		{"start without current time", Message{TypeRequest, IPv4, 1, []Option{someID, scope, StartTime{someTime}}}, OptCurrentTime},
		{"GETINFO that asks for nothing", Message{TypeGetInfo, IPv4, 1, []Option{someID}}, OptOptionRequest},
		{"RENEW with a scope", Message{TypeRenew, IPv4, 1, []Option{someID, scope}}, OptScope},
		{"option twice", Message{TypeRequest, IPv4, 1, []Option{someID, scope, scope}}, OptScope},
		{"addresses outside the scope", Message{
			TypeRequest, IPv4, 1, []Option{someID, scope, RangeList{{netip.MustParseAddr("239.1.1.1"), 1}}},
		}, OptRanges},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { checkNAK(t, newAsker(t).send(tt.m, false), InvalidRequest, tt.want) })
	}
	t.Run("multicast REQUEST without server", func(t *testing.T) {
		m := newAsker(t).send(Message{TypeRequest, IPv4, 1, []Option{someID, scope}}, true)
		checkNAK(t, m, InvalidRequest, OptServerID)
	})
	t.Run("an option that is not known is no error", func(t *testing.T) {
		checkACK(t, newAsker(t).ask(InRequest, someID, scope, Raw{999, []byte("future")}), InAckToRequest)
	})
}

func TestServerIgnores(t *testing.T) {
	scope := ScopeID{LocalScope(IPv4).First}
	secure := func(c *ServerConfig) { c.Secure = true }
	tests := []struct {
		name      string
		m         Message
		multicast bool
		change    func(*ServerConfig)
		reason    string
	}{
		{"OFFER", fullMessage(InOffer, OptEnd), false, nil, "from a server"},
		{"ACK", fullMessage(InAckToRenew, OptEnd), false, nil, "from a server"},
		{"NAK", fullMessage(InNak, OptEnd), false, nil, "from a server"},
		{"message without lease identifier", Message{TypeRenew, IPv4, 1, nil}, false, nil, "no lease identifier"},
		{
			"DISCOVER of a scope that it has not", Message{TypeDiscover, IPv4, 1, []Option{someID, ScopeID{netip.MustParseAddr("239.1.0.0")}}}, true, nil,
			"DISCOVER that cannot be satisfied",
		},
		{
			"DISCOVER that requires what it has not",
			Message{TypeDiscover, IPv4, 1, []Option{someID, scope, FeatureList{Required: []Feature{ServerMobility}}}}, true, nil,
			"DISCOVER that cannot be satisfied",
		},
		{"DISCOVER, secure", Message{TypeDiscover, IPv4, 1, []Option{someID, scope}}, true, secure, "multicast to a secure server"},
		{
			"REQUEST to another", Message{TypeRequest, IPv4, 1, []Option{someID, scope, ServerID{serverB}}}, true, nil,
			"REQUEST to another server",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.change == nil {
				tt.change = func(*ServerConfig) {}
			}
			a := newAsker(t, tt.change)
			if m := a.send(tt.m, tt.multicast); m.Type != 0 {
				t.Errorf("answer %v, want none", m)
			}
			if counts := a.s.Counts(); counts["ignored: "+tt.reason] != 1 {
				t.Errorf("counts %v, want that they say %q", counts, tt.reason)
			}
		})
	}
	a := newAsker(t, secure)
	if m := a.send(Message{TypeGetInfo, IPv4, 1, []Option{someID, OptionRequest{OptScopeList}}}, true); m.Check(InAckToGetInfo) != nil {
		t.Errorf("a secure server answers multicast GETINFO with %v", m)
	}
	if reply := a.s.Handle(a.now, Packet{Data: []byte("junk that is no message"), From: a.at}); reply != nil {
		t.Errorf("answer % x to junk", reply)
	}
}

// RFC 2730, section 2.1.4: the same xid, type and lease identifier within the interval are the same message.
func TestResponseCache(t *testing.T) {
	a := newAsker(t, func(c *ServerConfig) { c.ResponseCache = 2 * time.Minute })
	m := Message{TypeRequest, IPv4, 99, leaseOf(1)}
	p := Packet{Data: encodeLoose(m), From: a.at}
	first := a.s.Handle(a.now, p)
	for _, after := range []time.Duration{time.Second, 119 * time.Second} {
		if again := a.s.Handle(a.now.Add(after), p); !bytes.Equal(again, first) {
			t.Errorf("after %v: % x, want % x", after, again, first)
		}
	}
	if n := len(a.s.Leases()); n != 1 {
		t.Errorf("%d leases", n)
	}
	a.now = a.now.Add(2 * time.Minute)
	checkNAK(t, a.send(m, false), InvalidRequest, OptLeaseID) // new to the server, and the lease exists
	if m := a.send(Message{TypeRelease, IPv4, 99, []Option{m.Options[0]}}, false); m.Check(InAckToRelease) != nil {
		t.Errorf("RELEASE with the xid of the REQUEST: %v", m)
	}
	if _, err := NewServer(ServerConfig{ID: serverA, Scopes: siteAndGlobal(), ResponseCache: 301 * time.Second}); err == nil {
		t.Error("a response cache of more than 300 s is accepted")
	}
}

func TestCacheIsBounded(t *testing.T) {
	c := newCache(time.Minute, 3)
	for i := range uint32(10) {
		c.put(someTime, cacheKey{xid: i}, []byte{1})
	}
	if _, ok := c.get(someTime, cacheKey{xid: 6}); ok || len(c.byKey) != 3 || len(c.queue) != 3 {
		t.Errorf("cache holds %d and %d, want the last three", len(c.byKey), len(c.queue))
	}
	if _, ok := c.get(someTime.Add(time.Minute), cacheKey{xid: 9}); ok || len(c.byKey) != 0 {
		t.Error("cache holds what is too old")
	}
}

// RFC 2730, section 2.2.3: what is offered is kept, until the time is over or another server is chosen.
func TestOffersAreHeld(t *testing.T) {
	a := newAsker(t, only("239.255.1.1", 1))
	now := func(n byte, more ...Option) []Option { // one who wants it now or never
		return append(append(leaseOf(n), MaxStartTime{a.now}, CurrentTime{a.now}), more...)
	}
	checkACK(t, a.ask(InDiscover, now(1)...), InOffer)
	if m := a.ask(InDiscover, now(2)...); m.Type != 0 {
		t.Errorf("the address is offered twice: %v", m)
	}
	checkNAK(t, a.ask(InRequest, now(2)...), NotCompleted, NoOption)
	checkACK(t, a.ask(InDiscover, now(1)...), InOffer) // asked again, by another xid
	a.now = a.now.Add(OfferHold)
	checkACK(t, a.ask(InDiscover, now(2)...), InOffer)
	if m := a.ask(InMulticastRequest, now(2, ServerID{serverB})...); m.Type != 0 {
		t.Errorf("answer %v to another server's REQUEST", m)
	}
	offered := checkACK(t, a.ask(InDiscover, now(3)...), InOffer)
	got := checkACK(t, a.ask(InMulticastRequest, now(3, ServerID{serverA})...), InAckToRequest)
	if !slices.Equal(got, offered) {
		t.Errorf("granted %v, offered %v", got, offered)
	}
}

func TestOfferedAddressesAreGranted(t *testing.T) {
	a := newAsker(t, only("239.255.1.0", 200))
	for n := range byte(5) {
		offered := checkACK(t, a.ask(InDiscover, leaseOf(n)...), InOffer)
		if got := checkACK(t, a.ask(InMulticastRequest, append(leaseOf(n), ServerID{serverA})...), InAckToRequest); !slices.Equal(got, offered) {
			t.Errorf("granted %v, offered %v", got, offered)
		}
		a.ask(InRelease, leaseOf(n)[0])
		if len(a.s.book.holds) != 0 {
			t.Errorf("released and still held: %v", a.s.book.holds)
		}
	}
}

// RFC 2730, section 2.12: a lease reserves its addresses for the extra time on either side.
func TestExtraAllocation(t *testing.T) {
	a := newAsker(t, only("239.255.1.1", 1), func(c *ServerConfig) { c.Extra = 10 * time.Minute })
	a.ask(InRequest, append(leaseOf(1), LeaseTime(time.Hour))...)
	soon := []Option{MaxStartTime{a.now.Add(70 * time.Minute)}, CurrentTime{a.now}}
	checkNAK(t, a.ask(InRequest, append(leaseOf(2), soon...)...), NotCompleted, NoOption)
	a.now = a.now.Add(80*time.Minute - time.Second)
	checkNAK(t, a.ask(InRequest, append(leaseOf(2), MaxStartTime{a.now}, CurrentTime{a.now})...), NotCompleted, NoOption)
	a.now = a.now.Add(time.Second)
	checkACK(t, a.ask(InRequest, append(leaseOf(2), MaxStartTime{a.now}, CurrentTime{a.now})...), InAckToRequest)
}

func TestClockSkew(t *testing.T) {
	for _, tt := range []struct {
		off  time.Duration
		good bool
	}{{30 * time.Minute, true}, {-30 * time.Minute, true}, {31 * time.Minute, false}, {-31 * time.Minute, false}} {
		a := newAsker(t)
		m := a.ask(InRequest, append(leaseOf(1), CurrentTime{a.now.Add(tt.off)})...)
		if tt.good {
			checkACK(t, m, InAckToRequest)
			continue
		}
		f, _ := Get[Failure](m)
		if at, ok := f.ServerTime(); !ok || !at.Equal(a.now) {
			t.Errorf("clock off by %v: %v, want the server's time", tt.off, m)
		}
	}
	// A client whose clock is a little behind may still say "now at the latest".
	a := newAsker(t)
	behind := a.now.Add(-5 * time.Minute)
	checkACK(t, a.ask(InRequest, append(leaseOf(1), MaxStartTime{behind}, CurrentTime{behind})...), InAckToRequest)
}

func TestLeaseTerms(t *testing.T) {
	hour := func(n int) time.Time { return someTime.Add(time.Duration(n) * time.Hour) }
	now := CurrentTime{someTime}
	tests := []struct {
		name    string
		before  []Option // another lease of the only address
		options []Option
		start   time.Time
		length  time.Duration
		option  OptionCode // of the NAK if length is 0
	}{
		{name: "as long as possible", start: someTime, length: 24 * time.Hour},
		{name: "what is asked for", options: []Option{LeaseTime(time.Hour)}, start: someTime, length: time.Hour},
		{name: "cut to the longest", options: []Option{LeaseTime(48 * time.Hour)}, start: someTime, length: 24 * time.Hour},
		{name: "minimum above the longest", options: []Option{MinLeaseTime(25 * time.Hour)}, option: OptMinLeaseTime},
		{name: "start ahead", options: []Option{StartTime{hour(2)}, now, LeaseTime(time.Hour)}, start: hour(2), length: time.Hour},
		{name: "start in the past is now", options: []Option{StartTime{hour(-1)}, now}, start: someTime, length: 24 * time.Hour},
		{name: "start too far ahead", options: []Option{StartTime{hour(31 * 24)}, now}, option: OptStartTime},
		{name: "latest start in the past", options: []Option{MaxStartTime{hour(-1)}, now}, option: OptMaxStartTime},
		{
			name: "shorter before another lease", before: []Option{StartTime{hour(10)}, now, LeaseTime(time.Hour)},
			start: someTime, length: 8 * time.Hour, // an hour of extra time for each of the two
		},
		{
			name: "later because shorter is too short", before: []Option{StartTime{hour(10)}, now, LeaseTime(time.Hour)},
			options: []Option{MinLeaseTime(9 * time.Hour)}, start: hour(13), length: 24 * time.Hour,
		},
		{
			name: "neither shorter nor later", before: []Option{StartTime{hour(10)}, now, LeaseTime(time.Hour)},
			options: []Option{MinLeaseTime(9 * time.Hour), MaxStartTime{hour(12)}, now}, option: NoOption,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newAsker(t, only("239.255.1.1", 1))
			if tt.before != nil {
				checkACK(t, a.ask(InRequest, append(leaseOf(1), tt.before...)...), InAckToRequest)
			}
			m := a.ask(InRequest, append(leaseOf(2), tt.options...)...)
			if tt.length == 0 {
				checkNAK(t, m, NotCompleted, tt.option)
				return
			}
			checkACK(t, m, InAckToRequest)
			length, _ := Get[LeaseTime](m)
			start, told := Get[StartTime](m)
			if !told {
				start.Time = someTime
			}
			if time.Duration(length) != tt.length || !start.Equal(tt.start) || told == tt.start.Equal(someTime) {
				t.Errorf("lease of %v from %v, want %v from %v", time.Duration(length), start, tt.length, tt.start)
			}
		})
	}
}

func TestRenewal(t *testing.T) {
	a := newAsker(t, only("239.255.1.1", 1))
	id := leaseOf(1)[0]
	ranges := checkACK(t, a.ask(InRequest, append(leaseOf(1), LeaseTime(2*time.Hour))...), InAckToRequest)
	a.now = a.now.Add(time.Hour)
	if got := checkACK(t, a.ask(InRenew, id, LeaseTime(2*time.Hour)), InAckToRenew); !slices.Equal(got, ranges) {
		t.Errorf("renewed %v, want %v", got, ranges)
	}
	if r := a.s.Leases()[0]; !r.End.Equal(a.now.Add(2 * time.Hour)) {
		t.Errorf("lease ends at %v", r.End)
	}
	// Somebody has it from 6 h on: the lease can last until an hour before the reservation, 3 h from now.
	next := a.now.Add(6 * time.Hour)
	checkACK(t, a.ask(InRequest, append(leaseOf(2), StartTime{next}, CurrentTime{a.now}, LeaseTime(time.Hour))...), InAckToRequest)
	m := a.ask(InRenew, id, LeaseTime(20*time.Hour))
	if got, _ := Get[LeaseTime](m); time.Duration(got) != 4*time.Hour {
		t.Errorf("renewed for %v, want 4 h", time.Duration(got))
	}
	checkNAK(t, a.ask(InRenew, id, LeaseTime(20*time.Hour), MinLeaseTime(10*time.Hour)), NotCompleted, OptLeaseTime)
	checkNAK(t, a.ask(InRenew, LeaseID("another")), LeaseNotRecognized, NoOption)
	a.now = a.now.Add(4 * time.Hour)
	checkNAK(t, a.ask(InRenew, id), LeaseNotRecognized, NoOption)
	checkNAK(t, a.ask(InRelease, id), LeaseNotRecognized, NoOption)
}

// A lease that was let expire can be had again by its owner within the extra time (RFC 2730, section 3.11), by nobody else.
func TestExpiredLeaseIsAllocatedAgain(t *testing.T) {
	a := newAsker(t, only("239.255.1.1", 1))
	ranges := RangeList(checkACK(t, a.ask(InRequest, append(leaseOf(1), LeaseTime(time.Hour))...), InAckToRequest))
	a.now = a.now.Add(time.Hour + time.Minute)
	soon := []Option{ranges, MaxStartTime{a.now}, CurrentTime{a.now}}
	checkNAK(t, a.ask(InRequest, append(leaseOf(2), soon...)...), NotCompleted, OptRanges)
	if got := checkACK(t, a.ask(InRequest, append(leaseOf(1), soon...)...), InAckToRequest); !slices.Equal(got, ranges) {
		t.Errorf("got %v, want %v", got, ranges)
	}
}

func TestNumberOfAddresses(t *testing.T) {
	a := newAsker(t, only("239.255.1.0", 20), func(c *ServerConfig) { c.MaxAddresses = 12 })
	if n := count(checkACK(t, a.ask(InRequest, append(leaseOf(1), AddressCount{5, 100})...), InAckToRequest)); n != 12 {
		t.Errorf("%d addresses, want the limit", n)
	}
	if n := count(checkACK(t, a.ask(InRequest, append(leaseOf(2), AddressCount{5, 12})...), InAckToRequest)); n != 8 {
		t.Errorf("%d addresses, want what is left", n)
	}
	checkNAK(t, a.ask(InRequest, append(leaseOf(3), AddressCount{13, 13})...), NotCompleted, OptAddressCount)
	now := []Option{MaxStartTime{a.now}, CurrentTime{a.now}}
	checkNAK(t, a.ask(InRequest, append(leaseOf(3), append(now, AddressCount{1, 2})...)...), NotCompleted, OptAddressCount)
}

func TestLimits(t *testing.T) {
	a := newAsker(t, func(c *ServerConfig) { c.MaxHolds, c.MaxLeases = 2, 2 })
	for i := range byte(4) {
		if m := a.ask(InDiscover, leaseOf(i)...); (m.Type != 0) != (i < 2) {
			t.Errorf("DISCOVER %d: %v", i, m)
		}
	}
	for i := range byte(4) {
		m := a.ask(InRequest, leaseOf(i)...)
		if i < 2 {
			checkACK(t, m, InAckToRequest)
		} else {
			checkNAK(t, m, NotCompleted, NoOption)
		}
	}
}

type brokenStore struct {
	MemoryStore
	err error
}

func (s *brokenStore) Put(r Record) error {
	if s.err != nil {
		return s.err
	}
	return s.MemoryStore.Put(r)
}

func (s *brokenStore) Delete(ids ...LeaseID) error {
	if s.err != nil {
		return s.err
	}
	return s.MemoryStore.Delete(ids...)
}

// Acknowledged means durable: what the store does not take is not granted, renewed or released.
func TestStoreFails(t *testing.T) {
	store := &brokenStore{}
	a := newAsker(t, func(c *ServerConfig) { c.Store = store })
	checkACK(t, a.ask(InRequest, append(leaseOf(1), LeaseTime(time.Hour))...), InAckToRequest)
	end := a.s.Leases()[0].End
	store.err = errors.New("disk full")
	checkNAK(t, a.ask(InRequest, leaseOf(2)...), NotCompleted, NoOption)
	checkNAK(t, a.ask(InRenew, leaseOf(1)[0]), NotCompleted, NoOption)
	checkNAK(t, a.ask(InRelease, leaseOf(1)[0]), NotCompleted, NoOption)
	if left := a.s.Leases(); len(left) != 1 || !left[0].End.Equal(end) {
		t.Errorf("server has %v", left)
	}
}

func TestServerForgetsWhatIsOver(t *testing.T) {
	store := &MemoryStore{}
	a := newAsker(t, func(c *ServerConfig) { c.Store = store })
	a.ask(InRequest, append(leaseOf(1), LeaseTime(time.Hour))...)
	a.ask(InDiscover, leaseOf(2)...)
	a.now = a.now.Add(3*time.Hour + time.Second)
	a.ask(InGetInfo, someID, OptionRequest{OptCurrentTime})
	if left, _ := store.Load(); len(left)+len(a.s.Leases())+len(a.s.book.holds) != 0 {
		t.Errorf("left: %v, %v, %v", left, a.s.Leases(), a.s.book.holds)
	}
}

func TestServerConfig(t *testing.T) {
	addr := netip.MustParseAddr
	tests := map[string]func(*ServerConfig){
		"server identifier": func(c *ServerConfig) { c.ID = netip.Addr{} },
		"no host's address": func(c *ServerConfig) { c.ID = localGroup },
		"no scopes":         func(c *ServerConfig) { c.Scopes = nil },
		"is not multicast":  func(c *ServerConfig) { c.Scopes[0].First = serverA },
		"twice":             func(c *ServerConfig) { c.Scopes[1] = c.Scopes[0] },
		"within the scope":  func(c *ServerConfig) { c.Scopes[0].Pools = []Span{{addr("239.1.0.0"), addr("239.1.0.1")}} },
		"the group of":      func(c *ServerConfig) { c.Scopes[0].Pools = []Span{c.Scopes[0].Span()} },
		"no router forwards": func(c *ServerConfig) {
			c.Scopes[1].First, c.Scopes[1].Pools = addr("224.0.0.0"), []Span{{addr("224.0.0.0"), addr("224.1.0.0")}}
		},
		"longest lease": func(c *ServerConfig) { c.MaxTime = -1 },
		"load leases":   func(c *ServerConfig) { c.Store = unreadable{} },
	}
	for want, change := range tests {
		cfg := ServerConfig{ID: serverA, Scopes: siteAndGlobal()}
		change(&cfg)
		if _, err := NewServer(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want that it says %q", err, want)
		}
	}
	s := testServer(t, serverA)
	if err := s.SetScopes(nil); err == nil || len(s.cfg.Scopes) != 2 {
		t.Errorf("set no scopes: %v", err)
	}
	if err := s.SetScopes(siteAndGlobal()[:1]); err != nil || len(s.cfg.Scopes) != 1 {
		t.Errorf("set one scope: %v", err)
	}
	if got := testServer(t, serverA).Groups(); !slices.Equal(got, []netip.Addr{localGroup}) {
		t.Errorf("groups %v, want no global one", got)
	}
}

type unreadable struct{}

func (unreadable) Load() ([]Record, error) { return nil, errors.New("unreadable") }
func (unreadable) Put(Record) error        { return nil }
func (unreadable) Delete(...LeaseID) error { return nil }

// RFC 3307, section 4.3: of an IPv6 scope a server chooses among the group identifiers that are nobody's for good.
func TestDefaultPools(t *testing.T) {
	for _, tt := range []struct{ name, first, last, want string }{
		{"IPv4, less relative assignments", "239.255.0.0", "239.255.255.255", "239.255.0.0-239.255.254.255"},
		{"IPv4, small", "239.255.0.0", "239.255.0.9", "239.255.0.0-239.255.0.9"},
		{"IPv6", "ff15::", "ff15:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ff15::8000:0-ff15::ffff:feff"},
		{"IPv6, dynamic alone", "ff15::9000:0", "ff15::9000:ffff", "ff15::9000:0-ff15::9000:feff"},
		{"IPv6, into the dynamic ones", "ff15::7000:0", "ff15::8000:9", "ff15::8000:0-ff15::8000:9"},
		{"IPv6, none dynamic", "ff15::1", "ff15::9", "ff15::1-ff15::9"},
		{"IPv6, beyond 32 bits", "ff15::1:9000:0", "ff15::2:ffff:ffff", "ff15::1:9000:0-ff15::1:ffff:feff"},
	} {
		s := ServedScope{Scope: Scope{First: netip.MustParseAddr(tt.first), Last: netip.MustParseAddr(tt.last)}}
		if got := s.defaultPool().String(); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// slowToClose ends Receive at once, but holds its port for a second more.
type slowToClose struct {
	unheard chan struct{}
	free    bool
}

func (l *slowToClose) Send([]byte, netip.AddrPort) error { return nil }

func (l *slowToClose) Receive() (Packet, error) {
	<-l.unheard
	return Packet{}, ErrClosed
}

func (l *slowToClose) Close() error {
	close(l.unheard)
	time.Sleep(time.Second)
	l.free = true
	return nil
}

// Who serves again on the same address finds it free.
func TestServeEndsWhenItsListenerIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := NewServer(ServerConfig{ID: netip.MustParseAddr("192.0.2.1"), Scopes: siteAndGlobal()})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		l := &slowToClose{unheard: make(chan struct{})}
		if err := s.Serve(ctx, l); err != nil || !l.free {
			t.Errorf("serve ended with %v, listener closed: %v", err, l.free)
		}
	})
}
