package heartbeat

import (
	"encoding/binary"
	"fmt"
)

// reader takes fields off a payload. After the first failure every field reads as zero, so that only the end has to be checked;
// loops stop because their counts read as zero.
type reader struct {
	rest  []byte
	err   error
	votes bool // attributes may say them
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrMalformed, what)
	}
	r.rest = nil
}

// bytes takes n bytes; they are part of the payload, not a copy.
func (r *reader) bytes(n int) []byte {
	if n > len(r.rest) {
		r.fail("cut short")
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) u8() uint8 {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) u16() uint16 {
	if b := r.bytes(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *reader) u32() uint32 {
	if b := r.bytes(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) u64() uint64 {
	if b := r.bytes(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// varint takes a number that was written in as few bytes as it needs.
func (r *reader) varint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 || n != varintSize(v) {
		r.fail("number")
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// count takes a number of things, of which there may be at most limit.
func (r *reader) count(limit int, what string) int {
	v := r.varint()
	if v > uint64(limit) {
		r.fail("too many " + what)
		return 0
	}
	return int(v)
}

func varintSize(v uint64) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}
