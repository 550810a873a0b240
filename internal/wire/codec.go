package wire

import (
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
	ErrSecret  = errors.New("secret too short")   // below minSecret bytes
	ErrOptions = errors.New("impossible options") // a mistake of the caller, not of the file
	ErrTooLong = errors.New("payload too long")   // above MaxPayload bytes
)

// minSecret is the length in bytes below which a secret can be guessed.
const minSecret = 16

// Options is what a Codec needs to know.
type Options struct {
	Cluster  string        // its name
	Secret   []byte        // the same on every host; at least 16 bytes; not used with a Ring
	Ring     *Ring         // the network's keys; nil: a ring of its own, made of the secret
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
	ring     *Ring
	boot     member.Boot
	tally    tally

	out struct {
		sync.Mutex
		ciphers ciphers
		nonce   nonce
		beats   uint64 // the last heartbeat's sequence
		control uint64 // the last sequence of what goes to one host
	}

	// What follows belongs to the goroutine that calls Open.
	peers [member.MaxHosts]peer
	nonce nonce
	plain [MaxPayload]byte
	reply []byte
}

// New makes the Codec of one boot on one network. There must never be a second one with the same boot number and network: it
// would use the same sequences under the same key, which gives the key away. It returns ErrOptions, or ErrSecret if it has to make a ring.
func New(o Options) (*Codec, error) {
	if o.Hosts < 1 || o.Hosts > member.MaxHosts || int(o.Self) >= o.Hosts || o.Boot == 0 || o.Interval <= 0 {
		return nil, fmt.Errorf("%w: host %d of %d, boot %x, interval %v", ErrOptions, o.Self, o.Hosts, uint64(o.Boot), o.Interval)
	}
	c := &Codec{self: o.Self, hosts: o.Hosts, interval: o.Interval, tag: tagOf(o.Cluster), network: o.Network, boot: o.Boot, ring: o.Ring}
	if c.ring == nil {
		var err error
		if c.ring, err = NewRing(o.Cluster, o.Secret); err != nil {
			return nil, err
		}
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

// Stranger says when a heartbeat in the name of a host last came under a key that is not held, from a boot that is not proved: most
// likely the host has another secret. It is a claim, which anybody can make. It belongs to the goroutine that calls Open; zero: never.
func (c *Codec) Stranger(host member.ID) time.Time { return c.peers[host].stranger }

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

// Seal appends a heartbeat's datagram to dst, which grows by len(payload) + Overhead bytes, and returns the heartbeat's sequence, from 1 on. The same
// bytes may go to every host. The only error is ErrTooLong; the sequence is used up even then.
func (c *Codec) Seal(dst, payload []byte) (datagram []byte, seq uint64, err error) {
	return c.SealNext(dst, func(uint64) ([]byte, error) { return payload, nil })
}

// SealNext is Seal for a payload that depends on the heartbeat's sequence. When build fails, its error is returned and the others count that
// heartbeat as lost.
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

// sealNote makes a challenge or a proof.
func (c *Codec) sealNote(dst []byte, kind Type, n note) []byte {
	return c.sealControl(dst, kind, func(b []byte, _ uint64) []byte {
		n.reached = c.out.beats // c.out is locked
		return n.append(b)
	})
}

// sealControl makes a datagram for one host, whose payload may depend on its sequence. build is called with c.out locked.
func (c *Codec) sealControl(dst []byte, kind Type, build func(b []byte, seq uint64) []byte) []byte {
	c.out.Lock()
	defer c.out.Unlock()
	c.out.control++
	var b [controlSize]byte
	return c.sealLocked(dst, kind, c.out.control, build(b[:0], c.out.control))
}

func (c *Codec) sealLocked(dst []byte, kind Type, seq uint64, payload []byte) []byte {
	start, key := len(dst), c.ring.signer(kind)
	aead := c.out.ciphers.get(key.id)
	if aead == nil {
		aead = key.seal(c.self, c.boot, c.network)
		c.out.ciphers.put(key.id, aead)
	}
	dst = header{kind: kind, key: key.id, network: c.network, sender: c.self, boot: c.boot, seq: seq}.append(dst, c.tag)
	return aead.Seal(dst, c.out.nonce.set(seq), payload, dst[start:])
}
