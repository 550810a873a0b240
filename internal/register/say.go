package register

import (
	"encoding/binary"
	"fmt"
)

// Budget is how many bytes of entries go with one heartbeat, so that what cannot wait keeps its room: one entry of the largest
// size, or a dozen of the usual.
const Budget = maxEntry

// The largest entry as bytes: lengths (1 and 2), key, value, number (9 at most, being below 2^63), host and seconds.
const maxEntry = 1 + MaxKey + 2 + MaxValue + 9 + 1 + 5

// deleted is set in the byte of the host.
const deleted = 0x80

// Said is what a host says of its values in one heartbeat.
type Said struct {
	Digest  Digest  // zero: the host says nothing of them, because its version cannot or the datagram was full
	Entries []Entry // some of them, while somebody has others
}

// Say chooses what to say in at most budget bytes of entries. Entries are said while others have another digest: the newest
// first, and going round, so that all arrive however many get lost.
func (s *Set) Say(differ bool, budget int) Said {
	said := Said{Digest: s.digest}
	if !differ {
		return said
	}
	count := len(s.entries)
	start := s.next % max(1, count)
	for i := range count {
		e := s.entries[(start+i)%count]
		if budget -= e.size(); budget < 0 {
			break
		}
		said.Entries = append(said.Entries, e)
		s.next = (start + i + 1) % count
	}
	return said
}

// size is how many bytes AppendEntry needs.
func (e Entry) size() int { return len(AppendEntry(nil, e)) }

// AppendEntry writes an entry behind b: length and bytes of the key and of the value, number, host with the mark of a tombstone, and
// seconds since 1970 in five bytes.
func AppendEntry(b []byte, e Entry) []byte {
	b = append(b, byte(len(e.Key)))
	b = append(b, e.Key...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(e.Value)))
	b = append(b, e.Value...)
	b = binary.AppendUvarint(b, e.Version.Number)
	host := e.Version.Host
	if e.Deleted {
		host |= deleted
	}
	b = append(b, host, byte(e.At>>32))
	return binary.BigEndian.AppendUint32(b, uint32(e.At))
}

// ReadEntry reads what AppendEntry wrote, and nothing else, and returns what stands behind it. The error is ErrDamaged, ErrKey or
// ErrValue. The entry shares no memory with b.
func ReadEntry(b []byte) (Entry, []byte, error) {
	short := fmt.Errorf("%w: cut short", ErrDamaged)
	if len(b) < 1 || len(b) < 1+int(b[0])+2 {
		return Entry{}, nil, short
	}
	length, b := int(b[0]), b[1:]
	key, b := string(b[:length]), b[length:]
	length, b = int(binary.BigEndian.Uint16(b)), b[2:]
	if len(b) < length {
		return Entry{}, nil, short
	}
	e := Entry{Key: key, Value: string(b[:length])}
	b = b[length:]
	number, n := binary.Uvarint(b)
	if n <= 0 || len(b) < n+6 || n > 1 && b[n-1] == 0 {
		return Entry{}, nil, short
	}
	b = b[n:]
	e.Version, e.Deleted = Version{number, b[0] &^ deleted}, b[0]&deleted != 0
	e.At = int64(b[1])<<32 | int64(binary.BigEndian.Uint32(b[2:]))
	if err := e.check(); err != nil {
		return Entry{}, nil, err
	}
	return e, b[6:], nil
}
