package balance

import (
	"cmp"
	"slices"
	"testing"

	"github.com/muster-ha/muster/internal/member"
	"pgregory.net/rapid"
)

func some(buckets ...int) Bitmap {
	var m Bitmap
	for _, b := range buckets {
		m.Set(b)
	}
	return m
}

func TestSlot(t *testing.T) {
	const n = Nobody
	tests := []struct {
		name    string
		self    member.ID
		owner   uint8
		holding member.Set
		want    Slot
		ghosts  member.Set
	}{
		{"owner, nobody holds", 1, 1, 0, Slot{1, n, n, Last}, 0},
		{"owner among holders", 1, 1, member.Of(0, 1, 2), Slot{1, 0, 2, Ask}, 0},
		{"owner, one holds", 1, 1, member.Of(4), Slot{1, 4, n, Ask}, 0},
		{"owner, four hold: the first two", 0, 0, member.Of(1, 2, 3, 4), Slot{0, 1, 2, Ask}, 0},
		{"first holder", 0, 1, member.Of(0, 2, 3), Slot{1, 2, 3, Ask}, 0},
		{"middle holder", 2, 1, member.Of(0, 2, 3), Slot{1, 3, n, Ask}, 0},
		{"last holder", 3, 1, member.Of(0, 2, 3), Slot{1, n, 2, Ask | Last}, 0},
		{"the only holder", 3, 1, member.Of(3), Slot{1, n, 1, Ask | Last}, 0},
		{"not in the chain", 3, 1, member.Of(0), Slot{1, n, n, Ask}, 0},
		{"not in the chain, nobody holds", 3, 1, 0, Slot{1, n, n, 0}, 0},
		{"nobody owns, others hold", 2, n, member.Of(1, 3, 4), Slot{1, n, n, Ask | NoOwner}, 0},
		{"nobody owns, only a ghost holds", 2, n, member.Of(1), Slot{1, n, n, Ask | NoOwner}, member.Of(1)},
		{"nobody owns, the first of those who hold", 1, n, member.Of(1, 3, 4), Slot{1, 3, 4, Ask | NoOwner}, 0},
		{"nobody owns, the last of them", 4, n, member.Of(1, 3, 4), Slot{1, n, 3, Ask | Last | NoOwner}, 0},
		{"nobody owns, only self holds", 1, n, member.Of(1), Slot{1, n, n, Ask | Last | NoOwner}, 0},
		{"nobody owns, self holds", 2, n, member.Of(2, 31), Slot{2, 31, n, Ask | NoOwner}, 0},
		{"nobody owns, nobody holds", 2, n, 0, Slot{n, n, n, 0}, 0},
		{"owner, a ghost goes last", 1, 1, member.Of(0, 2, 3), Slot{1, 2, 3, Ask}, member.Of(0)},
		{"owner, only a ghost", 1, 1, member.Of(0), Slot{1, 0, n, Ask}, member.Of(0)},
		{"last living holder asks the ghost", 3, 1, member.Of(0, 2, 3), Slot{1, 0, n, Ask}, member.Of(0)},
		{"the highest host", 31, 0, member.Of(31), Slot{0, n, 0, Ask | Last}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := slot(test.self, test.owner, test.holding, test.ghosts); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

// plainSlot says the same as Slots in the words of the design, one bucket at a time.
func plainSlot(self member.ID, t *Table, b int, own Bitmap, mine Holding, others []Holding) Slot {
	s := Slot{Owner: t[b], Second: Nobody, Third: Nobody}
	if own.Has(b) {
		s.Flags |= Own
	}
	var chain []uint8
	ghost := map[uint8]int{}
	mine.ID = self
	for _, h := range append([]Holding{mine}, others...) {
		if h.Ghost {
			ghost[uint8(h.ID)] = 1
		}
		if uint8(h.ID) != t[b] && (h.Unknown || h.Buckets.Has(b)) {
			chain = append(chain, uint8(h.ID))
		}
	}
	if len(chain) > 0 {
		s.Flags |= Ask
	}
	slices.SortFunc(chain, func(x, y uint8) int {
		return cmp.Or(cmp.Compare(ghost[x], ghost[y]), cmp.Compare(x, y))
	})
	if t[b] != Nobody || len(chain) == 0 {
		chain = append([]uint8{t[b]}, chain...)
	} else {
		s.Owner = chain[0] // only to begin with
		s.Flags |= NoOwner
	}
	i := slices.Index(chain, uint8(self))
	if i < 0 {
		return s
	}
	rest := append(chain[i+1:], Nobody, Nobody)
	s.Second, s.Third = rest[0], rest[1]
	if s.Second == Nobody {
		s.Flags |= Last
		if i > 0 {
			s.Third = chain[i-1]
		}
	}
	return s
}

// TestChainsWithoutEnd: nothing but the end is taken off, and a bucket that nobody else may hold keeps it.
func TestChainsWithoutEnd(t *testing.T) {
	var out [Buckets]uint32
	out[0] = Slot{1, Nobody, 2, Ask | Last | Refused}.Word()
	out[1] = Slot{1, Nobody, Nobody, Last | Own}.Word()
	out[2] = Slot{1, 2, 3, Ask | Own}.Word()
	NoLast(&out)
	for b, want := range []Slot{{1, Nobody, 2, Ask | Refused}, {1, Nobody, Nobody, Last | Own}, {1, 2, 3, Ask | Own}} {
		if out[b] != want.Word() {
			t.Errorf("bucket %d: %08x, want %+v", b, out[b], want)
		}
	}
}

func TestSlotsSayWhatTheDesignSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(t, "hosts")
		eligible := member.Set(rapid.Uint32().Draw(t, "eligible"))
		table := NewRankings(make([]int, n)).Table(eligible)
		self := member.ID(rapid.IntRange(0, n-1).Draw(t, "self"))
		holding := func(id member.ID) Holding {
			h := Holding{ID: id, Unknown: rapid.IntRange(0, 3).Draw(t, "unknown") == 0, Ghost: id != self && rapid.IntRange(0, 4).Draw(t, "ghost") == 0}
			for i := range h.Buckets {
				h.Buckets[i] = rapid.Uint64().Draw(t, "word") & rapid.Uint64().Draw(t, "word")
			}
			return h
		}
		var others []Holding
		for id := member.ID(n); id > 0; id-- {
			if id-1 != self {
				others = append(others, holding(id-1))
			}
		}
		mine, own := holding(self), OwnBitmap(table, self)
		own[3] = 0
		var out [Buckets]uint32
		Slots(self, table, own, mine, others, &out)
		for b, word := range out {
			if want := plainSlot(self, table, b, own, mine, others); word != want.Word() {
				t.Fatalf("bucket %d: %08x, want %08x %+v", b, word, want.Word(), want)
			}
		}
	})
}

