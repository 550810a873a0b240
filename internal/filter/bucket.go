package filter

import (
	"encoding/binary"
	"net/netip"
)

// golden spreads small differences over a word: 2^32 divided by the golden ratio.
const golden = 0x9e3779b1

// Bucket is the bucket of a client in a rule, as the programs compute it. byPort is the affinity "none"; without it the port
// does not count.
func Bucket(byPort bool, src netip.Addr, sport uint16) uint16 {
	a := src.Unmap().AsSlice()
	h := uint32(0)
	if byPort {
		h = uint32(sport) * golden
	}
	for ; len(a) >= 4; a = a[4:] {
		h = mix(h ^ binary.BigEndian.Uint32(a))
	}
	return uint16(h >> 20)
}

// mix is the finaliser of MurmurHash3 (public domain).
func mix(h uint32) uint32 {
	h ^= h >> 16
	h *= 0x85ebca6b
	h ^= h >> 13
	h *= 0xc2b2ae35
	return h ^ h>>16
}
