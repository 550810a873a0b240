package wire

import (
	"encoding/binary"

	"github.com/muster-ha/muster/internal/member"
)

// noteSize is the length of a note in bytes.
const noteSize = 2 + 8 + nonceSize + 8

// note is the payload of a challenge and of a proof.
type note struct {
	to      member.ID   // the host it is meant for
	boot    member.Boot // and that host's boot
	nonce   [nonceSize]byte
	reached uint64 // the sequence of the sender's last heartbeat
}

func (n note) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(n.to))
	b = binary.BigEndian.AppendUint64(b, uint64(n.boot))
	b = append(b, n.nonce[:]...)
	return binary.BigEndian.AppendUint64(b, n.reached)
}

// parseNote reads a payload that was sealed; ok is false when it has no meaning.
func parseNote(b []byte) (n note, ok bool) {
	if len(b) != noteSize {
		return note{}, false
	}
	to := binary.BigEndian.Uint16(b)
	n = note{
		to:      member.ID(to),
		boot:    member.Boot(binary.BigEndian.Uint64(b[2:])),
		nonce:   [nonceSize]byte(b[10:]),
		reached: binary.BigEndian.Uint64(b[10+nonceSize:]),
	}
	return n, to < member.MaxHosts && n.reached < firstControl
}
