package wire

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/muster-ha/muster/internal/member"
)

// Errors returned by New and Seal.
var (
	ErrSecret  = errors.New("secret too short")
	ErrOptions = errors.New("impossible options")
	ErrTooLong = errors.New("payload too long")
)

// minSecret is the length in bytes below which a secret can be guessed.
const minSecret = 16

// Options is what a Codec needs to know.
type Options struct {
	Cluster  string        // its name
	Secret   []byte        // the same on every host; at least 16 bytes
	Self     member.ID     // this host
	Hosts    int           // how many are configured
	Boot     member.Boot   // from NewBoot; good for one Codec of each network
	Network  uint16        // which of the networks between the hosts; each has its own keys and sequences
	Interval time.Duration // between heartbeats; paces challenges and proofs
}

// Codec seals and opens the datagrams of one host during one boot.
type Codec struct {
	self     member.ID
	hosts    int
	interval time.Duration
	tag      clusterTag
	network  uint16
	keys     keyring
	boot     member.Boot
	tally    tally

	out struct {
		sync.Mutex
		aead    cipher.AEAD
		nonce   nonce
		beats   uint64 // the last heartbeat's sequence
		control uint64 // the last challenge's or proof's sequence
	}

	// What follows belongs to the goroutine that calls Open.
	peers [member.MaxHosts]peer
	nonce nonce
	plain [MaxPayload]byte
	reply []byte
}

// New makes the Codec of one boot on one network. There must never be a second one with the same boot number and network: it
// would use the same sequences under the same key, which gives the key away.
func New(o Options) (*Codec, error) {
	if len(o.Secret) < minSecret {
		return nil, fmt.Errorf("%w: %d bytes, at least %d are needed (make one with `muster key new FILE`)", ErrSecret, len(o.Secret), minSecret)
	}
	if o.Hosts < 1 || o.Hosts > member.MaxHosts || int(o.Self) >= o.Hosts || o.Boot == 0 || o.Interval <= 0 {
		return nil, fmt.Errorf("%w: host %d of %d, boot %x, interval %v", ErrOptions, o.Self, o.Hosts, uint64(o.Boot), o.Interval)
	}
	c := &Codec{self: o.Self, hosts: o.Hosts, interval: o.Interval, tag: tagOf(o.Cluster), network: o.Network, boot: o.Boot}
	var err error
	if c.keys, err = newKeyring(o.Secret, c.tag, o.Network); err != nil {
		return nil, err
	}
	if c.out.aead, err = c.keys.seal(o.Self, c.boot); err != nil {
		return nil, err
	}
	c.out.control = firstControl - 1
	return c, nil
}

// NewBoot draws the number of a start of the agent: random and not zero.
func NewBoot() member.Boot {
	for {
		var b [8]byte
		rand.Read(b[:])
		if boot := member.Boot(binary.BigEndian.Uint64(b[:])); boot != 0 {
			return boot
		}
	}
}

// Boot is the number of this start of the agent.
func (c *Codec) Boot() member.Boot { return c.boot }

// Self is this host.
func (c *Codec) Self() member.ID { return c.self }

// Hosts is how many hosts are configured: From of a Message is below.
func (c *Codec) Hosts() int { return c.hosts }

// Counters returns how many datagrams Open has judged, by reason.
func (c *Codec) Counters() Counters { return c.tally.total.snapshot() }

// CountersOf returns the counts of datagrams that were certainly sealed by this host, at some time: they are Accepted, Boot or
// Malformed. For all other reasons the sender is only a claim.
func (c *Codec) CountersOf(host member.ID) Counters {
	if int(host) >= c.hosts {
		return Counters{}
	}
	return c.tally.senders[host].snapshot()
}

// Seal appends a heartbeat's datagram to dst. The same bytes may go to every host.
func (c *Codec) Seal(dst, payload []byte) (datagram []byte, seq uint64, err error) {
	return c.SealNext(dst, func(uint64) ([]byte, error) { return payload, nil })
}

// SealNext is Seal for a payload that depends on the heartbeat's sequence. When build fails, the others count that heartbeat as
// lost.
func (c *Codec) SealNext(dst []byte, build func(seq uint64) ([]byte, error)) (datagram []byte, seq uint64, err error) {
	seq = c.nextBeat()
	payload, err := build(seq)
	if err != nil {
		return nil, seq, err
	}
	if len(payload) > MaxPayload {
		return nil, seq, fmt.Errorf("%w: %d bytes, at most %d fit", ErrTooLong, len(payload), MaxPayload)
	}
	c.out.Lock()
	defer c.out.Unlock()
	return c.sealLocked(dst, Heartbeat, seq, payload), seq, nil
}

// nextBeat takes a sequence that nobody else gets.
func (c *Codec) nextBeat() uint64 {
	c.out.Lock()
	defer c.out.Unlock()
	c.out.beats++
	return c.out.beats
}

// Farewell returns this boot's last words. They are the same at every call, good at any later time, and final: who has
// heard them does not hear this boot any more.
func (c *Codec) Farewell() []byte {
	c.out.Lock()
	defer c.out.Unlock()
	return c.sealLocked(nil, Farewell, lastWords, nil)
}

// sealControl makes a challenge or a proof.
func (c *Codec) sealControl(dst []byte, kind Type, n note) []byte {
	c.out.Lock()
	defer c.out.Unlock()
	c.out.control++
	n.reached = c.out.beats
	var b [noteSize]byte
	return c.sealLocked(dst, kind, c.out.control, n.append(b[:0]))
}

func (c *Codec) sealLocked(dst []byte, kind Type, seq uint64, payload []byte) []byte {
	start := len(dst)
	dst = header{kind: kind, network: c.network, sender: c.self, boot: c.boot, seq: seq}.append(dst, c.tag)
	return c.out.aead.Seal(dst, c.out.nonce.set(seq), payload, dst[start:])
}
