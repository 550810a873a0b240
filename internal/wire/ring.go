package wire

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/muster-ha/muster/internal/member"
)

// Errors returned by a Ring's methods.
var (
	// ErrUnknownKey means that a key was named that the ring does not hold, or that is of the other kind.
	ErrUnknownKey = errors.New("unknown key")

	// ErrSecretChange means that two secrets are held already: a third one has to wait until one of them is dropped.
	ErrSecretChange = errors.New("another change of the secret is under way")

	// ErrSecretTwin means that two secrets have one id, which is 4 bytes long: no datagram could say which of them it is sealed with.
	ErrSecretTwin = errors.New("secret cannot be told from the one in use")
)

// maxGroups bounds the group keys of a ring: each other host may sign with one of its own when many parts of a cluster find together
// again, and a few are on their way in or out.
const maxGroups = member.MaxHosts + 4

// maxBases is the secret in use and the one that replaces it.
const maxBases = 2

// Ring holds the keys of one network, which its unicast and its multicast share: one or two base keys, from the cluster's secret, and
// the group keys that hosts have drawn. It only holds them: when to draw, to sign with and to drop one is decided elsewhere
// (package rotation). Its methods may be called from any goroutine.
type Ring struct {
	tag     clusterTag
	private *ecdh.PrivateKey // of this boot: what is wrapped for it can be unwrapped by nobody later

	mu     sync.Mutex
	bases  []*root // the first signs
	groups []*root // in the order in which they came
	sign   *root   // for heartbeats; nil: the base key
	newest *root   // given to others together with sign; nil: none
	wants  member.Set
}

// NewRing makes a ring with the base key of a secret, and draws this boot's key pair for wrapping. It returns ErrSecret for a secret that can be
// guessed. The secret is not kept; the caller may clear it.
func NewRing(cluster string, secret []byte) (*Ring, error) {
	r := &Ring{tag: tagOf(cluster)}
	base, err := newBase(secret, r.tag)
	if err != nil {
		return nil, err
	}
	r.bases = []*root{base}
	if r.private, err = ecdh.X25519().GenerateKey(rand.Reader); err != nil {
		return nil, fmt.Errorf("draw key pair: %w", err)
	}
	return r, nil
}

// Draw adds a random group key, which nobody else has and nobody signs with yet.
func (r *Ring) Draw() KeyID {
	var key [keySize]byte
	rand.Read(key[:])
	defer clear(key[:])
	return r.add(key[:])
}

// add keeps a group key and returns its id. When there are too many, the oldest that is not needed for sealing goes.
func (r *Ring) add(key []byte) KeyID {
	k := newGroup(key, r.tag)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.findLocked(k.id) != nil {
		return k.id
	}
	if len(r.groups) >= maxGroups {
		i := slices.IndexFunc(r.groups, func(old *root) bool { return old != r.sign && old != r.newest })
		r.groups = slices.Delete(r.groups, i, i+1)
	}
	r.groups = append(r.groups, k)
	return k.id
}

// Held lists the group keys, in the order in which they came.
func (r *Ring) Held() []KeyID {
	r.mu.Lock()
	defer r.mu.Unlock()
	ids := make([]KeyID, len(r.groups))
	for i, k := range r.groups {
		ids[i] = k.id
	}
	return ids
}

// Use says which group key heartbeats are signed with from now on, 0 for the base key, and which other one is given to whoever asks; 0:
// none. For a key that is not held it returns ErrUnknownKey and changes nothing.
func (r *Ring) Use(sign, newest KeyID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range []KeyID{sign, newest} {
		if k := r.findLocked(id); id != 0 && (k == nil || k.base) {
			return fmt.Errorf("use group key %v: %w", id, ErrUnknownKey)
		}
	}
	r.sign, r.newest = r.findLocked(sign), r.findLocked(newest)
	return nil
}

// Drop forgets a group key. What is in use stays.
func (r *Ring) Drop(id KeyID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.groups = slices.DeleteFunc(r.groups, func(k *root) bool {
		return k.id == id && k != r.sign && k != r.newest
	})
}

// Want says which hosts have keys that are not in the ring: they are asked when they are heard next.
func (r *Ring) Want(hosts member.Set) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wants = hosts
}

func (r *Ring) wanted(host member.ID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.wants.Has(host)
}

// Bases says which base key signs, and which other one is held; 0: none.
func (r *Ring) Bases() (sign, other KeyID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.bases) > 1 {
		other = r.bases[1].id
	}
	return r.bases[0].id, other
}

// AddSecret holds another secret beside the one in use, and returns its base key's id. One that is held already changes nothing. The errors
// are ErrSecret, ErrSecretChange and ErrSecretTwin; after one of them all is as before.
func (r *Ring) AddSecret(secret []byte) (KeyID, error) {
	base, err := newBase(secret, r.tag)
	if err != nil {
		return 0, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if twin := r.findLocked(base.id); twin != nil {
		if subtle.ConstantTimeCompare(twin.extract, base.extract) == 1 {
			return base.id, nil
		}
		return 0, fmt.Errorf("%w (make another one with `muster key new FILE`)", ErrSecretTwin)
	}
	if len(r.bases) >= maxBases {
		return 0, fmt.Errorf("%w: wait until `muster key list` shows one secret on each host", ErrSecretChange)
	}
	r.bases = append(r.bases, base)
	return base.id, nil
}

// UseSecret says which base key signs from now on: one of the two that are held, or it returns ErrUnknownKey. Both open what arrives.
func (r *Ring) UseSecret(id KeyID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.bases, func(k *root) bool { return k.id == id })
	if i < 0 {
		return fmt.Errorf("use base key %v: %w", id, ErrUnknownKey)
	}
	r.bases[0], r.bases[i] = r.bases[i], r.bases[0]
	return nil
}

// DropSecret forgets the base key that does not sign.
func (r *Ring) DropSecret() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bases = r.bases[:1:1]
}

// String names the keys by their ids, so that a ring that is printed or logged gives nothing away.
func (r *Ring) String() string {
	sign, other := r.Bases()
	return fmt.Sprintf("ring of secrets %v and %v, keys %v", sign, other, r.Held())
}

// GoString is String, for %#v.
func (r *Ring) GoString() string { return r.String() }

// MarshalText is String, for JSON and structured logs. It returns no error.
func (r *Ring) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// find gives the key of an id; nil: not held.
func (r *Ring) find(id KeyID) *root {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.findLocked(id)
}

func (r *Ring) findLocked(id KeyID) *root {
	for _, list := range [...][]*root{r.groups, r.bases} {
		for _, k := range list {
			if k.id == id {
				return k
			}
		}
	}
	return nil
}

// signer is the key that a datagram of this type is sealed with.
func (r *Ring) signer(kind Type) *root {
	r.mu.Lock()
	defer r.mu.Unlock()
	if kind == Heartbeat && r.sign != nil {
		return r.sign
	}
	return r.bases[0]
}

// shared are the group keys that are given to whoever asks, one behind the other: what this host signs with, and the newest.
func (r *Ring) shared() (keys []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sign != nil {
		keys = append(keys, r.sign.key...)
	}
	if r.newest != nil && r.newest != r.sign {
		keys = append(keys, r.newest.key...)
	}
	return keys
}
