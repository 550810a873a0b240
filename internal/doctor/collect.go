package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/features"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/delivery"
	"github.com/muster-ha/muster/internal/tunnel"
	"github.com/muster-ha/muster/internal/vip"
)

// heartbeatPort is UDP port 3343, which heartbeats use on every host; package heartbeat stands above this one.
const heartbeatPort = 3343

// Options says how to look.
type Options struct {
	// Listen is how long to wait for what others send. A querier asks every 125 s (RFC 3376, 8.2), most at once when a member leaves.
	Listen time.Duration
	// Pre: no agent runs here yet, so its port must be free.
	Pre bool
	// Only these checks are made; none: all.
	Only []string
}

// Collect looks at this host, an index into the configuration's hosts.
func Collect(ctx context.Context, cfg *config.Config, self int, o Options) Facts {
	facts := Facts{Links: map[string]Link{}, Queriers: map[string]Querier{}, Foreign: map[string]string{}}
	if wanted(o.Only, CheckSecret) {
		facts.Files = secretFiles(cfg)
	}
	if wanted(o.Only, CheckKernel) {
		facts.Preemption = readPreemption()
	}
	if wanted(o.Only, CheckKernel) && !cfg.Hosts[self].Witness {
		facts.Features = kernelFeatures()
	}
	facts.Routers = routers(cfg)
	if !cfg.Hosts[self].Witness {
		facts.Places = places(cfg, facts.Routers)
	}
	facts.look(cfg, self)
	facts.Default4 = defaultRoute()
	if wanted(o.Only, CheckRoute) {
		facts.Exits = exits(cfg, facts.Places)
	}
	if wanted(o.Only, CheckPort) && o.Pre {
		facts.Port = portTaken(cfg.Hosts[self].Address)
	}
	if wanted(o.Only, CheckClock) {
		facts.Clock = clockState()
	}
	facts.hear(ctx, cfg, self, o)
	if wanted(o.Only, CheckBridge) { // last: by then the other hosts have answered, and a querier too
		facts.Bridges = bridges(cfg, self, facts.Places)
	}
	return facts
}

// hear is what takes time, all at once.
func (facts *Facts) hear(ctx context.Context, cfg *config.Config, self int, o Options) {
	var group sync.WaitGroup
	var mu sync.Mutex
	if wanted(o.Only, CheckMTU) {
		facts.Tunnels = tunnels(ctx, cfg, self)
	}
	if wanted(o.Only, CheckPath) {
		group.Go(func() { paths := tryPaths(cfg, self); mu.Lock(); facts.Paths = paths; mu.Unlock() })
	}
	for i, v := range cfg.VIPs {
		if i >= len(facts.Places) || facts.Places[i].Err != nil {
			continue
		}
		link := facts.Places[i].Link
		switch {
		case v.Delivery == delivery.IGMP && v.Address.Addr().Is4() && wanted(o.Only, CheckIGMP):
			group.Go(func() { q := awaitQuerier(ctx, link, o.Listen); mu.Lock(); facts.Queriers[link.Name] = q; mu.Unlock() })
		case v.Delivery == delivery.Unicast && wanted(o.Only, CheckUnicast):
			mac := delivery.Of(v.Delivery, v.Address.Addr()).MAC
			group.Go(func() {
				if heardFrom(ctx, link, mac, min(o.Listen, maxForeign)) {
					mu.Lock()
					facts.Foreign[link.Name] = mac.String()
					mu.Unlock()
				}
			})
		}
	}
	group.Wait()
}

// tunnels asks the ways to the other hosts how much they take. It is quick: each is one packet and what the kernel knows.
func tunnels(ctx context.Context, cfg *config.Config, self int) (list []Tunnel) {
	if !cfg.Tunnelled() {
		return nil
	}
	own := cfg.Hosts[self].Address
	for i, h := range cfg.Hosts {
		if i == self || h.Witness {
			continue
		}
		takes, err := tunnel.PathMTU(ctx, own, h.Address, cfg.TunnelPort)
		list = append(list, Tunnel{Host: h.Name, Takes: takes, Adds: tunnel.Overhead(own), Err: err})
	}
	return list
}

func secretFiles(cfg *config.Config) []File {
	secret, err := config.LoadSecret(cfg.SecretFile)
	clear(secret)
	files := []File{{What: "secret", Err: err}}
	for _, n := range cfg.BGP.Neighbors {
		_, err := config.LoadPassword(n.PasswordFile)
		files = append(files, File{What: "password of router " + n.Name, Err: err})
	}
	return files
}

