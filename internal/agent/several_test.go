package agent_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/lab"
)

// twoNetworks is the lab's configuration with a second network.
func twoNetworks() string {
	return strings.Replace(lab.DefaultConfig, "\nvips:", "\nheartbeat:\n  networks:\n    cross: {interface: eth1}\n\nvips:", 1)
}

// pair is how a host hears another one on a network.
func pair(h *lab.Host, network, other string) (api.NetworkPeer, error) {
	s, err := ask(h)
	if err != nil {
		return api.NetworkPeer{}, err
	}
	for _, n := range s.Networks {
		for _, p := range n.Peers {
			if n.Name == network && p.Host == other {
				return p, nil
			}
		}
	}
	return api.NetworkPeer{}, fmt.Errorf("no pair with %s on network %s: %+v", other, network, s.Networks)
}

// pairs waits until a host hears another one on a network, or does not.
func pairs(t *testing.T, h *lab.Host, network, other string, want api.PeerState) {
	t.Helper()
	eventually(t, patience, network+" between "+h.Name()+" and "+other, func() error {
		p, err := pair(h, network, other)
		if err == nil && p.State != want {
			err = fmt.Errorf("%s, want %s", p.State, want)
		}
		return err
	})
}

// says waits until a host's status has a text, and gives the status.
func says(t *testing.T, h *lab.Host, want string) {
	t.Helper()
	eventually(t, patience, "status of "+h.Name()+" with "+want, func() error {
		text, err := h.Muster(t.Context(), "status")
		if err != nil || !strings.Contains(text, want) {
			return fmt.Errorf("%s, %w", text, err)
		}
		return nil
	})
}

// badForOnePair lets b hear nothing of a on the second network: all hosts say that it is that pair's.
func badForOnePair(t *testing.T, l *lab.Lab) {
	t.Helper()
	for _, command := range []string{"add table ip deaf", "add chain ip deaf in { type filter hook input priority 0; }",
		"add rule ip deaf in iifname eth1 ip saddr 10.78.0.1 drop"} {
		if out, err := l.Host("b").Exec(t.Context(), "nft", command).CombinedOutput(); err != nil {
			t.Fatalf("nft %s: %v\n%s", command, err, out)
		}
	}
	for _, h := range l.Hosts() {
		says(t, h, "network cross: host a is not heard by host b (others are)")
	}
	if text := muster(t, l.Host("c"), "status"); strings.Count(text, "heard by") != 1 || strings.Contains(text, "hears nobody") {
		t.Errorf("more is told of network cross than the pair:\n%s", text)
	}
	if out, err := l.Host("b").Exec(t.Context(), "nft", "delete table ip deaf").CombinedOutput(); err != nil {
		t.Fatalf("nft: %v\n%s", err, out)
	}
	for _, h := range l.Hosts() {
		eventually(t, patience, "all hear each other again, says "+h.Name(), func() error {
			if text, err := h.Muster(t.Context(), "status"); err != nil || strings.Contains(text, "heard by") {
				return fmt.Errorf("%s, %w", text, err)
			}
			return nil
		})
	}
}

// TestHostIsGoneOnlyWhenSilentOnAllNetworks: either network alone keeps the view, and what is bad is shown as the pair's.
func TestHostIsGoneOnlyWhenSilentOnAllNetworks(t *testing.T) {
	l := machines(t, lab.Options{Hosts: 3, Clients: 1, Networks: 1, Config: twoNetworks()})
	if err := errors.Join(l.StartWeb(), l.StartAll()); err != nil {
		t.Fatal(err)
	}
	epoch := ready(t, l)
	a, b, c := l.Host("a"), l.Host("b"), l.Host("c")
	for _, other := range []string{"b", "c"} {
		pairs(t, a, "cross", other, api.PeerHeard)
		pairs(t, a, "lan", other, api.PeerHeard)
	}
	if p, err := pair(a, "cross", "b"); err != nil || p.Address != "10.78.0.2" {
		t.Errorf("b on network cross: %+v, %v", p, err)
	}
	for _, network := range []struct {
		number      int
		name, other string
	}{{0, "lan", "cross"}, {1, "cross", "lan"}} {
		if err := b.Unplug(network.number); err != nil {
			t.Fatal(err)
		}
		pairs(t, a, network.name, "b", api.PeerSilent)
		pairs(t, a, network.name, "c", api.PeerHeard)
		pairs(t, a, network.other, "b", api.PeerHeard)
		says(t, a, fmt.Sprintf("network %s: host b hears nobody and nobody hears it", network.name))
		says(t, c, fmt.Sprintf("network %s: host b hears nobody and nobody hears it", network.name))
		if text := muster(t, a, "network", "show", network.name); !strings.Contains(text, "silent") {
			t.Errorf("network show:\n%s", text)
		}
		if err := b.Plug(network.number); err != nil {
			t.Fatal(err)
		}
		pairs(t, a, network.name, "b", api.PeerHeard)
		pairs(t, b, network.name, "a", api.PeerHeard)
	}
	badForOnePair(t, l)
	if after := ready(t, l); after != epoch {
		t.Errorf("the view has changed from epoch %d to %d", epoch, after)
	}
	// An address that changes is told on the network that still works.
	for _, args := range [][]string{{"addr", "del", "10.78.0.3/24", "dev", "eth1"}, {"addr", "add", "10.78.0.33/24", "dev", "eth1"}} {
		if out, err := c.Exec(t.Context(), append([]string{"ip"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v\n%s", args, err, out)
		}
	}
	eventually(t, patience, "new address of c", func() error {
		p, err := pair(a, "cross", "c")
		if err == nil && (p.Address != "10.78.0.33" || p.State != api.PeerHeard) {
			err = fmt.Errorf("%+v", p)
		}
		return err
	})
	cut := time.Now()
	if err := errors.Join(b.Unplug(0), b.Unplug(1)); err != nil {
		t.Fatal(err)
	}
	eventually(t, patience, "view without b", func() error {
		s, err := ask(a)
		if err == nil && len(s.View.Members) != 2 {
			err = fmt.Errorf("members %v", s.View.Members)
		}
		return err
	})
	t.Logf("silent on both networks: out of the view %v after", time.Since(cut))
}
