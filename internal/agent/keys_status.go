package agent

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/wire"
	"github.com/muster-ha/muster/internal/wire/rotation"
)

// strangerMemory is how long a datagram under an unknown key is told of.
const strangerMemory = 5 * time.Second

// Keys says which keys there are, by their ids alone.
func (h *host) Keys(ctx context.Context) (api.Keys, error) {
	var k api.Keys
	if !h.do(ctx, func() { k = h.keysNow(time.Now()) }) {
		return k, fmt.Errorf("%w: the agent is stopping", api.ErrConflict)
	}
	return k, nil
}

// RotateKeys has the key of a network replaced, or those of all when no name is given.
func (h *host) RotateKeys(ctx context.Context, network string) error {
	var failed error
	ok := h.do(ctx, func() {
		names, any := []string{}, false
		for i := range h.keys.networks {
			n := &h.keys.networks[i]
			names = append(names, n.Name)
			if failed == nil && (network == "" || network == n.Name) {
				any, failed = true, h.rotateKeys(n, time.Now())
			}
		}
		if !any {
			failed = fmt.Errorf("%w network %q: the networks are %s", api.ErrUnknown, network, strings.Join(names, ", "))
			return
		}
		h.turnKeys(time.Now())
		h.speak()
	})
	if !ok {
		return fmt.Errorf("%w: the agent is stopping", api.ErrConflict)
	}
	return failed
}

func (h *host) keysNow(now time.Time) api.Keys {
	k := api.Keys{Host: h.name(h.self), Secret: h.secretNow(), Networks: []api.NetworkKeys{}}
	for i := range h.keys.networks {
		k.Networks = append(k.Networks, h.networkKeysNow(&h.keys.networks[i], now))
	}
	return k
}

func (h *host) secretNow() api.SecretKeys {
	sign, other := h.keys.change.Said()
	s := api.SecretKeys{ID: sign.String(), Waits: []string{}}
	if other != 0 {
		s.Other = other.String()
		for id := range h.keys.change.Waits(h.secretVoices()).All() {
			s.Waits = append(s.Waits, h.name(id))
		}
	}
	return s
}

func (h *host) networkKeysNow(n *networkKeys, now time.Time) api.NetworkKeys {
	sign, newest := n.machine.Said()
	k := api.NetworkKeys{Network: n.Name, Sign: idText(sign), Newest: idText(newest), Why: h.unable(), Keys: []api.KeyStatus{}, Hosts: []api.HostKeys{}}
	members := h.sharers()
	if head, shared := rotation.Responsible(members); shared {
		k.Responsible = h.name(head)
	}
	if due := n.machine.Due(); !due.IsZero() {
		k.NextMS = new(millis(due.Sub(now)))
	}
	k.Agreed = sign != 0 && members.Len() > 1
	for id := range h.config.Hosts {
		said := h.hostKeys(member.ID(id), n)
		k.Hosts = append(k.Hosts, said)
		if members.Has(member.ID(id)) && said.Sign != k.Sign {
			k.Agreed = false
		}
	}
	for _, id := range n.ring.Held() {
		k.Keys = append(k.Keys, keyStatus(n, id, k.Hosts, now))
	}
	return k
}

// hostKeys is what a host says of a network's keys.
func (h *host) hostKeys(id member.ID, n *networkKeys) api.HostKeys {
	s := api.HostKeys{Host: h.name(id)}
	if id == h.self {
		sign, newest := n.machine.Said()
		s.Known, s.Sign, s.Newest = true, idText(sign), idText(newest)
		return s
	}
	if !h.machine.Hears(id) || h.keys.said[id].keys.Base == 0 {
		return s
	}
	w := h.keys.word(int(id), n.Index)
	s.Known, s.Sign, s.Newest = true, idText(w.Sign), idText(w.Newest)
	return s
}

func keyStatus(n *networkKeys, id wire.KeyID, hosts []api.HostKeys, now time.Time) api.KeyStatus {
	s := api.KeyStatus{ID: id.String(), AgeMS: millis(now.Sub(n.machine.Since(id))), SignedBy: []string{}, HeldBy: []string{}}
	for _, host := range hosts {
		if host.Sign == s.ID {
			s.SignedBy = append(s.SignedBy, host.Host)
		}
		if host.Sign == s.ID || host.Newest == s.ID {
			s.HeldBy = append(s.HeldBy, host.Host)
		}
	}
	return s
}

// idText is empty for no key.
func idText(id wire.KeyID) string {
	if id == 0 {
		return ""
	}
	return id.String()
}

// keyProblems finds what keeps hosts from reading each other.
func (h *host) keyProblems(s api.Status, now time.Time) []api.Problem {
	list := []api.Problem{}
	if secret := h.secretNow(); len(secret.Waits) > 0 {
		list = append(list, api.Problem{About: "secret", What: "another secret is held here and not used yet: " + strings.Join(secret.Waits, ", ") + " does not have it",
			Remedy: "put the same secret file there and run `muster reload`, or put the old one back here"})
	}
	for id := range h.config.Hosts {
		i := slices.IndexFunc(s.Hosts, func(host api.HostStatus) bool { return host.Name == h.name(member.ID(id)) })
		silent := s.Hosts[i].State == api.StateSilent || s.Hosts[i].State == api.StateUnknown
		if at := h.network.Unreadable(member.ID(id)); silent && !at.IsZero() && now.Sub(at) < strangerMemory {
			list = append(list, api.Problem{About: "host " + h.name(member.ID(id)), What: "datagrams in its name are signed with a secret that this host does not have",
				Remedy: "put the same secret file on both hosts and run `muster reload` on each"})
		}
	}
	return list
}
