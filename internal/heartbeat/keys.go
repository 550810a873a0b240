package heartbeat

import (
	"encoding/binary"
	"time"

	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/wire"
)

// Keys is what a host says of its keys, by their ids. Base zero: it says nothing, because there was no room or because its version
// does not know of it; then its last word stands.
type Keys struct {
	Base  wire.KeyID // of the secret that it signs with
	Other wire.KeyID // of another secret that it holds; 0: none
	Words []KeyWord  // of networks; sorted by network
}

// KeyWord is what a host says of the group keys of one network.
type KeyWord struct {
	Network uint8      // NetworkOptions.Index
	Sign    wire.KeyID // what its heartbeats are signed with; 0: the base key
	Newest  wire.KeyID // the newest key that it holds; 0: none
}

func keyNetworkOf(w KeyWord) uint8 { return w.Network }

// speakable reports whether it could be read back.
func (k *Keys) speakable() bool {
	return len(k.Words) <= MaxWords && rising(k.Words, keyNetworkOf) && (k.Base != 0 || k.Other == 0 && len(k.Words) == 0)
}

func appendKeys(b []byte, k *Keys) []byte {
	if k.Base == 0 {
		return b
	}
	b = binary.BigEndian.AppendUint32(b, uint32(k.Base))
	b = binary.BigEndian.AppendUint32(b, uint32(k.Other))
	b = binary.AppendUvarint(b, uint64(len(k.Words)))
	for _, w := range k.Words {
		b = append(b, w.Network)
		b = binary.BigEndian.AppendUint32(b, uint32(w.Sign))
		b = binary.BigEndian.AppendUint32(b, uint32(w.Newest))
	}
	return b
}

func (r *reader) keys() Keys {
	k := Keys{Base: wire.KeyID(r.u32()), Other: wire.KeyID(r.u32())}
	if n := r.count(MaxWords, "networks with keys"); n > 0 {
		k.Words = make([]KeyWord, n)
	}
	for i := range k.Words {
		k.Words[i] = KeyWord{Network: r.u8(), Sign: wire.KeyID(r.u32()), Newest: wire.KeyID(r.u32())}
	}
	if k.Base == 0 || !rising(k.Words, keyNetworkOf) {
		r.fail("keys")
	}
	return k
}

// Unreadable says when a heartbeat in the name of a host last came under a key that is not held, from a boot that is not
// proved. Anybody can have sent it; zero: never. It must not be called while a Drain hands something over.
func (g *Networks) Unreadable(host member.ID) (last time.Time) {
	note := func(n *Network) {
		n.in.Lock()
		defer n.in.Unlock()
		if at := n.codec.Stranger(host); at.After(last) {
			last = at
		}
	}
	for _, n := range g.list {
		note(n.Network)
		if n.cast != nil {
			note(n.cast.Network)
		}
	}
	return last
}
