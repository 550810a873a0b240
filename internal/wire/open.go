package wire

import (
	"crypto/cipher"
	"time"

	"github.com/muster-ha/muster/internal/member"
)

// Message is a datagram that was opened. What is in it is true only if Open returned Accepted; From is a claim with every other reason.
type Message struct {
	Type    Type
	From    member.ID
	Boot    member.Boot // of the sender: one that has proved that it lives
	Seq     uint64      // of this network and boot; a gap between heartbeats is a loss
	Payload []byte      // valid until the next Open
}

// Open judges a datagram that arrived at the time now. The message is good only when the reason is Accepted; its From also
// when there is a reply, which has to go to that host's configured address and is valid until the next Open.
//
// The caller acts on heartbeats and farewells; challenges and proofs are dealt with here.
func (c *Codec) Open(datagram []byte, now time.Time) (m Message, reply []byte, why Reason) {
	m, reply, why, sealed := c.judge(datagram, now)
	c.tally.total[why].Add(1)
	if sealed {
		c.tally.senders[m.From][why].Add(1)
	}
	return m, reply, why
}

// judge is Open without counting; sealed says that the sender is who it says.
func (c *Codec) judge(b []byte, now time.Time) (m Message, reply []byte, why Reason, sealed bool) {
	h, why := parseHeader(b, c.tag, c.network, c.hosts, c.self)
	if why != Accepted {
		return Message{}, nil, why, false
	}
	p := &c.peers[h.sender]
	if p.replayed(h) {
		return Message{}, nil, Replay, false // without the cost of checking the seal
	}
	key := c.ring.find(h.key)
	if key == nil {
		m, reply, why = c.strange(p, h, now)
		return m, reply, why, false
	}
	if !key.base && h.kind != Heartbeat {
		return Message{}, nil, Key, false // nobody signs these with a group key
	}
	aead := c.cipher(p, h, key, now)
	if aead == nil {
		return Message{}, nil, Rate, false
	}
	plain, err := aead.Open(c.plain[:0], c.nonce.set(h.seq), b[headerSize:], b[:headerSize])
	if err != nil {
		return Message{}, nil, Seal, false
	}
	m = Message{Type: h.kind, From: h.sender, Boot: h.boot, Seq: h.seq, Payload: plain}
	if p.current.boot == h.boot {
		reply, why = c.proved(p, m, key, now)
	} else {
		reply, why = c.unproved(p, m, keyed{key.id, aead}, now)
	}
	return m, reply, why, true
}

// cipher finds the cipher of a datagram; nil: too many were derived just now. Those of the proved boot are not limited: there are
// as many as keys are held.
func (c *Codec) cipher(p *peer, h header, key *root, now time.Time) cipher.AEAD {
	if p.current.boot == h.boot {
		aead := p.current.ciphers.get(key.id)
		if aead == nil {
			aead = key.seal(h.sender, h.boot, c.network)
			p.current.ciphers.put(key.id, aead)
		}
		return aead
	}
	if known := p.candidate(h.boot); known != nil && known.cipher.id == key.id {
		return known.cipher.aead
	}
	if !p.mayDerive(now, c.interval) {
		return nil
	}
	return key.seal(h.sender, h.boot, c.network)
}

// replayed reports whether a datagram claims a boot or a sequence whose time is over.
func (p *peer) replayed(h header) bool {
	if h.boot == p.retired {
		return true
	}
	if p.current.boot != h.boot {
		return false
	}
	switch h.kind {
	case Heartbeat:
		return p.current.beats.taken(h.seq)
	case Challenge, Proof, KeyAsk, KeyGive:
		return p.current.control.taken(h.seq)
	}
	return false
}

