package rotation

import (
	"time"

	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/wire"
)

// SecretVoice is what another host says of its secrets, by the ids of their base keys.
type SecretVoice struct {
	Heard bool       // just now
	Sign  wire.KeyID // what it signs with; 0: not known
	Other wire.KeyID // which other one it holds; 0: none, or not known
}

// Change takes a host from one secret to another while it runs: it holds both, signs with the new one when every host that is heard
// holds it, and drops the old one when every host that is heard has signed with the new one for an overlap.
type Change struct {
	overlap time.Duration
	self    member.ID
	sign    wire.KeyID
	other   wire.KeyID // the old one or the new one; 0: there is no change under way
	wish    wire.KeyID
	all     time.Time // since when every host has signed with what is wished for; zero: some do not
}

// NewChange makes the machine of a host that has one secret.
func NewChange(self member.ID, sign wire.KeyID, overlap time.Duration) *Change {
	return &Change{overlap: overlap, self: self, sign: sign, wish: sign}
}

// Wish says that the file has the secret of this base key, which this host holds now.
func (c *Change) Wish(id wire.KeyID) {
	if id != c.sign {
		c.other = id
	}
	c.wish, c.all = id, time.Time{}
}

// Said is what this host signs with and which other secret it holds; 0: none.
func (c *Change) Said() (sign, other wire.KeyID) { return c.sign, c.other }

// Waits are the hosts that are heard and do not hold the secret wished for.
func (c *Change) Waits(voices []SecretVoice) (hosts member.Set) {
	return c.without(voices, func(v SecretVoice) bool { return v.Sign == c.wish || v.Other == c.wish })
}

// Step takes in what the others say, and reports whether this host has just gone over to the secret wished for, and whether the other
// one has to be dropped.
func (c *Change) Step(now time.Time, voices []SecretVoice) (turned, drop bool) {
	if c.other == 0 {
		return false, false
	}
	if c.sign != c.wish {
		if c.Waits(voices) != 0 {
			return false, false
		}
		c.sign, c.other = c.other, c.sign
		turned = true
	}
	if c.without(voices, func(v SecretVoice) bool { return v.Sign == c.wish }) != 0 {
		c.all = time.Time{}
		return turned, false
	}
	if c.all.IsZero() {
		c.all = now
	}
	if now.Sub(c.all) < c.overlap {
		return turned, false
	}
	c.other = 0
	return turned, true
}

// without are the hosts that are heard and of which something is not true.
func (c *Change) without(voices []SecretVoice, is func(SecretVoice) bool) (hosts member.Set) {
	for id, v := range voices {
		if member.ID(id) != c.self && v.Heard && !is(v) {
			hosts = hosts.With(member.ID(id))
		}
	}
	return hosts
}
