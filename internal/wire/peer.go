package wire

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/muster-ha/muster/internal/member"
)

const (
	// candidateCount is how many boots of one host may wait for proof at once. An attacker who replays recordings of fewer
	// boots cannot push out the one that is alive.
	candidateCount = 4

	// maxBackoff is the power of two of intervals after which a boot that did not answer is challenged again: as many
	// intervals as there are candidates, so that dead boots leave every fourth challenge to the live one.
	maxBackoff = 2

	// proofLife is how many intervals a nonce is good for: a proof that was held back for longer is worthless.
	proofLife = 50

	// deriveRate is how many keys of unknown boots are derived for each host and interval, deriveBurst how many are saved up.
	deriveRate  = 16
	deriveBurst = 64

	nonceSize = 16

	// blindPause is how many intervals pass between challenges to boots of which nothing is known but what anybody may have
	// written: often enough for hosts that were apart, and little for an attacker to make of it.
	blindPause = 4
)

// peer is what is known of another host.
type peer struct {
	current    session // the boot that is proved; none when its number is zero
	retired    member.Boot
	candidates [candidateCount]candidate

	secret     [sha256.Size]byte // makes the nonces; renewed whenever a proof is accepted
	secretFrom time.Time         // zero: to be drawn
	asked      time.Time         // when the last challenge went out
	blind      time.Time         // when the last one went to a boot of which nothing was known
	stranger   time.Time         // when somebody last used the host's name under a key that is not held

	derivations int // left of the budget
	budgeted    time.Time
}

// session is a boot that is proved. Its windows hold over all keys: a boot numbers its datagrams on and on, whatever it signs with,
// so a number is good once and not once a key.
type session struct {
	boot    member.Boot
	ciphers ciphers
	grouped bool // its newest heartbeats were under a group key
	beats   window
	control window

	asked  time.Time // when it was asked for keys
	gave   time.Time // when it was given some
	public [publicSize]byte
	shared []byte // what only it and we can compute; nil: not needed yet
}

// candidate is a boot that sealed a datagram at some time, perhaps long ago.
type candidate struct {
	boot    member.Boot
	cipher  keyed // of the key that it used last
	used    time.Time
	next    time.Time // no challenge before
	backoff uint

	answered time.Time // when its last challenge was answered
}

func (p *peer) candidate(boot member.Boot) *candidate {
	for i := range p.candidates {
		if c := &p.candidates[i]; c.boot == boot {
			return c
		}
	}
	return nil
}

// consider makes a boot a candidate; the one that was silent for longest makes room.
func (p *peer) consider(boot member.Boot, sealed keyed, now time.Time) *candidate {
	oldest := p.candidate(boot)
	if oldest == nil {
		oldest = &p.candidates[0]
		for i := range p.candidates {
			if c := &p.candidates[i]; c.used.Before(oldest.used) {
				oldest = c
			}
		}
		*oldest = candidate{boot: boot}
	}
	oldest.cipher, oldest.used = sealed, now
	return oldest
}

// mayDerive takes one key derivation from the budget.
func (p *peer) mayDerive(now time.Time, interval time.Duration) bool {
	if p.budgeted.IsZero() {
		p.budgeted, p.derivations = now, deriveBurst
	}
	if n := now.Sub(p.budgeted) / interval; n > 0 {
		p.derivations = min(deriveBurst, p.derivations+deriveRate*int(min(n, deriveBurst)))
		p.budgeted = now
	}
	if p.derivations == 0 {
		return false
	}
	p.derivations--
	return true
}

// mayAsk reports whether a candidate is to be challenged now, and takes note of it.
func (p *peer) mayAsk(c *candidate, now time.Time, interval time.Duration) bool {
	if now.Before(c.next) || within(now, p.asked, interval) {
		return false
	}
	p.asked = now
	c.next = now.Add(interval << c.backoff)
	c.backoff = min(c.backoff+1, maxBackoff)
	return true
}

// freshen draws what makes the nonces, if the last draw is used up.
func (p *peer) freshen(now time.Time, interval time.Duration) {
	if !within(now, p.secretFrom, proofLife*interval) {
		rand.Read(p.secret[:])
		p.secretFrom = now
	}
}

// mayAnswer reports whether a candidate's challenge is to be answered now, and takes note of it. The limit is for each
// boot: replaying a dead boot's challenge must not keep the live one from its answer.
func (c *candidate) mayAnswer(now time.Time, interval time.Duration) bool {
	if within(now, c.answered, interval) {
		return false
	}
	c.answered = now
	return true
}

// question is the nonce that the boot has to send back.
func (p *peer) question(boot member.Boot) [nonceSize]byte {
	mac := hmac.New(sha256.New, p.secret[:])
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(boot)))
	return [nonceSize]byte(mac.Sum(nil)[:nonceSize])
}

// proves reports whether the nonce is the right answer of this boot, and not too late.
func (p *peer) proves(boot member.Boot, answer [nonceSize]byte, now time.Time, interval time.Duration) bool {
	if !within(now, p.secretFrom, proofLife*interval) {
		return false
	}
	right := p.question(boot)
	return hmac.Equal(right[:], answer[:])
}

// accept makes a candidate the boot that is heard. reached is the last heartbeat it had sent, control the proof's own
// sequence: what went out before them is not heard.
func (p *peer) accept(c *candidate, reached, control uint64) {
	if p.current.boot != 0 {
		p.retired = p.current.boot
	}
	p.current = session{boot: c.boot, beats: startWindow(reached), control: startWindow(control)}
	p.current.ciphers.put(c.cipher.id, c.cipher.aead)
	*c = candidate{}
	p.secretFrom = time.Time{}
}

// reprove believes the boot that is heard under the base key again.
func (p *peer) reprove() {
	p.current.grouped, p.secretFrom = false, time.Time{}
	if c := p.candidate(p.current.boot); c != nil {
		*c = candidate{}
	}
}

// retire forgets the boot that is heard: it has said farewell.
func (p *peer) retire() {
	p.retired = p.current.boot
	p.current = session{}
}

// within reports whether now is less than d after a moment; the zero moment was never.
func within(now, moment time.Time, d time.Duration) bool {
	return !moment.IsZero() && now.Sub(moment) < d
}
