package wire

import (
	"crypto/cipher"
	"time"

	"github.com/muster-ha/muster/internal/member"
)

// Message is a datagram that was opened. Payload is valid until the next Open.
type Message struct {
	Type    Type
	From    member.ID
	Boot    member.Boot
	Seq     uint64
	Payload []byte
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
	aead := p.known(h.boot)
	if aead == nil {
		if !p.mayDerive(now, c.interval) {
			return Message{}, nil, Rate, false
		}
		var err error
		if aead, err = c.keys.seal(h.sender, h.boot); err != nil {
			return Message{}, nil, Seal, false
		}
	}
	plain, err := aead.Open(c.plain[:0], c.nonce.set(h.seq), b[headerSize:], b[:headerSize])
	if err != nil {
		return Message{}, nil, Seal, false
	}
	m = Message{Type: h.kind, From: h.sender, Boot: h.boot, Seq: h.seq, Payload: plain}
	if p.current.aead != nil && p.current.boot == h.boot {
		reply, why = c.proved(p, m, now)
	} else {
		reply, why = c.unproved(p, m, aead, now)
	}
	return m, reply, why, true
}

// replayed reports whether a datagram claims a boot or a sequence whose time is over.
func (p *peer) replayed(h header) bool {
	if h.boot == p.retired {
		return true
	}
	if p.current.aead == nil || p.current.boot != h.boot {
		return false
	}
	switch h.kind {
	case Heartbeat:
		return p.current.beats.taken(h.seq)
	case Challenge, Proof:
		return p.current.control.taken(h.seq)
	}
	return false
}

// proved deals with a datagram, not heard before, of the boot that is proved.
func (c *Codec) proved(p *peer, m Message, now time.Time) (reply []byte, why Reason) {
	switch m.Type {
	case Heartbeat:
		p.current.beats.take(m.Seq)
		return nil, Accepted
	case Farewell:
		if len(m.Payload) > 0 {
			return nil, Malformed
		}
		p.retire()
		return nil, Accepted
	}
	n, why := c.forUs(m.Payload)
	if why != Accepted {
		return nil, why
	}
	p.current.control.take(m.Seq)
	if m.Type == Challenge {
		reply = c.answer(m, n)
	}
	return reply, Accepted // a proof is the answer to a challenge that was repeated: nothing is left to prove
}

// unproved deals with a datagram that was sealed at some time, perhaps in a boot long gone. Only a proof changes
// anything.
func (c *Codec) unproved(p *peer, m Message, aead cipher.AEAD, now time.Time) (reply []byte, why Reason) {
	if m.Type == Heartbeat {
		return c.ask(p, p.consider(m.Boot, aead, now), m, now), Boot
	}
	if m.Type == Farewell {
		return nil, Boot
	}
	n, why := c.forUs(m.Payload)
	if why != Accepted {
		return nil, why
	}
	if m.Type == Challenge {
		if p.consider(m.Boot, aead, now).mayAnswer(now, c.interval) {
			reply = c.answer(m, n)
		}
		return reply, Boot
	}
	if !p.proves(m.Boot, n.nonce, now, c.interval) {
		return nil, Boot
	}
	p.accept(p.consider(m.Boot, aead, now), n.reached, m.Seq)
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

// ask challenges a boot, if it is time to.
func (c *Codec) ask(p *peer, boot *candidate, m Message, now time.Time) []byte {
	if !p.mayAsk(boot, now, c.interval) {
		return nil
	}
	c.reply = c.sealControl(c.reply[:0], Challenge, note{to: m.From, boot: m.Boot, nonce: p.question(m.Boot)})
	return c.reply
}

// answer sends a challenge's nonce back. It may be an old challenge: then the proof fits nothing any more.
func (c *Codec) answer(m Message, n note) []byte {
	c.reply = c.sealControl(c.reply[:0], Proof, note{to: m.From, boot: m.Boot, nonce: n.nonce})
	return c.reply
}
