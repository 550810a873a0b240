package wire

import (
	"bytes"
	"testing"
)

// FuzzOpen gives a host random bytes: nothing is accepted, honest heartbeats still are. A heartbeat under an unknown key may be
// one of a host that was apart, so it is answered with a question, at most once an interval.
func FuzzOpen(f *testing.F) {
	from, to := makePair(f)
	o := testOptions(0)
	o.Secret = []byte("what an attacker takes for the secret")
	forger := makeCodec(f, o)
	f.Add(beat(f, forger, "payload"))
	f.Add(forger.Farewell())
	f.Add([]byte("MSTR\x01\x01"))
	f.Add(header{kind: Challenge, boot: 1, seq: firstControl}.append(nil, tagOf("farm")))
	f.Fuzz(func(t *testing.T, d []byte) {
		asked := 0
		for range 3 {
			_, reply, why := to.Open(d, testStart)
			if reply != nil {
				asked++
			}
			if why == Accepted || reply != nil && (why != Key || reply[5] != byte(Challenge) && reply[5] != byte(KeyAsk)) {
				t.Errorf("%x: %v, reply %x", d, why, reply)
			}
		}
		if asked > 1 {
			t.Errorf("%x: %d replies within an interval", d, asked)
		}
		if _, _, why := to.Open(beat(t, from, "honest"), testStart); why != Accepted {
			t.Errorf("honest heartbeat afterwards: %v", why)
		}
	})
}

// FuzzDamage changes one byte of, cuts or lengthens an authentic datagram of each type.
func FuzzDamage(f *testing.F) {
	for kind := range uint8(4) {
		f.Add(kind, uint16(40), byte(1), uint16(2000), []byte(nil))
		f.Add(kind, uint16(5), byte(3), uint16(2000), []byte(nil))
		f.Add(kind, uint16(0), byte(0), uint16(60), []byte(nil))
		f.Add(kind, uint16(0), byte(0), uint16(2000), []byte{0})
	}
	f.Fuzz(func(t *testing.T, kind uint8, at uint16, flip byte, cut uint16, more []byte) {
		from, to := makePair(t)
		challenge := answerOf(from, beat(t, to, ""))
		authentic := [][]byte{beat(t, from, "payload"), from.Farewell(), challenge, answerOf(from, askAgain(t, from, to))}[kind%4]
		d := bytes.Clone(authentic)
		d[int(at)%len(d)] ^= flip
		d = append(d[:min(int(cut), len(d))], more...)
		if bytes.Equal(d, authentic) {
			return
		}
		if _, reply, why := to.Open(d, testStart); why == Accepted || reply != nil && why != Key {
			t.Errorf("damaged: %v, reply %x", why, reply)
		}
	})
}

// FuzzKeyMessages: what is parsed is written the same again, and whatever a proved host says of keys, a host that is asked gives
// what it holds to nobody but the boot that it was wrapped for, and takes in no more than fits.
func FuzzKeyMessages(f *testing.F) {
	f.Add(uint8(KeyAsk), keyNote{to: 1, boot: 2, public: [publicSize]byte{9}}.append(nil))
	f.Add(uint8(KeyGive), keyNote{to: 1, boot: 2, public: [publicSize]byte{9}, wrapped: make([]byte, keySize+sealSize)}.append(nil))
	f.Add(uint8(KeyGive), keyNote{to: 1, wrapped: make([]byte, maxShared*keySize+sealSize)}.append(nil))
	f.Add(uint8(KeyGive), []byte{})
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		n, ok := parseKeyNote(b)
		if ok && !bytes.Equal(n.append(nil), b) {
			t.Errorf("%x parsed as %+v", b, n)
		}
		from, to := makePair(t)
		prove(t, to, from, testStart)
		signs(t, to, to.ring.Draw())
		before := len(to.ring.Held())
		if ok { // meant for the host that gets it: the rest has no effect at all
			n.to, n.boot = to.self, to.boot
			b = n.append(nil)
		}
		d := from.sealControl(nil, KeyAsk+Type(kind)%2, func(dst []byte, _ uint64) []byte { return append(dst, b...) })
		_, reply, why := to.Open(d, testStart)
		if len(d) > MaxDatagram {
			return
		}
		if !ok && (why == Accepted || reply != nil) {
			t.Errorf("%x: %v, reply %x", b, why, reply)
		}
		if got := len(to.ring.Held()); got != before {
			t.Errorf("%d keys held after a message that nobody wrapped, %d before", got, before)
		}
		if _, _, why := to.Open(beat(t, from, "honest"), testStart); why != Accepted {
			t.Errorf("honest heartbeat afterwards: %v", why)
		}
	})
}

// askAgain returns a challenge for from's boot by a restarted to.
func askAgain(t *testing.T, from, to *Codec) []byte {
	t.Helper()
	challenge := answerOf(makeCodec(t, testOptions(to.self)), beat(t, from, ""))
	if challenge == nil {
		t.Fatal("no challenge")
	}
	return challenge
}

// FuzzNote: what is parsed is written the same again.
func FuzzNote(f *testing.F) {
	f.Add(note{to: 1, boot: 2, nonce: [nonceSize]byte{3}, reached: 4}.append(nil))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, ok := parseNote(b); ok && !bytes.Equal(n.append(nil), b) {
			t.Errorf("%x parsed as %+v", b, n)
		}
	})
}