// proved deals with a datagram, not heard before, of the boot that is proved.
func (c *Codec) proved(p *peer, m Message, key *root, now time.Time) (reply []byte, why Reason) {
	switch m.Type {
	case Heartbeat:
		return c.beaten(p, m, key, now)
	case Farewell:
		if len(m.Payload) > 0 {
			return nil, Malformed
		}
		p.retire()
		return nil, Accepted
	case KeyAsk, KeyGive:
		n, why := c.keysForUs(m.Payload)
		if why != Accepted {
			return nil, why
		}
		p.current.control.take(m.Seq)
		if m.Type == KeyAsk {
			return c.giveKeys(p, m, n, now), Accepted
		}
		return nil, c.takeKeys(p, m, n)
	}
	n, why := c.forUs(m.Payload)
	if why != Accepted {
		return nil, why
	}
	p.current.control.take(m.Seq)
	if m.Type == Challenge {
		return c.answer(m, n), Accepted
	}
	if p.current.grouped && p.proves(m.Boot, n.nonce, now, c.interval) {
		p.reprove()
	}
	return nil, Accepted // otherwise the answer to a challenge that was repeated: nothing is left to prove
}

// beaten deals with a heartbeat of the boot that is proved. A boot that has signed with a group key is not believed under the base
// key any more, which is older and known to more: it has to prove itself again first.
func (c *Codec) beaten(p *peer, m Message, key *root, now time.Time) (reply []byte, why Reason) {
	if key.base && p.current.grouped {
		return c.ask(p, p.consider(m.Boot, keyed{key.id, p.current.ciphers.get(key.id)}, now), m.From, m.Boot, now), Key
	}
	p.current.grouped = !key.base
	p.current.beats.take(m.Seq)
	if c.ring.wanted(m.From) {
		reply = c.askKeys(p, m.From, now)
	}
	return reply, Accepted
}

// unproved deals with a datagram that was sealed at some time, perhaps in a boot long gone. Only a proof changes
// anything.
func (c *Codec) unproved(p *peer, m Message, sealed keyed, now time.Time) (reply []byte, why Reason) {
	switch m.Type {
	case Heartbeat:
		return c.ask(p, p.consider(m.Boot, sealed, now), m.From, m.Boot, now), Boot
	case Farewell:
		return nil, Boot
	case KeyAsk, KeyGive:
		if _, why := c.keysForUs(m.Payload); why != Accepted {
			return nil, why
		}
		p.consider(m.Boot, sealed, now) // it is challenged with its next heartbeat, which it may sign with a key that is not held
		return nil, Boot
	}
	n, why := c.forUs(m.Payload)
	if why != Accepted {
		return nil, why
	}
	if m.Type == Challenge {
		if p.consider(m.Boot, sealed, now).mayAnswer(now, c.interval) {
			reply = c.answer(m, n)
		}
		return reply, Boot
	}
	if !p.proves(m.Boot, n.nonce, now, c.interval) {
		return nil, Boot
	}
	p.accept(p.consider(m.Boot, sealed, now), n.reached, m.Seq)
	return nil, Accepted
}

// forUs reads a challenge or a proof and looks whether it is meant for this host and this boot.
func (c *Codec) forUs(payload []byte) (note, Reason) {
	n, ok := parseNote(payload)
	if !ok {
		return note{}, Malformed
	}
	if n.to != c.self || n.boot != c.boot {
		return note{}, Boot
	}
	return n, Accepted
}

// keysForUs reads a key message and looks whether it is meant for this host and this boot.
func (c *Codec) keysForUs(payload []byte) (keyNote, Reason) {
	n, ok := parseKeyNote(payload)
	if !ok {
		return keyNote{}, Malformed
	}
	if n.to != c.self || n.boot != c.boot {
		return keyNote{}, Boot
	}
	return n, Accepted
}

// ask challenges a boot, if it is time to.
func (c *Codec) ask(p *peer, boot *candidate, host member.ID, number member.Boot, now time.Time) []byte {
	if !p.mayAsk(boot, now, c.interval) {
		return nil
	}
	return c.question(p, host, number, now)
}

// question is a challenge.
func (c *Codec) question(p *peer, host member.ID, boot member.Boot, now time.Time) []byte {
	p.freshen(now, c.interval)
	c.reply = c.sealNote(c.reply[:0], Challenge, note{to: host, boot: boot, nonce: p.question(boot)})
	return c.reply
}

// answer sends a challenge's nonce back. It may be an old challenge: then the proof fits nothing any more.
func (c *Codec) answer(m Message, n note) []byte {
	c.reply = c.sealNote(c.reply[:0], Proof, note{to: m.From, boot: m.Boot, nonce: n.nonce})
	return c.reply
}
