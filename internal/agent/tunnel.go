package agent

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/filter"
	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/system"
	"github.com/muster-ha/muster/internal/tunnel"
)

// looseReversePath lets a packet in that came another way than one to its sender would go, as everything from the tunnel does: the kernel then
// only asks whether it could be reached at all (RFC 3704, section 2.4). 1 would refuse it.
const looseReversePath = 2

// tunnelAddress is there because the kernel asks that of no interface without an address: it refuses at once. Link-local and of host scope, it is
// never said to anybody, so every host may have the same.
func tunnelAddress() system.Address {
	return system.Address{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{169, 254, 77, 85}), 32), Scope: system.ScopeHost}
}

// tunnelEnd is this host's end of the tunnel; the zero value is none.
type tunnelEnd struct {
	filter.Tunnel
	index int                // of the device
	port  uint16             // UDP
	stop  context.CancelFunc // ends the watch on the ways to the other hosts
	done  chan struct{}
}

// close ends the watch.
func (e *tunnelEnd) close() {
	if e.stop != nil {
		e.stop()
		<-e.done
	}
}

// armTunnel guards a device that nothing comes out of yet. It runs wherever the journal makes one, outside of the loop too.
func (h *host) armTunnel(name string) error {
	link, err := net.InterfaceByName(name)
	if err != nil {
		return fmt.Errorf("find interface %s: %w", name, err)
	}
	return h.filter.AttachTunnel(link.Index)
}

// openTunnel makes the device that a configuration needs, or takes over what an earlier agent made.
func (h *host) openTunnel(cfg *config.Config) (filter.Tunnel, error) {
	if !cfg.Tunnelled() {
		return filter.Tunnel{}, nil
	}
	name := system.TunnelName(cfg.TunnelPort)
	if err := h.changes.AddTunnel(cfg.TunnelPort); err != nil {
		return filter.Tunnel{}, fmt.Errorf("open tunnel: %w", err)
	}
	if err := h.changes.RaiseSysctl(reversePathOf(name), looseReversePath); err != nil {
		return filter.Tunnel{}, fmt.Errorf("open tunnel: %w", err)
	}
	if err := h.changes.AddAddress(name, tunnelAddress()); err != nil {
		return filter.Tunnel{}, fmt.Errorf("open tunnel: %w", err)
	}
	link, err := net.InterfaceByName(name)
	if err != nil {
		return filter.Tunnel{}, fmt.Errorf("open tunnel: %w", err)
	}
	if err := h.filter.AttachTunnel(link.Index); err != nil { // when it was there already
		return filter.Tunnel{}, fmt.Errorf("open tunnel: %w", err)
	}
	own := cfg.Hosts[h.self].Address
	fits, err := linkMTU(own)
	if err != nil {
		return filter.Tunnel{}, fmt.Errorf("open tunnel: %w", err)
	}
	return filter.Tunnel{Interface: link.Index, MAC: link.HardwareAddr, VNI: tunnel.VNI(cfg.Cluster), Local: own,
		MTU: max(fits, tunnel.LeastMTU) - tunnel.Overhead(own)}, nil
}

// linkMTU is how large a packet the interface with an address takes: the best guess before the ways are known.
func linkMTU(own netip.Addr) (int, error) {
	name, err := deviceOf(own)
	if err != nil {
		return 0, err
	}
	link, err := net.InterfaceByName(name)
	if err != nil {
		return 0, fmt.Errorf("find interface %s: %w", name, err)
	}
	return link.MTU, nil
}

func reversePathOf(device string) string { return "net/ipv4/conf/" + device + "/rp_filter" }

// ofTunnel says whether a change in the journal is one of openTunnel's.
func ofTunnel(c system.Change) bool {
	return c.Kind == system.KindTunnel || c.Kind == system.KindSysctl && strings.HasSuffix(c.Sysctl, "/rp_filter") ||
		c.Kind == system.KindAddress && c.Prefix == tunnelAddress().Prefix
}

// useTunnel begins to watch the ways to the hosts that a configuration has behind the tunnel, in place of those of the one before.
func (h *host) useTunnel(cfg *config.Config, end filter.Tunnel) {
	h.tunnel.close()
	h.tunnel = tunnelEnd{Tunnel: end, index: end.Interface, port: cfg.TunnelPort}
	h.tunnelFits.Store(int64(end.MTU))
	far := farHosts(cfg, h.self)
	if end.Interface == 0 || len(far) == 0 {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	h.tunnel.stop, h.tunnel.done = stop, make(chan struct{})
	ask := func(ctx context.Context, to netip.Addr) (int, error) {
		return tunnel.PathMTU(ctx, end.Local, to, cfg.TunnelPort)
	}
	go func(done chan struct{}) {
		defer close(done)
		tunnel.Watch(ctx, far, ask, h.fitTunnel)
	}(h.tunnel.done)
}

// fitTunnel takes note of how large a packet fits.
func (h *host) fitTunnel(bytes int) {
	if err := h.filter.SetTunnelMTU(bytes); err != nil {
		h.log.Error("cannot tell the filter what fits into the tunnel", "bytes", bytes, "err", err)
		return
	}
	h.tunnelFits.Store(int64(bytes))
	h.log.Info("largest packet that fits into the tunnel", "bytes", bytes)
}

// farHosts are the addresses of the hosts that some VIP's packets go to through the tunnel, or come from.
func farHosts(cfg *config.Config, self member.ID) []netip.Addr {
	var far []netip.Addr
	for id, other := range cfg.Hosts {
		if member.ID(id) == self || other.Witness {
			continue
		}
		for v := range cfg.VIPs {
			if cfg.VIPs[v].Tunnel != config.NoTunnel && !neighbours(cfg, v, self, member.ID(id)) {
				far = append(far, other.Address)
				break
			}
		}
	}
	return far
}

// interfaceOf names the interface of a VIP as vip.Find wants it: nothing where the address tells. A host that is not on the address's
// network has the interface by which its answers leave: that of its own address, unless the file names one that it has.
func (h *host) interfaceOf(cfg *config.Config, i int) (string, error) {
	name := cfg.VIPs[i].Interface
	if cfg.Near(i, int(h.self)) {
		return name, nil
	}
	if _, err := net.InterfaceByName(name); err == nil {
		return name, nil
	}
	return deviceOf(cfg.Hosts[h.self].Address)
}

// learnTunnel tells the filter how another host is known in the tunnel.
func (h *host) learnTunnel(from member.ID, mac [6]byte) {
	if h.tunnel.index == 0 {
		return
	}
	if err := h.filter.SetRemote(uint8(from), net.HardwareAddr(mac[:]), h.config.Hosts[from].Address); err != nil {
		h.log.Error("cannot tell the filter where the tunnel goes", "host", h.name(from), "err", err)
	}
}

// tunnelIndex is the number of the tunnel's device as it is now; 0: there is none, or needs to be none.
func tunnelIndex(cfg *config.Config) int {
	if !cfg.Tunnelled() {
		return 0
	}
	link, err := net.InterfaceByName(system.TunnelName(cfg.TunnelPort))
	if err != nil {
		return 0 // it cannot be made anew: that has been told
	}
	return link.Index
}

// tunnelMoved says in words that the device of the tunnel is another one than the filter knows.
func (h *host) tunnelMoved(index int) (texts []string) {
	if h.tunnel.index != 0 && index != 0 && index != h.tunnel.index {
		texts = append(texts, fmt.Sprintf("the tunnel is another one (number %d, was %d): taken over and told to the other hosts", index, h.tunnel.index))
	}
	return texts
}
