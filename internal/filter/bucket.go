package filter

import (
	"encoding/binary"
	"net/netip"
)

// golden spreads small differences over a word: 2^32 divided by the golden ratio.
const golden = 0x9e3779b1

// Hash says what of a client decides its bucket.
type Hash struct {
	ByPort bool // its port too: affinity "none"
	Net4   int  // leading bits of an IPv4 address that count, 1 to 32; 0: all
	Net6   int  // leading bits of an IPv6 address that count, 1 to 128; 0: all
}

// Bucket is the bucket of a client, as the programs compute it.
func (h Hash) Bucket(src netip.Addr, sport uint16) uint16 {
	sum := uint32(0)
	if h.ByPort {
		sum = uint32(sport) * golden
	}
	src = src.Unmap()
	mask := h.mask(src.Is4())
	for i, a := 0, src.AsSlice(); i < len(a); i += 4 {
		sum = mix(sum ^ binary.BigEndian.Uint32(a[i:])&binary.BigEndian.Uint32(mask[i:]))
	}
	return uint16(sum >> 20)
}

// mask has the bits of an address that count, in its first 4 or all 16 bytes.
func (h Hash) mask(v4 bool) (m [16]byte) {
	bits := h.Net6
	if v4 {
		bits = h.Net4
	}
	for i := range m {
		switch left := bits - 8*i; {
		case bits == 0 || left >= 8:
			m[i] = 0xff
		case left > 0:
			m[i] = 0xff << (8 - left)
		}
	}
	return m
}

// record is the hash as the programs have it in the rule's page.
func (h Hash) record() maskRecord {
	m4, m6 := h.mask(true), h.mask(false)
	r := maskRecord{mask4: binary.NativeEndian.Uint32(m4[:])}
	for i := range r.mask6 {
		r.mask6[i] = binary.NativeEndian.Uint32(m6[4*i:])
	}
	return r
}

// mix is the finaliser of MurmurHash3 (public domain).
func mix(h uint32) uint32 {
	h ^= h >> 16
	h *= 0x85ebca6b
	h ^= h >> 13
	h *= 0xc2b2ae35
	return h ^ h>>16
}
