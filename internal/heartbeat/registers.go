package heartbeat

import (
	"encoding/binary"

	"github.com/muster-ha/muster/internal/register"
)

// appendRegisters writes the digest, and as many of the entries as there is room for: the others have their turn again.
func appendRegisters(b []byte, said register.Said, limit int) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(said.Digest))
	for _, e := range said.Entries {
		before := len(b)
		if b = register.AppendEntry(b, e); len(b) > limit {
			return b[:before]
		}
	}
	return b
}

// registers reads a whole section.
func (r *reader) registers() register.Said {
	said := register.Said{Digest: register.Digest(r.u64())}
	if said.Digest == 0 {
		r.fail("digest of registers")
	}
	for len(r.rest) > 0 && r.err == nil {
		e, rest, err := register.ReadEntry(r.rest)
		if err != nil {
			r.fail(err.Error())
			break
		}
		said.Entries = append(said.Entries, e)
		r.rest = rest
	}
	return said
}
