package filter

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// node is a network namespace of its own, without a name: it goes when the test does.
type node struct {
	t       testing.TB
	ns      netns.NsHandle
	name    string
	address netip.Addr
	mac     net.HardwareAddr
	ifindex int
}

// newNode makes a namespace with loopback up.
func newNode(t testing.TB, name string) *node {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("needs root: network namespaces and eBPF")
	}
	n := &node{t: t, name: name}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine, and the namespace is not reused
		var err error
		if err = unix.Unshare(unix.CLONE_NEWNET); err == nil {
			n.ns, err = netns.Get()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.ns.Close() })
	n.do(func() error {
		if err := sysctl("ipv6/conf/default/dad_transmits", "0"); err != nil { // nobody has their addresses: they can be used at once
			return err
		}
		return up("lo")
	})
	return n
}

// do runs f on a thread in the namespace and fails the test on an error.
func (n *node) do(f func() error) {
	n.t.Helper()
	if err := n.try(f); err != nil {
		n.t.Fatalf("%s: %v", n.name, err)
	}
}

func (n *node) try(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if err := netns.Set(n.ns); err != nil {
			done <- err
			return
		}
		done <- f()
	}()
	return <-done
}

func up(name string) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(l)
}

func sysctl(path, value string) error {
	return os.WriteFile("/proc/sys/net/"+path, []byte(value), 0o644)
}

// plug connects the node to a bridge in another namespace.
func (n *node) plug(bridge *node, address string) {
	n.t.Helper()
	prefix := netip.MustParsePrefix(address)
	n.address = prefix.Addr()
	bridge.do(func() error {
		br, err := netlink.LinkByName("br0")
		if err != nil {
			return err
		}
		a := netlink.NewLinkAttrs()
		a.Name, a.MasterIndex = "p-"+n.name, br.Attrs().Index
		v := &netlink.Veth{LinkAttrs: a, PeerName: "eth0", PeerNamespace: netlink.NsFd(n.ns)}
		if err := netlink.LinkAdd(v); err != nil {
			return fmt.Errorf("add veth: %w", err)
		}
		return netlink.LinkSetUp(v)
	})
	n.do(func() error {
		l, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		n.mac, n.ifindex = l.Attrs().HardwareAddr, l.Attrs().Index
		if err := netlink.AddrAdd(l, &netlink.Addr{IPNet: ipNet(prefix)}); err != nil {
			return err
		}
		return netlink.LinkSetUp(l)
	})
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

func newBridge(t testing.TB) *node {
	n := newNode(t, "bridge")
	n.do(func() error {
		a := netlink.NewLinkAttrs()
		a.Name = "br0"
		if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: a}); err != nil {
			return err
		}
		return up("br0")
	})
	return n
}

// bearVIP gives a host the address as the product does: on loopback, and never as the sender of ARP.
func (n *node) bearVIP(vip netip.Addr) {
	n.t.Helper()
	n.do(func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		a := &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(vip, vip.BitLen()))}
		if vip.Is6() {
			a.Flags = unix.IFA_F_NODAD
		}
		if err := netlink.AddrAdd(lo, a); err != nil {
			return err
		}
		if err := sysctl("ipv4/conf/all/arp_ignore", "1"); err != nil {
			return err
		}
		return sysctl("ipv4/conf/all/arp_announce", "2")
	})
	if vip.Is6() {
		n.routed(vip)
	}
}

// routed waits until the kernel takes packets for an IPv6 address: it adds the route some time after the address.
func (n *node) routed(a netip.Addr) {
	n.t.Helper()
	waitFor(n.t, "route to "+a.String(), func() (local bool) {
		n.do(func() error {
			routes, err := netlink.RouteGet(a.AsSlice())
			local = err == nil && len(routes) > 0 && routes[0].Type == unix.RTN_LOCAL
			return nil
		})
		return local
	})
}

// stub adds an interface that leads nowhere: one end of a pair whose other end nobody uses.
func (n *node) stub(name string, mac net.HardwareAddr) int {
	n.t.Helper()
	index := 0
	n.do(func() error {
		a := netlink.NewLinkAttrs()
		a.Name, a.HardwareAddr = name, mac
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: a, PeerName: name + "x"}); err != nil {
			return fmt.Errorf("add veth: %w", err)
		}
		l, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		index = l.Attrs().Index
		if err := up(name + "x"); err != nil {
			return err
		}
		return netlink.LinkSetUp(l)
	})
	return index
}

// pinDir is a directory on a bpf file system of the test's own.
func pinDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("bpf", dir, "bpf", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir + "/muster"
}

func unmount(dir string) error { return unix.Unmount(dir, unix.MNT_DETACH) }

// tcxPrograms lists what runs at one side of an interface: nothing, where the kernel has no tcx.
func tcxPrograms(ifindex int, d direction) ([]link.AttachedProgram, error) {
	at := ebpf.AttachTCXIngress
	if d == egress {
		at = ebpf.AttachTCXEgress
	}
	r, err := link.QueryPrograms(link.QueryOptions{Target: ifindex, Attach: at})
	if errors.Is(err, unix.EINVAL) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list tcx programs: %w", err)
	}
	return r.Programs, nil
}
