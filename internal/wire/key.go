package wire

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/muster-ha/muster/internal/member"
)

const keySize = 32 // AES-256

// KeyID names a key without giving anything of it away: it is derived one way from the key itself, so whoever has the key knows
// the name, and hosts that were apart cannot mean two keys by one. Zero is no key.
type KeyID uint32

// String is the id as people see it.
func (id KeyID) String() string {
	if id == 0 {
		return "none"
	}
	return fmt.Sprintf("%08x", uint32(id))
}

// root is a key from which the keys of all senders' boots are derived: a base key, made of the cluster's secret, or a group key. It
// never changes.
type root struct {
	id      KeyID
	base    bool
	key     []byte // what a group key was made of, to be given to other hosts; a secret is not kept
	extract []byte // HKDF's extracted key
}

// newBase makes the base key of a secret.
func newBase(secret []byte, tag clusterTag) (*root, error) {
	if len(secret) < minSecret {
		return nil, fmt.Errorf("%w: %d bytes, at least %d are needed (make one with `muster key new FILE`)", ErrSecret, len(secret), minSecret)
	}
	r := newRoot(secret, tag)
	r.base = true
	return r, nil
}

// newGroup makes a group key. It keeps a copy.
func newGroup(key []byte, tag clusterTag) *root {
	r := newRoot(key, tag)
	r.key = append([]byte(nil), key...)
	return r
}

func newRoot(key []byte, tag clusterTag) *root {
	extract, err := hkdf.Extract(sha256.New, key, tag[:])
	if err != nil {
		panic(err) // only for a hash that is not approved: cannot happen
	}
	r := &root{extract: extract}
	r.id = KeyID(max(1, binary.BigEndian.Uint32(r.expand("muster key id", 4))))
	return r
}

// expand derives what has nothing to do with any other derivation.
func (r *root) expand(info string, size int) []byte {
	key, err := hkdf.Expand(sha256.New, r.extract, info, size)
	if err != nil {
		panic(err) // only for more than 255 hashes: cannot happen
	}
	return key
}

// seal returns the cipher of one sender's boot on a network of that wire number.
func (r *root) seal(sender member.ID, boot member.Boot, network uint16) cipher.AEAD {
	info := binary.BigEndian.AppendUint16([]byte("muster datagram"), uint16(sender))
	info = binary.BigEndian.AppendUint64(info, uint64(boot))
	info = binary.BigEndian.AppendUint16(info, network)
	return newAEAD(r.expand(string(info), keySize))
}

// newAEAD makes a cipher of a key of keySize bytes.
func newAEAD(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // only for a wrong size: cannot happen
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // only for a wrong block size: cannot happen
	}
	return aead
}

// nonce is the sequence, which is never used twice under one key.
type nonce [12]byte

func (n *nonce) set(seq uint64) []byte {
	binary.BigEndian.PutUint64(n[4:], seq)
	return n[:]
}

// keyed is a cipher and the name of the key that it came from.
type keyed struct {
	id   KeyID
	aead cipher.AEAD
}

// cipherCount is how many ciphers of one boot are kept: two base keys and two group keys while both change, and some for late
// datagrams. One too many costs a derivation, a few microseconds.
const cipherCount = 8

// ciphers are those of one boot, the newest first.
type ciphers [cipherCount]keyed

// get finds the cipher of a key; nil: not kept.
func (c *ciphers) get(id KeyID) cipher.AEAD {
	for i := range c {
		if c[i].id == id {
			return c[i].aead
		}
	}
	return nil
}

// put keeps a cipher; the one that came first makes room.
func (c *ciphers) put(id KeyID, aead cipher.AEAD) {
	copy(c[1:], c[:cipherCount-1])
	c[0] = keyed{id, aead}
}