// kernelFeatures asks the kernel for what the filter needs.
func kernelFeatures() []Feature {
	list := []Feature{{"eBPF programs on interfaces", features.HaveProgramType(ebpf.SchedCLS)}}
	for _, need := range []struct {
		what   string
		helper asm.BuiltinFunc
	}{
		{"looking for sockets", asm.FnSkcLookupTcp},
		{"checking SYN cookies", asm.FnTcpCheckSyncookie},
		{"the clock that goes on in suspend", asm.FnKtimeGetBootNs},
	} {
		list = append(list, Feature{need.what, features.HaveProgramHelper(ebpf.SchedCLS, need.helper)})
	}
	return list
}

func routers(cfg *config.Config) []Router {
	if !cfg.Routes() {
		return nil
	}
	var list []Router
	for _, n := range cfg.BGP.Neighbors {
		name, err := vip.Toward(n.Address)
		list = append(list, Router{Name: n.Name, Interface: name, Err: err})
	}
	return list
}

// places finds the interface of each VIP as the agent does.
func places(cfg *config.Config, routers []Router) []Place {
	list := make([]Place, len(cfg.VIPs))
	for i, v := range cfg.VIPs {
		name := v.Interface
		if v.Delivery == delivery.Routed && len(routers) > 0 {
			if name = routers[0].Interface; routers[0].Err != nil {
				list[i].Err = routers[0].Err
				continue
			}
		}
		list[i].Link, list[i].Err = vip.Find(v.Address, name)
	}
	return list
}

// exits looks up the routes by which VIPs answer. What the kernel does not tell is not complained about.
func exits(cfg *config.Config, places []Place) (list []vip.Exit) {
	for i, p := range places {
		if p.Err != nil {
			continue
		}
		if found, err := vip.Exits(p.Link, cfg.VIPs[i].Address.Addr().Is6()); err == nil {
			list = append(list, found...)
		}
	}
	return list
}

// look takes in the interfaces of VIPs, of networks and of the host's own address.
func (facts *Facts) look(cfg *config.Config, self int) {
	var names []string
	for _, p := range facts.Places {
		if p.Err == nil {
			names = append(names, p.Link.Name)
		}
	}
	for _, n := range cfg.Networks {
		names = append(names, n.Interface)
	}
	if name := interfaceOf(cfg.Hosts[self].Address); name != "" {
		names = append(names, name)
	}
	for _, name := range names {
		if l, err := netlink.LinkByName(name); err == nil {
			facts.Links[name] = Link{MTU: l.Attrs().MTU, Carrier: l.Attrs().RawFlags&unix.IFF_LOWER_UP != 0, Driver: driverOf(name), Reverse: reverseFilter(name)}
		}
	}
}

// interfaceOf names the interface with an address; empty: none has it.
func interfaceOf(a netip.Addr) string {
	all, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return ""
	}
	for _, addr := range all {
		if ip, ok := netip.AddrFromSlice(addr.IP); ok && ip.Unmap() == a {
			if l, err := netlink.LinkByIndex(addr.LinkIndex); err == nil {
				return l.Attrs().Name
			}
		}
	}
	return ""
}

// driverOf asks by ioctl, which knows network namespaces; /sys does not.
func driverOf(name string) string {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	info, err := unix.IoctlGetEthtoolDrvinfo(fd, name)
	if err != nil {
		return ""
	}
	return unix.ByteSliceToString(info.Driver[:])
}

// reverseFilter is rp_filter in effect: the greater of the interface's and that of all (Documentation/networking/ip-sysctl.rst).
func reverseFilter(name string) int {
	value := 0
	for _, of := range []string{"all", name} {
		text, err := os.ReadFile("/proc/sys/net/ipv4/conf/" + of + "/rp_filter")
		if err != nil {
			continue // the interface has no IPv4
		}
		if n, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			value = max(value, n)
		}
	}
	return value
}

func defaultRoute() string {
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return ""
	}
	for _, r := range routes {
		if ones := 0; r.Dst != nil {
			if ones, _ = r.Dst.Mask.Size(); ones > 0 {
				continue
			}
		}
		if l, err := netlink.LinkByIndex(r.LinkIndex); err == nil {
			return l.Attrs().Name
		}
	}
	return ""
}

// portTaken says why the heartbeat's port cannot be had.
func portTaken(own netip.Addr) error {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(own, heartbeatPort)))
	switch {
	case err == nil:
		return conn.Close()
	case errors.Is(err, unix.EADDRINUSE):
		return errors.New("another program has it on this host (or an agent runs already: then leave --pre out)")
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return fmt.Errorf("no interface of this host has its address %v of the configuration", own)
	}
	return err
}

// clockState says why the clock cannot be trusted.
func clockState() error {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	if err == nil && state == unix.TIME_ERROR {
		return errors.New("it is not synchronised, says the kernel")
	}
	return nil // one that cannot be asked is no problem by itself
}