// TestChainVisitsEveryHolderOnce follows Second from host to host as a packet does.
func TestChainVisitsEveryHolderOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		holding := member.Set(rapid.Uint32().Draw(t, "holding"))
		ghosts := member.Set(rapid.Uint32().Draw(t, "ghosts"))
		owner := uint8(rapid.IntRange(0, 31).Draw(t, "owner"))
		var visited member.Set
		for at := owner; ; {
			if visited.Has(member.ID(at)) {
				t.Fatalf("a loop at %d", at)
			}
			visited = visited.With(member.ID(at))
			s := slot(member.ID(at), owner, holding, ghosts)
			if last := s.Flags&Last != 0; last != (s.Second == Nobody) {
				t.Fatalf("host %d: last %v, second %d", at, last, s.Second)
			}
			if s.Second == Nobody {
				break
			}
			at = s.Second
		}
		if want := holding.With(member.ID(owner)); visited != want {
			t.Fatalf("visited %b, want %b", visited, want)
		}
	})
}

func TestBitmap(t *testing.T) {
	a, b := some(0, 63, 64, 4095), some(63, 64, 100)
	tests := []struct {
		name string
		got  Bitmap
		want Bitmap
	}{
		{"and", a.And(b), some(63, 64)},
		{"or", a.Or(b), some(0, 63, 64, 100, 4095)},
		{"and not", a.AndNot(b), some(0, 4095)},
		{"full and", Full().And(b), b},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.got != test.want {
				t.Errorf("got %v, want %v", test.got, test.want)
			}
		})
	}
	if a != some(0, 63, 64, 4095) {
		t.Error("an operation has changed its operand")
	}
	full := Full()
	if n := full.Count(); n != Buckets {
		t.Errorf("all are %d", n)
	}
	b.Clear(100)
	if b.Has(100) || !b.Has(63) || b.Count() != 2 || !b.Any() || (&Bitmap{}).Any() {
		t.Errorf("after clearing 100: %v", b)
	}
}

func TestWord(t *testing.T) {
	if got := (Slot{1, 2, Nobody, Own | Last}).Word(); got != 0x05ff0201 {
		t.Errorf("got %08x", got)
	}
}

// BenchmarkViewChange is what a view change costs with 64 rules of which everyone may hold anything.
func BenchmarkViewChange(b *testing.B) {
	r := NewRankings([]int{1, 1, 1})
	var out [Buckets]uint32
	for b.Loop() {
		for range member.MaxRules {
			t := r.Table(0b111)
			Slots(1, t, OwnBitmap(t, 1), Holding{ID: 1, Buckets: some(1, 2, 3)}, []Holding{{ID: 0, Unknown: true}, {ID: 2, Buckets: some(7)}}, &out)
		}
	}
}
