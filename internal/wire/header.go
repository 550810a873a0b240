package wire

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/muster-ha/muster/internal/member"
)

// Sizes in bytes.
const (
	MaxDatagram = 1472 // what an Ethernet frame carries over IPv4
	headerSize  = 38
	sealSize    = 16
	Overhead    = headerSize + sealSize  // of each datagram, beside its payload
	MaxPayload  = MaxDatagram - Overhead // so no heartbeat is ever a fragment

	tagSize = 8
)

const (
	magic   = "MSTR"
	version = 1
)

// Type is what kind of datagram it is. It decides which key seals it (docs/design/0006-keys.md) and which sequences it may have.
type Type uint8

// The types of datagrams. Open deals with all but heartbeats and farewells by itself.
const (
	Heartbeat Type = 1 + iota // what I am, know and hear
	Challenge                 // are you alive?
	Proof                     // I am
	Farewell                  // I am not any more
	KeyAsk                    // which group keys do you use?
	KeyGive                   // these, for you alone
)

// Heartbeats are numbered from 1, so that every receiver sees its losses as gaps. What goes to one host only is
// numbered from firstControl. The farewell has the last number of all, so that it can be sealed in
// advance. No number is used twice under one key.
const (
	firstControl uint64 = 1 << 63
	lastWords    uint64 = 1<<64 - 1
)

// clusterTag tells clusters apart.
type clusterTag [tagSize]byte

func tagOf(cluster string) clusterTag {
	sum := sha256.Sum256([]byte(cluster))
	return clusterTag(sum[:tagSize])
}

// header is what stands before the sealed payload, apart from what is the same in all datagrams of a cluster.
type header struct {
	kind    Type
	key     KeyID
	network uint16
	sender  member.ID
	boot    member.Boot
	seq     uint64
}

func (h header) append(b []byte, tag clusterTag) []byte {
	b = append(b, magic...)
	b = append(b, version, byte(h.kind))
	b = binary.BigEndian.AppendUint32(b, uint32(h.key))
	b = append(b, tag[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(h.sender))
	b = binary.BigEndian.AppendUint16(b, h.network)
	b = binary.BigEndian.AppendUint64(b, uint64(h.boot))
	return binary.BigEndian.AppendUint64(b, h.seq)
}

// parseHeader reads what anybody may have written; nothing of it is true before the seal is checked.
func parseHeader(b []byte, tag clusterTag, network uint16, hosts int, self member.ID) (header, Reason) {
	if len(b) < Overhead {
		return header{}, Short
	}
	if string(b[:4]) != magic {
		return header{}, Magic
	}
	if b[4] != version {
		return header{}, Version
	}
	if clusterTag(b[10:18]) != tag {
		return header{}, Cluster
	}
	sender := binary.BigEndian.Uint16(b[18:])
	if int(sender) >= hosts || member.ID(sender) == self {
		return header{}, Sender
	}
	if binary.BigEndian.Uint16(b[20:]) != network {
		return header{}, Network
	}
	h := header{
		kind:    Type(b[5]),
		key:     KeyID(binary.BigEndian.Uint32(b[6:])),
		network: network,
		sender:  member.ID(sender),
		boot:    member.Boot(binary.BigEndian.Uint64(b[22:])),
		seq:     binary.BigEndian.Uint64(b[30:]),
	}
	if len(b) > MaxDatagram || h.boot == 0 || !h.fits() {
		return header{}, Malformed
	}
	return h, Accepted
}

// fits reports whether the type and the sequence belong together.
func (h header) fits() bool {
	switch h.kind {
	case Heartbeat:
		return h.seq > 0 && h.seq < firstControl
	case Challenge, Proof, KeyAsk, KeyGive:
		return h.seq >= firstControl && h.seq < lastWords
	case Farewell:
		return h.seq == lastWords
	}
	return false
}
