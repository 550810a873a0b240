package register

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The bounds of a Set. Tombstones are counted apart, so that what was deleted takes no room from what is there.
const (
	MaxValues     = 128 // what is set with eight networks and all their parameters is 49, an order for each host 32, and orders about rules come on top
	MaxTombstones = 64  // of the newest; what comes back after that many deletions is said in the package's doc
)

// Digest identifies what a Set holds: two Sets with the same one hold the same entries. It is never zero, which stands for "not said".
type Digest uint64

// Set is one host's copy of the values.
type Set struct {
	self    uint8
	entries []Entry // the newest first; each key once
	digest  Digest
	next    int // where Say goes on
}

// New makes an empty Set of the host with the given number, which must not be above MaxHost.
func New(self uint8) *Set {
	s := &Set{self: min(self, MaxHost)}
	s.settle()
	return s
}

// Put gives a key a value. now is for people. It returns ErrKey, ErrValue or ErrFull, and then nothing has changed.
func (s *Set) Put(key, value string, now time.Time) error {
	if e, ok := s.Get(key); !ok && s.values() >= MaxValues {
		return fmt.Errorf("%w: there are %d values already, %q would be one more", ErrFull, MaxValues, key)
	} else if ok && e.Value == value {
		return nil
	}
	return s.write(Entry{Key: key, Value: value}, now)
}

// Delete takes a key's value away, and leaves a tombstone. A key that has no value stays as it is, without an
// error.
func (s *Set) Delete(key string, now time.Time) error {
	if _, ok := s.Get(key); !ok {
		return nil
	}
	return s.write(Entry{Key: key, Deleted: true}, now)
}

// write makes an entry the newest of all.
func (s *Set) write(e Entry, now time.Time) error {
	e.Version = Version{Number: s.highest() + 1, Host: s.self}
	e.At = min(max(now.Unix(), 0), maxSeconds)
	if err := e.check(); err != nil {
		return err
	}
	s.take(e)
	s.settle()
	s.next = 0
	return nil
}

// highest is the highest number seen. What has been forgotten was older than what is kept.
func (s *Set) highest() uint64 {
	if len(s.entries) == 0 {
		return 0
	}
	return s.entries[0].Version.Number
}

// Merge takes in what another host or a file says, and returns the keys of which something else is known now, in order.
func (s *Set) Merge(entries []Entry) []string {
	before := slices.Clone(s.entries)
	for _, e := range entries {
		if e.check() == nil {
			s.take(e)
		}
	}
	s.settle()
	var changed []string
	for _, e := range s.entries {
		if !slices.Contains(before, e) {
			changed = append(changed, e.Key)
		}
	}
	for _, e := range before { // forgotten beyond the bounds
		if _, i := s.find(e.Key); i < 0 {
			changed = append(changed, e.Key)
		}
	}
	slices.Sort(changed)
	return changed
}

// take lets an entry in if it is newer than what is known of its key. settle has to follow.
func (s *Set) take(e Entry) {
	old, i := s.find(e.Key)
	switch {
	case i < 0:
		s.entries = append(s.entries, e)
	case compare(old, e) < 0:
		s.entries[i] = e
	}
}

// settle brings the entries into order, forgets the oldest beyond the bounds, and computes the digest.
func (s *Set) settle() {
	slices.SortFunc(s.entries, func(a, b Entry) int { return compare(b, a) })
	values, tombstones := 0, 0
	s.entries = slices.DeleteFunc(s.entries, func(e Entry) bool {
		if e.Deleted {
			tombstones++
			return tombstones > MaxTombstones
		}
		values++
		return values > MaxValues
	})
	h := sha256.New()
	for _, e := range s.entries {
		h.Write(AppendEntry(nil, e))
	}
	s.digest = Digest(max(1, binary.BigEndian.Uint64(h.Sum(nil))))
}

func (s *Set) find(key string) (Entry, int) {
	i := slices.IndexFunc(s.entries, func(e Entry) bool { return e.Key == key })
	if i < 0 {
		return Entry{}, i
	}
	return s.entries[i], i
}

// Get returns a key's value with what is known of it; false: it has none.
func (s *Set) Get(key string) (Entry, bool) {
	e, i := s.find(key)
	return e, i >= 0 && !e.Deleted
}

// Last returns what is known of a key also if that is its deletion; false: nothing.
func (s *Set) Last(key string) (Entry, bool) {
	e, i := s.find(key)
	return e, i >= 0
}

// Values returns all values whose keys begin so, by key.
func (s *Set) Values(prefix string) []Entry {
	var list []Entry
	for _, e := range s.entries {
		if !e.Deleted && strings.HasPrefix(e.Key, prefix) {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b Entry) int { return cmp.Compare(a.Key, b.Key) })
	return list
}

func (s *Set) values() int {
	n := 0
	for _, e := range s.entries {
		if !e.Deleted {
			n++
		}
	}
	return n
}

// Digest identifies what the Set holds now.
func (s *Set) Digest() Digest { return s.digest }
