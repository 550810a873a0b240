package wire

import (
	"crypto/cipher"
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
)

// peer is what is known of another host.
type peer struct {
	current    session // the boot that is proved; none when current.aead is nil
	retired    member.Boot
	candidates [candidateCount]candidate

	secret     [sha256.Size]byte // makes the nonces; renewed whenever a proof is accepted
	secretFrom time.Time         // zero: to be drawn
	asked      time.Time         // when the last challenge went out

	derivations int // left of the budget
	budgeted    time.Time
}

// session is a boot that is proved.
type session struct {
	boot    member.Boot
	aead    cipher.AEAD
	beats   window
	control window
}

// candidate is a boot that sealed a datagram at some time, perhaps long ago.
type candidate struct {
	boot    member.Boot
	aead    cipher.AEAD
	used    time.Time
	next    time.Time // no challenge before
	backoff uint

	answered time.Time // when its last challenge was answered
}

// known finds the cipher of a boot without deriving it.
func (p *peer) known(boot member.Boot) cipher.AEAD {
	if p.current.aead != nil && p.current.boot == boot {
		return p.current.aead
	}
	if c := p.candidate(boot); c != nil {
		return c.aead
	}
	return nil
}

func (p *peer) candidate(boot member.Boot) *candidate {
	for i := range p.candidates {
		if c := &p.candidates[i]; c.aead != nil && c.boot == boot {
			return c
		}
	}
	return nil
}

// consider makes a boot a candidate; the one that was silent for longest makes room.
func (p *peer) consider(boot member.Boot, aead cipher.AEAD, now time.Time) *candidate {
	oldest := p.candidate(boot)
	if oldest == nil {
		oldest = &p.candidates[0]
		for i := range p.candidates {
			if c := &p.candidates[i]; c.used.Before(oldest.used) {
				oldest = c
			}
		}
		*oldest = candidate{boot: boot, aead: aead}
	}
	oldest.used = now
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
	if !within(now, p.secretFrom, proofLife*interval) {
		rand.Read(p.secret[:])
		p.secretFrom = now
	}
	p.asked = now
	c.next = now.Add(interval << c.backoff)
	c.backoff = min(c.backoff+1, maxBackoff)
	return true
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
	if p.current.aead != nil {
		p.retired = p.current.boot
	}
	p.current = session{boot: c.boot, aead: c.aead, beats: startWindow(reached), control: startWindow(control)}
	*c = candidate{}
	p.secretFrom = time.Time{}
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
