package agent

import (
	"fmt"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/heartbeat"
	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/wire"
	"github.com/muster-ha/muster/internal/wire/rotation"
)

const (
	// leastOverlap is how long an old key is kept at least: datagrams that wait in a queue of the network come later than detection
	// says when intervals are short.
	leastOverlap = time.Second

	// keyPatience and keyRest are in detection times: a member that takes longer to fetch a key does not hear us on this network, and
	// hosts that come and go make no more than a key in thirty times what it takes to notice.
	keyPatience = 10
	keyRest     = 30

	// networkBits of a wire number name the network; those above, its multicast.
	networkBits = 0xff
)

// keychain is this host's keys and what it knows of the others'. It belongs to the loop.
type keychain struct {
	networks []networkKeys
	change   *rotation.Change
	said     []saidKeys // by host
	voices   []rotation.Voice
}

// networkKeys are the keys of one network.
type networkKeys struct {
	heartbeat.NetworkOptions
	ring    *wire.Ring
	machine *rotation.Machine
}

// saidKeys is what a host's boot last said of its keys.
type saidKeys struct {
	boot member.Boot
	keys heartbeat.Keys
}

// openKeys makes the rings of the networks, which have the secret's base key and no others.
func (h *host) openKeys(secret []byte, list []heartbeat.NetworkOptions) error {
	overlap := max(leastOverlap, 2*h.silence())
	timing := rotation.Timing{Every: h.config.KeyAge, Overlap: overlap, Patience: keyPatience * h.silence(), Rest: keyRest * h.silence()}
	h.keys = keychain{said: make([]saidKeys, len(h.config.Hosts)), voices: make([]rotation.Voice, len(h.config.Hosts))}
	for _, n := range list {
		ring, err := wire.NewRing(h.config.Cluster, secret)
		if err != nil {
			return err
		}
		h.keys.networks = append(h.keys.networks, networkKeys{NetworkOptions: n, ring: ring, machine: rotation.New(h.self, timing)})
	}
	base, _ := h.keys.networks[0].ring.Bases()
	h.keys.change = rotation.NewChange(h.self, base, overlap)
	return nil
}

// ring is the one of a network, by its number on the wire.
func (k *keychain) ring(number uint16) *wire.Ring {
	for i := range k.networks {
		if uint16(k.networks[i].Index) == number&networkBits {
			return k.networks[i].ring
		}
	}
	return nil // there is no such network: the codec will say so
}

// say is what heartbeats tell of our keys.
func (k *keychain) say() heartbeat.Keys {
	var say heartbeat.Keys
	say.Base, say.Other = k.change.Said()
	for i := range k.networks {
		w := heartbeat.KeyWord{Network: k.networks[i].Index}
		w.Sign, w.Newest = k.networks[i].machine.Said()
		say.Words = append(say.Words, w)
	}
	return say
}

// hear keeps what another host says. A heartbeat without room for it leaves the last word.
func (k *keychain) hear(m heartbeat.Message) {
	said := &k.said[m.From]
	if said.boot != m.Boot {
		*said = saidKeys{boot: m.Boot}
	}
	if m.Keys.Base != 0 {
		said.keys = m.Keys
	}
}

// word is what a host last said of a network's keys.
func (k *keychain) word(host int, network uint8) heartbeat.KeyWord {
	for _, w := range k.said[host].keys.Words {
		if w.Network == network {
			return w
		}
	}
	return heartbeat.KeyWord{}
}

// turnKeys goes on with the rotation of every network's keys, and with a change of the secret.
func (h *host) turnKeys(now time.Time) {
	unable := h.unable()
	for i := range h.keys.networks {
		n := &h.keys.networks[i]
		for id := range h.keys.voices {
			w := h.keys.word(id, n.Index)
			h.keys.voices[id] = rotation.Voice{Heard: h.machine.Hears(member.ID(id)), Sign: w.Sign, Newest: w.Newest}
		}
		h.turnNetwork(n, rotation.State{Now: now, Members: h.sharers(), Allowed: unable == "", Held: n.ring.Held(), Voices: h.keys.voices})
	}
	h.turnSecret(now)
}

// turnNetwork does what the rotation of one network's keys wants.
func (h *host) turnNetwork(n *networkKeys, s rotation.State) {
	n.machine.SetEvery(h.config.KeyAge)
	do := n.machine.Step(s)
	if do.Draw {
		id := n.ring.Draw()
		n.machine.Drawn(id, s.Now)
		h.toldKey(n, "key_drawn", fmt.Sprintf("new key %v: %s", id, do.Reason))
	}
	sign, newest := n.machine.Said()
	if err := n.ring.Use(sign, newest); err != nil {
		h.log.Error("cannot sign with the key that was chosen", "network", n.Name, "err", err)
		return
	}
	n.ring.Want(do.Want)
	for _, id := range do.Drop {
		n.ring.Drop(id)
		h.log.Info("key dropped", "network", n.Name, "key", id)
	}
	if do.Turned && sign != 0 {
		h.toldKey(n, "key_used", fmt.Sprintf("heartbeats are signed with key %v", sign))
	}
	if do.Turned && sign == 0 {
		h.toldKey(n, "key_used", "heartbeats are signed with the cluster's secret: "+h.unable())
	}
}

func (h *host) toldKey(n *networkKeys, kind, text string) {
	h.record(api.Event{At: time.Now(), Kind: kind, Text: "network " + n.Name + ": " + text})
	h.log.Info(kind, "network", n.Name, "what", text)
}

// sharers are the hosts that share keys: those of the view in use.
func (h *host) sharers() member.Set {
	if !h.machine.IsInstalled() {
		return 0
	}
	return h.shares.view.Set()
}

// unable says why hosts cannot have group keys, which take a version that has a section for them; empty: they can.
func (h *host) unable() string {
	name, undecided := h.incapable()
	switch {
	case name != "":
		return "host " + name + " has a version that knows of no others"
	case undecided:
		return "it is not agreed yet that all hosts know of others"
	}
	return ""
}

// rotateKeys has the key of a network replaced, here or by the host that is responsible for it.
func (h *host) rotateKeys(n *networkKeys, now time.Time) error {
	head, shared := rotation.Responsible(h.sharers())
	unable := h.unable()
	switch {
	case !shared:
		return fmt.Errorf("%w: this host is alone in its view: there is nobody to share a key with", api.ErrConflict)
	case unable != "":
		return fmt.Errorf("%w: heartbeats are signed with the secret alone: %s", api.ErrConflict, unable)
	case head == h.self:
		n.machine.Order()
	default:
		h.orders.give(head, heartbeat.RotateKeys+heartbeat.Verb(n.Index), now)
	}
	return nil
}

// keyOrdered is another host's order to replace a network's key.
func (h *host) keyOrdered(verb heartbeat.Verb, from member.ID) {
	for i := range h.keys.networks {
		if n := &h.keys.networks[i]; heartbeat.RotateKeys+heartbeat.Verb(n.Index) == verb {
			h.log.Info("new key ordered", "network", n.Name, "by", h.name(from))
			n.machine.Order()
		}
	}
}
