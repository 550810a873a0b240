package register

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// noon is a time that decides nothing.
func noon() time.Time { return time.Unix(1_800_000_000, 0) }

func put(t *testing.T, s *Set, key, value string) {
	t.Helper()
	if err := s.Put(key, value, noon()); err != nil {
		t.Fatal(err)
	}
}

func TestNewestWins(t *testing.T) {
	v := func(number uint64, host uint8, value string) Entry {
		return Entry{Key: "k", Value: value, Version: Version{number, host}}
	}
	gone := func(number uint64, host uint8) Entry {
		return Entry{Key: "k", Deleted: true, Version: Version{number, host}}
	}
	for _, tc := range []struct {
		name string
		a, b Entry
		want Entry
	}{
		{"higher number", v(1, 5, "old"), v(2, 0, "new"), v(2, 0, "new")},
		{"same number, higher host", v(2, 1, "one"), v(2, 3, "three"), v(2, 3, "three")},
		{"newer tombstone", v(2, 1, "one"), gone(3, 0), gone(3, 0)},
		{"older tombstone", v(4, 1, "one"), gone(3, 0), v(4, 1, "one")},
		{"one version twice, after a lost file", v(1, 1, "a"), v(1, 1, "b"), v(1, 1, "b")},
		{"one version, value and tombstone", v(1, 1, "a"), gone(1, 1), gone(1, 1)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, order := range [][]Entry{{tc.a, tc.b}, {tc.b, tc.a}, {tc.a, tc.b, tc.a}} {
				s := New(0)
				for _, e := range order {
					s.Merge([]Entry{e})
				}
				if got, ok := s.Last("k"); !ok || got != tc.want {
					t.Errorf("%v: %+v", order, got)
				}
			}
		})
	}
}

func TestPutAndDelete(t *testing.T) {
	s := New(3)
	empty := s.Digest()
	put(t, s, "a", "1")
	put(t, s, "b", "2")
	e, ok := s.Get("a")
	if want := (Entry{Key: "a", Value: "1", Version: Version{1, 3}, At: noon().Unix()}); !ok || e != want {
		t.Errorf("%+v, want %+v", e, want)
	}
	digest := s.Digest()
	if digest == empty {
		t.Error("two values, and the digest of none")
	}
	if put(t, s, "a", "1"); s.Digest() != digest {
		t.Error("the value that is there makes a new version")
	}
	if err := s.Delete("a", noon()); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete("never", noon()); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Get("a"); ok {
		t.Error("a deleted key has a value")
	}
	if e, ok := s.Last("a"); !ok || !e.Deleted || e.Version.Number != 3 {
		t.Errorf("tombstone %+v", e)
	}
	if got := s.Values(""); len(got) != 1 || got[0].Key != "b" {
		t.Errorf("values %+v", got)
	}
}

