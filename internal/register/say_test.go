package register

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestEntriesAreSaidOnlyWhileSomebodyDiffers(t *testing.T) {
	s := New(0)
	put(t, s, "k", "v")
	if said := s.Say(false, Budget); said.Digest != s.Digest() || said.Entries != nil {
		t.Errorf("all agree: %+v", said)
	}
	if said := s.Say(true, Budget); said.Digest != s.Digest() || len(said.Entries) != 1 {
		t.Errorf("one differs: %+v", said)
	}
	if said := New(0).Say(true, Budget); said.Entries != nil || said.Digest == 0 {
		t.Errorf("nothing is known: %+v", said)
	}
}

// TestEverythingIsSaidInTurn: however large entries are, all are said within as many heartbeats as there are entries, the newest first,
// and never more than the budget.
func TestEverythingIsSaidInTurn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := New(0)
		count := rapid.IntRange(1, MaxValues).Draw(t, "values")
		for i := range count {
			key := fmt.Sprintf("%03d%s", i, strings.Repeat("k", rapid.IntRange(0, MaxKey-3).Draw(t, "key")))
			if err := s.Put(key, strings.Repeat("v", rapid.IntRange(0, MaxValue).Draw(t, "value")), noon()); err != nil {
				t.Fatal(err)
			}
		}
		said := map[string]bool{}
		for turn := range count {
			size := 0
			for i, e := range s.Say(true, Budget).Entries {
				if turn == 0 && i == 0 && e != s.entries[0] {
					t.Errorf("the newest is not the first: %s", e.Key)
				}
				said[e.Key] = true
				size += e.size()
			}
			if size > Budget {
				t.Errorf("%d bytes, at most %d", size, Budget)
			}
		}
		if len(said) != count {
			t.Errorf("%d of %d said", len(said), count)
		}
	})
}

func TestLargestEntryFitsTheBudget(t *testing.T) {
	e := Entry{Key: strings.Repeat("k", MaxKey), Value: strings.Repeat("v", MaxValue), Version: Version{maxNumber, MaxHost}, At: maxSeconds}
	if e.check() != nil || e.size() != maxEntry {
		t.Errorf("%d bytes, want %d", e.size(), maxEntry)
	}
}

func TestEntriesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := drawEntry(t)
		b := AppendEntry([]byte("head"), e)
		got, rest, err := ReadEntry(append(b[4:], "tail"...))
		if err != nil || got != e || string(rest) != "tail" {
			t.Errorf("%+v, rest %q, %v", got, rest, err)
		}
	})
}

func TestWhatIsNoEntry(t *testing.T) {
	good := AppendEntry(nil, Entry{Key: "k", Value: "v", Version: Version{1, 1}, At: 1})
	with := func(at int, by ...byte) []byte { return slices.Concat(good[:at], by, good[at+1:]) }
	for _, tc := range []struct {
		name string
		b    []byte
		want error
	}{
		{"as it was", good, nil},
		{"nothing", nil, ErrDamaged},
		{"key of no length", slices.Concat([]byte{0}, good[2:]), ErrKey},
		{"key with a space", with(1, ' '), ErrKey},
		{"key longer than all", with(0, 200), ErrDamaged},
		{"key of the most bytes that the length can say", append([]byte{255}, make([]byte, 255+2+6)...), ErrDamaged},
		{"value longer than all", with(3, 200), ErrDamaged},
		{"value too long", slices.Concat(good[:2], []byte{1, 1}, make([]byte, 257), good[5:]), ErrValue},
		{"number zero", with(5, 0), ErrDamaged},
		{"number longer than it need be", with(5, 0x81, 0), ErrDamaged},
		{"number in two bytes", with(5, 0x81, 1), nil},
		{"number beyond all", with(5, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f), ErrDamaged},
		{"host beyond all", with(6, 32), ErrDamaged},
		{"tombstone with a value", with(6, 0x81), ErrDamaged},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, _, err := ReadEntry(tc.b); !errors.Is(err, tc.want) || tc.want == nil && err != nil {
				t.Errorf("error %v", err)
			}
		})
	}
	for n := range good {
		if _, _, err := ReadEntry(good[:n]); err == nil {
			t.Errorf("%d of %d bytes are read", n, len(good))
		}
	}
}

func FuzzReadEntry(f *testing.F) {
	f.Add(AppendEntry(nil, Entry{Key: "network/lan/address", Value: "239.1.2.3", Version: Version{7, 1}, At: 1}))
	f.Add(AppendEntry(nil, Entry{Key: "k", Deleted: true, Version: Version{1 << 60, 31}, At: 1}))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, rest, err := ReadEntry(b)
		if err != nil {
			return
		}
		if again := AppendEntry(nil, e); string(again)+string(rest) != string(b) {
			t.Errorf("%x is read, %x is written", b, again)
		}
	})
}
