package agent

import (
	"fmt"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/wire/rotation"
)

// takeSecret takes over what the secret's file holds now: the secret in use, or another one, to which the hosts go over once all
// have it.
func (h *host) takeSecret(secret []byte) error {
	for i := range h.keys.networks {
		id, err := h.keys.networks[i].ring.AddSecret(secret)
		if err != nil {
			return fmt.Errorf("%w: take new secret: %w", api.ErrConflict, err)
		}
		if sign, other := h.keys.change.Said(); i == len(h.keys.networks)-1 && (id != sign || other != 0) {
			h.keys.change.Wish(id)
			h.toldSecret(fmt.Sprintf("secret %v is held, and used once every host that is heard has it", id))
		}
	}
	return nil
}

// turnSecret goes on with a change of the secret.
func (h *host) turnSecret(now time.Time) {
	turned, drop := h.keys.change.Step(now, h.secretVoices())
	sign, _ := h.keys.change.Said()
	for i := range h.keys.networks {
		n := &h.keys.networks[i]
		if err := n.ring.UseSecret(sign); err != nil {
			h.log.Error("cannot go over to the new secret", "network", n.Name, "err", err)
			return
		}
		if drop {
			n.ring.DropSecret()
			n.machine.Order() // keys that went round under the old secret have served their time
		}
	}
	if turned {
		go h.renewWill() // it may have to wait for the guard
		h.toldSecret(fmt.Sprintf("secret %v is used", sign))
	}
	if drop {
		h.toldSecret("the old secret is forgotten")
	}
}

func (h *host) toldSecret(text string) {
	h.record(api.Event{At: time.Now(), Kind: "secret", Text: text})
	h.log.Info("secret", "what", text)
}

// secretVoices is what the others say of their secrets.
func (h *host) secretVoices() []rotation.SecretVoice {
	voices := make([]rotation.SecretVoice, len(h.keys.said))
	for id := range voices {
		k := h.keys.said[id].keys
		voices[id] = rotation.SecretVoice{Heard: h.machine.Hears(member.ID(id)), Sign: k.Base, Other: k.Other}
	}
	return voices
}
