package wire

import (
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/muster-ha/muster/internal/member"
)

// strange deals with a datagram under a key that is not held. Nothing of it can be true or false, so all that follows is a question
// to the host's configured address, at most one an interval: to a boot that is proved for its keys, to any other for a proof. Without
// the latter two hosts that have never met could not begin to talk once each signs with a group key of its own.
func (c *Codec) strange(p *peer, h header, now time.Time) (m Message, reply []byte, why Reason) {
	m = Message{From: h.sender}
	switch {
	case h.kind != Heartbeat:
		return m, nil, Key
	case p.current.boot == h.boot:
		return m, c.askKeys(p, h.sender, now), Key
	}
	p.stranger = now
	if boot := p.candidate(h.boot); boot != nil {
		return m, c.ask(p, boot, h.sender, h.boot, now), Key
	}
	if within(now, p.blind, blindPause*c.interval) {
		return m, nil, Key
	}
	p.blind = now
	return m, c.question(p, h.sender, h.boot, now), Key
}

// askKeys asks a proved boot for the group keys that it uses, at most once an interval.
func (c *Codec) askKeys(p *peer, host member.ID, now time.Time) []byte {
	if within(now, p.current.asked, c.interval) {
		return nil
	}
	p.current.asked = now
	note := keyNote{to: host, boot: p.current.boot, public: c.ring.public()}
	c.reply = c.sealControl(c.reply[:0], KeyAsk, func(b []byte, _ uint64) []byte { return note.append(b) })
	return c.reply
}

// giveKeys answers a proved boot, at most once an interval.
func (c *Codec) giveKeys(p *peer, m Message, n keyNote, now time.Time) []byte {
	if within(now, p.current.gave, c.interval) {
		return nil
	}
	p.current.gave = now
	ours, theirs := c.ends(p, m.From, n.public)
	wrap := c.wrapper(p, ours, theirs, n.public)
	if wrap == nil {
		return nil
	}
	note, plain := keyNote{to: m.From, boot: m.Boot, public: ours.public}, c.ring.shared()
	defer clear(plain)
	c.reply = c.sealControl(c.reply[:0], KeyGive, func(b []byte, seq uint64) []byte {
		var number nonce
		if len(plain) > 0 {
			note.wrapped = wrap.Seal(nil, number.set(seq), plain, nil)
		}
		return note.append(b)
	})
	return c.reply
}

// takeKeys keeps the group keys that a proved boot has wrapped for us.
func (c *Codec) takeKeys(p *peer, m Message, n keyNote) Reason {
	if len(n.wrapped) == 0 {
		return Accepted
	}
	ours, theirs := c.ends(p, m.From, n.public)
	wrap := c.wrapper(p, theirs, ours, n.public)
	if wrap == nil {
		return Malformed
	}
	var number nonce
	plain, err := wrap.Open(nil, number.set(m.Seq), n.wrapped, nil)
	if err != nil {
		return Seal
	}
	defer clear(plain)
	for ; len(plain) >= keySize; plain = plain[keySize:] {
		c.ring.add(plain[:keySize])
	}
	return Accepted
}

// end is one of the two boots of an exchange.
type end struct {
	host   member.ID
	boot   member.Boot
	public [publicSize]byte
}

func (e end) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(e.host))
	b = binary.BigEndian.AppendUint64(b, uint64(e.boot))
	return append(b, e.public[:]...)
}

// ends are this boot and the proved one of a host.
func (c *Codec) ends(p *peer, host member.ID, public [publicSize]byte) (ours, theirs end) {
	return end{c.self, c.boot, c.ring.public()}, end{host, p.current.boot, public}
}

// wrapper is the cipher for keys from a giver to a taker, one of whom is the peer with that public key. It depends on the key pairs of
// both boots, which end with them: who learns the secret later opens nothing of what he has recorded. nil: that is no public key.
func (c *Codec) wrapper(p *peer, giver, taker end, public [publicSize]byte) cipher.AEAD {
	shared := c.ring.agree(p, public)
	if shared == nil {
		return nil
	}
	info := binary.BigEndian.AppendUint16([]byte("muster key wrap"), c.network)
	info = taker.append(giver.append(info))
	key, err := hkdf.Key(sha256.New, shared, c.tag[:], string(info), keySize)
	if err != nil {
		panic(err) // only for more than 255 hashes: cannot happen
	}
	defer clear(key)
	return newAEAD(key)
}

// public is the half of this boot's key pair that others may know.
func (r *Ring) public() [publicSize]byte { return [publicSize]byte(r.private.PublicKey().Bytes()) }

// agree is what only the two boots can compute. It is kept with the peer: a boot has one key pair.
func (r *Ring) agree(p *peer, public [publicSize]byte) []byte {
	if p.current.shared != nil && p.current.public == public {
		return p.current.shared
	}
	theirs, err := ecdh.X25519().NewPublicKey(public[:])
	if err != nil {
		return nil
	}
	shared, err := r.private.ECDH(theirs)
	if err != nil {
		return nil // a point of low order
	}
	p.current.shared, p.current.public = shared, public
	return shared
}
