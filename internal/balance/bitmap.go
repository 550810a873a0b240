package balance

import (
	"math/bits"

	"github.com/muster-ha/muster/internal/member"
)

// And is the buckets in both.
func (m Bitmap) And(o Bitmap) Bitmap {
	for i := range m {
		m[i] &= o[i]
	}
	return m
}

// Or is the buckets in either.
func (m Bitmap) Or(o Bitmap) Bitmap {
	for i := range m {
		m[i] |= o[i]
	}
	return m
}

// AndNot is the buckets of m that are not in o.
func (m Bitmap) AndNot(o Bitmap) Bitmap {
	for i := range m {
		m[i] &^= o[i]
	}
	return m
}

// Has reports whether bucket b is in the set; b must be below Buckets.
func (m *Bitmap) Has(b int) bool { return m[b/64]>>(b%64)&1 != 0 }

// Set puts bucket b into the set.
func (m *Bitmap) Set(b int) { m[b/64] |= 1 << (b % 64) }

// Clear takes bucket b out of the set.
func (m *Bitmap) Clear(b int) { m[b/64] &^= 1 << (b % 64) }

// Any reports whether there is a bucket in the set.
func (m *Bitmap) Any() bool { return *m != Bitmap{} }

// Count is the number of buckets in the set.
func (m *Bitmap) Count() int {
	n := 0
	for _, w := range m {
		n += bits.OnesCount64(w)
	}
	return n
}

// Full is the set of all buckets.
func Full() Bitmap {
	var m Bitmap
	for i := range m {
		m[i] = ^uint64(0)
	}
	return m
}

// OwnBitmap is the buckets that a table gives to a host.
func OwnBitmap(t *Table, self member.ID) Bitmap {
	var m Bitmap
	for b, owner := range t {
		if owner == uint8(self) {
			m.Set(b)
		}
	}
	return m
}