func TestLimits(t *testing.T) {
	full := New(0)
	for i := range MaxValues {
		put(t, full, fmt.Sprintf("k%02d", i), "v")
	}
	for _, tc := range []struct {
		name       string
		s          *Set
		key, value string
		want       error
	}{
		{"longest", New(0), strings.Repeat("k", MaxKey), strings.Repeat("v", MaxValue), nil},
		{"any bytes as value", New(0), "k", "\x00\xff\n", nil},
		{"no key", New(0), "", "v", ErrKey},
		{"key too long", New(0), strings.Repeat("k", MaxKey+1), "v", ErrKey},
		{"space in the key", New(0), "a b", "v", ErrKey},
		{"key beyond ASCII", New(0), "ä", "v", ErrKey},
		{"value too long", New(0), "k", strings.Repeat("v", MaxValue+1), ErrValue},
		{"one value too many", full, "one-more", "v", ErrFull},
		{"another value of a key that is there", full, "k00", "w", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := tc.s.Digest()
			err := tc.s.Put(tc.key, tc.value, noon())
			if !errors.Is(err, tc.want) || (err != nil) != (tc.s.Digest() == before) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestTombstonesAreBounded(t *testing.T) {
	s := New(0)
	for i := range 3 * MaxTombstones {
		key := fmt.Sprintf("k%03d", i)
		put(t, s, key, "v")
		if err := s.Delete(key, noon()); err != nil {
			t.Fatal(err)
		}
	}
	put(t, s, "last", "v")
	if len(s.entries) != MaxTombstones+1 {
		t.Errorf("%d entries", len(s.entries))
	}
	if _, ok := s.Last(fmt.Sprintf("k%03d", 3*MaxTombstones-1)); !ok {
		t.Error("the newest tombstone is forgotten")
	}
}

func TestMergeSaysWhatHasChanged(t *testing.T) {
	a, b := New(0), New(1)
	put(t, a, "x", "1")
	put(t, a, "y", "1")
	if got := b.Merge(a.entries); !slices.Equal(got, []string{"x", "y"}) {
		t.Errorf("changed %v", got)
	}
	if got := b.Merge(a.entries); got != nil {
		t.Errorf("the same again changed %v", got)
	}
	put(t, a, "y", "2")
	if got := b.Merge(a.entries); !slices.Equal(got, []string{"y"}) || a.Digest() != b.Digest() {
		t.Errorf("changed %v", got)
	}
	if err := b.Delete("x", noon()); err != nil {
		t.Fatal(err)
	}
	if got := a.Merge(b.entries); !slices.Equal(got, []string{"x"}) {
		t.Errorf("a deletion changed %v", got)
	}
}

func TestImpossibleEntriesAreNotMerged(t *testing.T) {
	for name, e := range map[string]Entry{
		"no number":        {Key: "k", Value: "v"},
		"number of no use": {Key: "k", Value: "v", Version: Version{Number: maxNumber + 1}},
		"host of none":     {Key: "k", Value: "v", Version: Version{1, MaxHost + 1}},
		"no key":           {Version: Version{1, 1}},
		"deleted value":    {Key: "k", Value: "v", Deleted: true, Version: Version{1, 1}},
		"before 1970":      {Key: "k", Version: Version{1, 1}, At: -1},
	} {
		t.Run(name, func(t *testing.T) {
			s := New(0)
			if changed := s.Merge([]Entry{e}); changed != nil || len(s.entries) != 0 {
				t.Errorf("%v", s.entries)
			}
		})
	}
}

// drawEntry draws from few keys and versions, so that they meet.
func drawEntry(t *rapid.T) Entry {
	e := Entry{Key: fmt.Sprintf("k%d", rapid.IntRange(0, 80).Draw(t, "key")), At: rapid.Int64Range(0, maxSeconds).Draw(t, "at"),
		Version: Version{rapid.Uint64Range(1, 200).Draw(t, "number"), rapid.Uint8Max(3).Draw(t, "host")}, Deleted: rapid.Bool().Draw(t, "deleted")}
	if !e.Deleted {
		e.Value = rapid.StringN(0, 3, 20).Draw(t, "value")
	}
	return e
}

// TestMergeIsTheSameInEveryOrder: entries within the bounds, in any order and however often, make one and the same Set.
func TestMergeIsTheSameInEveryOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		entries := rapid.SliceOfN(rapid.Custom(drawEntry), 0, MaxValues).Draw(t, "entries")
		a, b := New(0), New(1)
		a.Merge(entries)
		for _, e := range rapid.Permutation(append(slices.Clone(entries), entries...)).Draw(t, "order") {
			b.Merge([]Entry{e})
		}
		if a.Digest() != b.Digest() || !reflect.DeepEqual(a.entries, b.entries) {
			t.Errorf("%v\n%v", a.entries, b.entries)
		}
	})
}

// TestNewPutIsNewerThanAllKnown: what a host sets wins over everything that it has seen.
func TestNewPutIsNewerThanAllKnown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, other := New(0), New(3)
		known := rapid.SliceOfN(rapid.Custom(drawEntry), 1, 60).Draw(t, "known")
		s.Merge(known)
		other.Merge(known)
		key := known[rapid.IntRange(0, len(known)-1).Draw(t, "which")].Key
		if err := s.Put(key, "the new value", noon()); err != nil {
			t.Fatal(err)
		}
		other.Merge(s.entries)
		if e, ok := other.Get(key); !ok || e.Value != "the new value" {
			t.Errorf("%+v", e)
		}
	})
}
