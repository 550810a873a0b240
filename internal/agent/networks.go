package agent

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/heartbeat"
	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/system"
	"github.com/muster-ha/muster/internal/wire"
)

// networkNames are what the network of the hosts' addresses is called when the file does not name it; the second if a network of
// another interface has the first.
var networkNames = [...]string{"lan", "hosts"}

// openNetworks opens the heartbeat's sockets.
func (h *host) openNetworks(secret []byte) (*heartbeat.Networks, error) {
	own := h.config.Hosts[h.self].Address
	device, err := deviceOf(own)
	if err != nil {
		return nil, fmt.Errorf("open heartbeat network on host %s: %w", h.opt.Host, err)
	}
	hosts := make([]netip.AddrPort, len(h.config.Hosts))
	for i, each := range h.config.Hosts {
		hosts[i] = netip.AddrPortFrom(each.Address, heartbeat.Port)
	}
	list := networkList(h.config, device)
	for _, n := range list {
		h.castings = append(h.castings, casting{NetworkOptions: n})
	}
	h.loadGroups()
	if err := h.openKeys(secret, list); err != nil {
		return nil, err
	}
	networks, err := heartbeat.NewNetworks(heartbeat.NetworksOptions{Self: h.self, Hosts: hosts, List: list, Trust: h.trust(), Log: h.log,
		Speaks: heartbeat.Spoken(), Silence: h.silence(),
		Codec: func(network uint16) (*wire.Codec, error) {
			return wire.New(wire.Options{Cluster: h.config.Cluster, Ring: h.keys.ring(network), Self: h.self, Hosts: len(h.config.Hosts),
				Boot: h.boot, Network: network, Interval: h.config.Heartbeat.Interval})
		}})
	if err != nil {
		return nil, fmt.Errorf("open heartbeat network on host %s: %w", h.opt.Host, err)
	}
	return networks, nil
}

// networkList gives each network its number: 0 for the one that carries the hosts' addresses, on the interface given, and for the
// others their place in the file. So hosts agree even where their interfaces differ.
func networkList(cfg *config.Config, device string) []heartbeat.NetworkOptions {
	first := heartbeat.NetworkOptions{Interface: device}
	var rest []heartbeat.NetworkOptions
	taken := map[string]bool{}
	for i, n := range cfg.Networks {
		taken[n.Name] = true
		if n.Interface == device {
			first.Name = n.Name
			continue
		}
		rest = append(rest, heartbeat.NetworkOptions{Name: n.Name, Interface: n.Interface, Index: uint8(i + 1)})
	}
	for _, name := range networkNames {
		if first.Name == "" && !taken[name] {
			first.Name = name
		}
	}
	if first.Name == "" {
		first.Name = device
	}
	return append([]heartbeat.NetworkOptions{first}, rest...)
}

// deviceOf finds the interface that has an address.
func deviceOf(a netip.Addr) (string, error) {
	device, err := system.InterfaceOf(a)
	if errors.Is(err, system.ErrNoInterface) {
		return "", fmt.Errorf("%w (give this machine the address, or start its agent with the right --host)", err)
	}
	return device, err
}

// networks is how each network is doing.
func (h *host) networks(now time.Time) []api.NetworkStatus {
	list := []api.NetworkStatus{}
	for i, n := range h.network.Stats() {
		s := api.NetworkStatus{Name: n.Name, Interface: n.Interface, Number: int(n.Index), Up: n.Down == nil, Datagrams: datagrams(n.Stats), Peers: []api.NetworkPeer{}}
		if n.Down != nil {
			s.Why = n.Down.Error()
		}
		if n.Address.IsValid() {
			s.Address = n.Address.String()
		}
		for id := range h.config.Hosts {
			if member.ID(id) != h.self {
				s.Peers = append(s.Peers, h.networkPeer(member.ID(id), n, now))
			}
		}
		s.Hearing = h.networkHearing(n, s.Peers)
		s.Multicast = h.castStatus(i, n)
		list = append(list, s)
	}
	return list
}

// networkPeer is how another host is heard on one network.
func (h *host) networkPeer(id member.ID, n heartbeat.NetworkStats, now time.Time) api.NetworkPeer {
	p := n.Peers[id]
	if n.Cast.Hears.Has(id) {
		p = n.Cast.Peers[id]
	}
	s := api.NetworkPeer{Host: h.name(id), State: api.PeerUnknown}
	if a := n.Addresses[id]; a.IsValid() {
		s.Address = a.Addr().String()
	}
	if p.Received == 0 {
		return s
	}
	s.State = api.PeerSilent
	if now.Sub(p.Heard) < h.silence() {
		s.State = api.PeerHeard
	}
	s.HeardAgoMS = new(millis(now.Sub(p.Heard)))
	s.LossPercent = new(100 * p.Loss)
	s.JitterMS = new(millis(p.Jitter))
	if p.RoundTrip > 0 {
		s.DelayMS = new(millis(p.RoundTrip))
	}
	return s
}

// trust is how long a multicast may not have been heard before unicast goes beside it: well before the kernel's lease or anybody's
// patience ends.
func (h *host) trust() time.Duration {
	return time.Duration(max(2, h.config.Heartbeat.Tolerance/4)) * h.config.Heartbeat.Interval
}

// silence is how long nothing is heard before a host counts as silent.
func (h *host) silence() time.Duration {
	return time.Duration(h.config.Heartbeat.Tolerance) * h.config.Heartbeat.Interval
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
