package madcap

import (
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"
)

// book knows which addresses are taken, and when.
type book struct {
	store  Store
	extra  time.Duration
	leases map[LeaseID]Record
	holds  map[LeaseID]hold // offered, not yet asked for
}

type hold struct {
	Record
	until time.Time
}

// demand is what is looked for.
type demand struct {
	id            LeaseID // whose own addresses do not count as taken
	pools         []Span
	prefer        []Range // taken if they are free
	min, desired  int
	start, latest time.Time
	time, minTime time.Duration
}

// booking is what was found.
type booking struct {
	ranges []Range
	start  time.Time
	time   time.Duration
}

// maxTries bounds how many other starts, and for each how many shorter times, are looked at when what was asked for is not there.
const maxTries = 4

func (b *book) load() error {
	records, err := b.store.Load()
	if err != nil {
		return err
	}
	b.leases = make(map[LeaseID]Record, len(records))
	for _, r := range records {
		b.leases[r.ID] = r
	}
	return nil
}

// live returns a lease that has not ended.
func (b *book) live(now time.Time, id LeaseID) (Record, bool) {
	r, ok := b.leases[id]
	return r, ok && now.Before(r.End)
}

// put makes a lease durable and then known. It ends the hold of the same identifier.
func (b *book) put(r Record) error {
	if err := b.store.Put(r); err != nil {
		return err
	}
	b.leases[r.ID] = r
	delete(b.holds, r.ID)
	return nil
}

func (b *book) remove(id LeaseID) error {
	if err := b.store.Delete(id); err != nil {
		return err
	}
	delete(b.leases, id)
	return nil
}

// sweep forgets holds and leases that are over. Leases of other servers are theirs to delete from the store.
func (b *book) sweep(now time.Time, self netip.Addr) error {
	maps.DeleteFunc(b.holds, func(_ LeaseID, h hold) bool { return !now.Before(h.until) })
	var over []LeaseID
	for id, r := range b.leases {
		if r.Server == self && now.After(r.End.Add(2*b.extra)) {
			over = append(over, id)
		}
	}
	if len(over) == 0 {
		return nil
	}
	if err := b.store.Delete(over...); err != nil {
		return err
	}
	for _, id := range over {
		delete(b.leases, id)
	}
	return nil
}

// others calls f for each lease and live hold except those of an identifier.
func (b *book) others(now time.Time, id LeaseID, f func(Record)) {
	for _, r := range b.leases {
		if r.ID != id {
			f(r)
		}
	}
	for _, h := range b.holds {
		if h.ID != id && now.Before(h.until) {
			f(h.Record)
		}
	}
}

// busy returns the addresses that are reserved at some time between start and end. A lease reserves them for the extra time before and
// after it too (RFC 2730, section 2.12), and so does the one that is looked for.
func (b *book) busy(now time.Time, id LeaseID, start, end time.Time) []Span {
	var spans []Span
	b.others(now, id, func(r Record) {
		if r.Start.Add(-2*b.extra).Before(end) && start.Before(r.End.Add(2*b.extra)) {
			for _, a := range r.Ranges {
				spans = append(spans, a.span())
			}
		}
	})
	return spans
}

// find looks for addresses: at the wanted time, else for a shorter one, else later (sections 2.2.2 and 2.2.4). ok is false when there are
// none that would be accepted.
func (b *book) find(now time.Time, d demand) (found booking, ok bool) {
	for _, start := range b.starts(now, d) {
		for _, length := range b.lengths(now, d, start) {
			busy := b.busy(now, d.id, start, start.Add(length))
			ranges := d.prefer
			if len(ranges) == 0 || !free(ranges, busy) {
				ranges = pick(d.pools, busy, d.desired, somewhere(d.pools))
			}
			if count(ranges) >= d.min {
				return booking{ranges, start, length}, true
			}
		}
	}
	return booking{}, false
}

func free(ranges []Range, busy []Span) bool {
	return !slices.ContainsFunc(ranges, func(r Range) bool {
		return slices.ContainsFunc(busy, r.span().Overlaps)
	})
}

// somewhere returns a random address of the pools, so that addresses just released are not the next to be used.
func somewhere(pools []Span) netip.Addr {
	if len(pools) == 0 {
		return netip.Addr{}
	}
	p := pools[rand.IntN(len(pools))]
	return plus(p.First, rand.Uint64N(p.Size()))
}

// starts returns the wanted start and the next few times at which addresses become free, up to the latest.
func (b *book) starts(now time.Time, d demand) []time.Time {
	var later []time.Time
	b.others(now, d.id, func(r Record) {
		at := r.End.Add(2*b.extra + time.Second - 1).Truncate(time.Second) // the wire has whole seconds
		if at.After(d.start) && !at.After(d.latest) {
			later = append(later, at)
		}
	})
	slices.SortFunc(later, time.Time.Compare)
	later = slices.CompactFunc(later, time.Time.Equal)
	return append([]time.Time{d.start}, later[:min(len(later), maxTries)]...)
}

// lengths returns the wanted time and the longest few shorter ones that end before another reservation begins.
func (b *book) lengths(now time.Time, d demand, start time.Time) []time.Duration {
	var shorter []time.Duration
	b.others(now, d.id, func(r Record) {
		length := r.Start.Add(-2 * b.extra).Sub(start).Truncate(time.Second)
		if length < d.time && length >= max(d.minTime, time.Second) {
			shorter = append(shorter, length)
		}
	})
	slices.Sort(shorter)
	slices.Reverse(shorter)
	shorter = slices.Compact(shorter)
	return append([]time.Duration{d.time}, shorter[:min(len(shorter), maxTries)]...)
}
