package register

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
)

// Errors returned by Put, Delete, ReadEntry and Decode.
var (
	ErrKey     = errors.New("key not possible")          // empty, too long, or not printable ASCII
	ErrValue   = errors.New("value too long")            // above MaxValue bytes
	ErrFull    = errors.New("no room for another value") // MaxValues are there: delete one first
	ErrDamaged = errors.New("damaged entry")             // not as AppendEntry or Encode wrote it
)

// Limits of an Entry.
const (
	MaxKey   = 96  // bytes: the name of a network, with what is said of it
	MaxValue = 256 // bytes
	MaxHost  = 31  // as many hosts as a cluster has

	// maxNumber leaves room above every number that hosts count up to: one that a broken host made up must not end all counting.
	maxNumber = 1 << 62
)

// Version orders what was said of one key: the higher number is the newer, then the higher host. It is a count and no time, so clocks do not
// matter (Lamport, "Time, Clocks, and the Ordering of Events in a Distributed System", 1978).
type Version struct {
	Number uint64 // one more than the highest that the host knew of; at least 1
	Host   uint8  // that set it
}

// Entry is what is known of one key.
type Entry struct {
	Key     string  // 1 to MaxKey bytes of printable ASCII without space
	Value   string  // at most MaxValue bytes of any kind; empty if Deleted
	Deleted bool    // the tombstone of a value
	Version Version // decides between two entries of a key
	At      int64   // seconds since 1970 by the clock of the host that set it: for people
}

// compare orders two entries by age, the older first. Of two different entries of one key, none are equal: also what two hosts made
// up with the same version has a winner.
func compare(a, b Entry) int {
	return cmp.Or(
		cmp.Compare(a.Version.Number, b.Version.Number),
		cmp.Compare(a.Version.Host, b.Version.Host),
		compareBool(a.Deleted, b.Deleted),
		strings.Compare(a.Key, b.Key),
		strings.Compare(a.Value, b.Value),
		cmp.Compare(a.At, b.At),
	)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// check finds what an entry must not be.
func (e Entry) check() error {
	switch {
	case e.Key == "" || len(e.Key) > MaxKey || strings.ContainsFunc(e.Key, func(r rune) bool { return r <= ' ' || r > '~' }):
		return fmt.Errorf("%w: %q (1 to %d printable characters without space)", ErrKey, e.Key, MaxKey)
	case len(e.Value) > MaxValue:
		return fmt.Errorf("%w: %d bytes, at most %d", ErrValue, len(e.Value), MaxValue)
	case e.Deleted && e.Value != "":
		return fmt.Errorf("%w: a deleted key with a value", ErrDamaged)
	case e.Version.Number == 0 || e.Version.Number > maxNumber || e.Version.Host > MaxHost:
		return fmt.Errorf("%w: version %d of host %d", ErrDamaged, e.Version.Number, e.Version.Host)
	case e.At < 0 || e.At > maxSeconds:
		return fmt.Errorf("%w: time", ErrDamaged)
	}
	return nil
}

// maxSeconds is as far as a time can be said: 40 bits of seconds since 1970 reach into the year 36812.
const maxSeconds = 1<<40 - 1
