package wire

import (
	"bytes"
	"encoding/binary"

	"github.com/muster-ha/muster/internal/member"
)

const (
	publicSize = 32 // of an X25519 key
	maxShared  = 2  // keys in one answer

	// keyNoteHead is the length of a key message without wrapped keys.
	keyNoteHead = 2 + 8 + publicSize

	controlSize = keyNoteHead + maxShared*keySize + sealSize // of the longest payload for one host
)

// keyNote is the payload of a KeyAsk, which has no wrapped keys, and of a KeyGive, which may have none either: then its
// sender has no group key.
type keyNote struct {
	to      member.ID        // the host it is meant for
	boot    member.Boot      // and that host's boot
	public  [publicSize]byte // of the sender's boot
	wrapped []byte           // up to maxShared keys, sealed for the host's boot alone
}

func (n keyNote) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(n.to))
	b = binary.BigEndian.AppendUint64(b, uint64(n.boot))
	b = append(b, n.public[:]...)
	return append(b, n.wrapped...)
}

// parseKeyNote reads a payload that was sealed; ok is false when it has no meaning. What is wrapped is not copied.
func parseKeyNote(b []byte) (n keyNote, ok bool) {
	if len(b) < keyNoteHead {
		return keyNote{}, false
	}
	to := binary.BigEndian.Uint16(b)
	n = keyNote{
		to:      member.ID(to),
		boot:    member.Boot(binary.BigEndian.Uint64(b[2:])),
		public:  [publicSize]byte(b[10:]),
		wrapped: b[keyNoteHead:],
	}
	keys := len(n.wrapped) - sealSize
	whole := len(n.wrapped) == 0 || keys > 0 && keys%keySize == 0 && keys <= maxShared*keySize
	return n, to < member.MaxHosts && whole
}

// equal reports whether two say the same.
func (n keyNote) equal(m keyNote) bool {
	return n.to == m.to && n.boot == m.boot && n.public == m.public && bytes.Equal(n.wrapped, m.wrapped)
}
