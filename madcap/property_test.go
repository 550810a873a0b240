package madcap

import (
	"math"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestAddressArithmetic(t *testing.T) {
	addr := netip.MustParseAddr
	for _, tt := range []struct {
		a    string
		n    uint64
		want string
	}{
		{"239.255.0.255", 1, "239.255.1.0"},
		{"239.255.0.0", 65535, "239.255.255.255"},
		{"255.255.255.255", 1, "invalid IP"},
		{"ff15::ffff:ffff:ffff:ffff", 1, "ff15:0:0:1::"},
		{"ff15::", math.MaxUint64, "ff15::ffff:ffff:ffff:ffff"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1, "invalid IP"},
	} {
		got := plus(addr(tt.a), tt.n)
		if got.String() != tt.want {
			t.Errorf("%s + %d = %v, want %s", tt.a, tt.n, got, tt.want)
		}
		if got.IsValid() && minus(got, addr(tt.a)) != tt.n {
			t.Errorf("%v - %s = %d, want %d", got, tt.a, minus(got, addr(tt.a)), tt.n)
		}
	}
	if n := LocalScope(IPv6).Span().Size(); n != math.MaxUint64 {
		t.Errorf("size of a scope beyond 64 bits: %d", n)
	}
	if n := LocalScope(IPv4).Span().Size(); n != 65536 {
		t.Errorf("size of the local scope: %d", n)
	}
}

// genSpans draws spans within 256 addresses.
func genSpans(base netip.Addr) *rapid.Generator[[]Span] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Span {
		first := rapid.IntRange(0, 255).Draw(t, "first")
		return Span{plus(base, uint64(first)), plus(base, uint64(rapid.IntRange(first, 255).Draw(t, "last")))}
	}), 0, 6)
}

func mark(base netip.Addr, spans []Span) (set [256]bool) {
	for _, s := range spans {
		for i := minus(s.First, base); i <= minus(s.Last, base); i++ {
			set[i] = true
		}
	}
	return set
}

// What is picked is in the pools, not busy, nothing twice, and as much as there is up to what was wanted.
func TestPick(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := LocalScope(rapid.SampledFrom([]Family{IPv4, IPv6}).Draw(t, "family")).First
		pools, busy := merge(genSpans(base).Draw(t, "pools")), genSpans(base).Draw(t, "busy")
		want := rapid.IntRange(1, 300).Draw(t, "want")
		inPool, isBusy := mark(base, pools), mark(base, busy)
		there := 0
		for i := range inPool {
			if inPool[i] && !isBusy[i] {
				there++
			}
		}
		got := pick(pools, busy, want, plus(base, uint64(rapid.IntRange(0, 255).Draw(t, "start"))))
		if n := count(got); n != min(want, there) {
			t.Fatalf("%d addresses %v, want %d of %d", n, got, want, there)
		}
		var taken [256]bool
		for _, r := range got {
			for i := minus(r.First, base); i <= minus(r.Last(), base); i++ {
				if !inPool[i] || isBusy[i] || taken[i] {
					t.Fatalf("%v: address %d is not in a pool, busy, or taken twice", got, i)
				}
				taken[i] = true
			}
		}
	})
}

// Whatever clients ask for, no address has two leases within the extra time of one another, an answer fits what was
// asked for as the client judges it, and the store has what was acknowledged.
func TestNoAddressIsLeasedTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		store := &MemoryStore{}
		extra := time.Duration(rapid.IntRange(0, 3).Draw(t, "extra")) * time.Hour
		cfg := ServerConfig{ID: serverA, Scopes: siteAndGlobal()[:1], Store: store, Extra: max(extra, -1), MaxTime: 10 * time.Hour}
		if extra == 0 {
			cfg.Extra = -1
		}
		only("239.255.1.0", 4)(&cfg)
		s, err := NewServer(cfg)
		if err != nil {
			t.Fatal(err)
		}
		w := &world{s: s, now: someTime, extra: extra, store: store}
		t.Repeat(map[string]func(*rapid.T){
			"discover": func(t *rapid.T) { w.lease(t, InDiscover) },
			"request":  func(t *rapid.T) { w.lease(t, InRequest) },
			"renew":    func(t *rapid.T) { w.send(t, InRenew, w.id(t), w.length(t)) },
			"release":  func(t *rapid.T) { w.send(t, InRelease, w.id(t)) },
			"pass": func(t *rapid.T) {
				w.now = w.now.Add(time.Duration(rapid.IntRange(0, 300).Draw(t, "min")) * time.Minute)
			},
			"restart": func(t *rapid.T) {
				if w.s, err = NewServer(cfg); err != nil {
					t.Fatal(err)
				}
			},
			"": w.check,
		})
	})
}

type world struct {
	s     *Server
	now   time.Time
	xid   uint32
	extra time.Duration
	store *MemoryStore
}

func (w *world) id(t *rapid.T) LeaseID {
	return LeaseID([]byte{0, rapid.Byte().Draw(t, "id") % 8})
}

func (w *world) length(t *rapid.T) Option {
	return LeaseTime(time.Duration(rapid.IntRange(1, 12*60).Draw(t, "length")) * time.Minute)
}

func (w *world) lease(t *rapid.T, p Place) {
	n := rapid.Uint16Range(1, 5).Draw(t, "n")
	options := []Option{w.id(t), ScopeID{LocalScope(IPv4).First}, w.length(t), AddressCount{rapid.Uint16Range(1, n).Draw(t, "min"), n}}
	if rapid.Bool().Draw(t, "ahead") {
		start := w.now.Add(time.Duration(rapid.IntRange(-2, 30).Draw(t, "start")) * time.Hour)
		options = append(options, StartTime{start}, CurrentTime{w.now})
	}
	w.send(t, p, options...)
}

func (w *world) send(t *rapid.T, p Place, options ...Option) {
	w.xid++
	b, err := Message{p.Type(), IPv4, w.xid, options}.Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	in := Packet{Data: b, From: netip.MustParseAddrPort("192.0.2.100:40000")}
	if p == InDiscover {
		in.Group = localGroup
	}
	reply := w.s.Handle(w.now, in)
	if reply == nil {
		return
	}
	m, err := Parse(reply)
	if err != nil {
		t.Fatal(err)
	}
	place := map[Place]Place{InDiscover: InOffer, InRequest: InAckToRequest, InRenew: InAckToRenew, InRelease: InAckToRelease}[p]
	if m.Type == TypeNak {
		place = InNak
	}
	if err := m.Check(place); err != nil {
		t.Fatalf("answer %v: %v", m, err)
	}
}

func (w *world) check(t *rapid.T) {
	kept, _ := w.store.Load()
	if len(kept) != len(w.s.Leases()) {
		t.Fatalf("store has %d leases, server %d", len(kept), len(w.s.Leases()))
	}
	for i, a := range kept {
		for _, b := range kept[:i] {
			if !a.Start.Before(b.End.Add(2*w.extra)) || !b.Start.Before(a.End.Add(2*w.extra)) {
				continue
			}
			for _, r := range a.Ranges {
				for _, o := range b.Ranges {
					if r.span().Overlaps(o.span()) {
						t.Fatalf("both have %v: %v and %v", r, a, b)
					}
				}
			}
		}
	}
}
