package madcap

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// newNamespace puts the test in a network namespace of its own, with a loopback that carries multicast. It needs root. The thread
// is never given back: the namespace ends with it.
func newNamespace(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("make network namespace (this test needs root): %v", err)
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(netlink.LinkSetMulticastOn(lo), netlink.LinkSetUp(lo)); err != nil {
		t.Fatal(err)
	}
}

// addCable adds interface m0 with an address, because the loopback carries no IPv6 multicast.
func addCable(t *testing.T, address string) {
	t.Helper()
	cable := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "m0"}, PeerName: "m1"}
	a, err := netlink.ParseAddr(address)
	if err != nil {
		t.Fatal(err)
	}
	a.Flags = unix.IFA_F_NODAD
	if err := netlink.LinkAdd(cable); err != nil {
		t.Fatal(err)
	}
	peer, err := netlink.LinkByName("m1")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(netlink.LinkSetUp(cable), netlink.LinkSetUp(peer), netlink.AddrAdd(cable, a)); err != nil {
		t.Fatal(err)
	}
}

// startUDP runs a server on the address until the test ends.
func startUDP(t *testing.T, s *Server, on string) context.CancelFunc {
	t.Helper()
	l, err := ListenUDP(ListenConfig{Address: netip.AddrPortFrom(s.cfg.ID, 0), Groups: s.Groups(), Interfaces: []string{on}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	stop := func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
		ended <- nil
	}
	t.Cleanup(stop)
	return stop
}

func TestOverUDP(t *testing.T) {
	site6 := Scope{First: netip.MustParseAddr("ff15::"), Last: netip.MustParseAddr("ff15:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), TTL: 255}
	tests := []struct {
		name   string
		family Family
		server netip.Addr
		client UDPConfig
		scopes []ServedScope
	}{
		{"IPv4", IPv4, netip.MustParseAddr("127.0.0.1"), UDPConfig{Interface: "lo"}, siteAndGlobal()},
		{"IPv6", IPv6, netip.MustParseAddr("fd00::1"), UDPConfig{Interface: "m0", Local: netip.IPv6Unspecified()}, []ServedScope{{Scope: site6}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			newNamespace(t)
			if tt.family == IPv6 {
				addCable(t, "fd00::1/64")
			}
			store, err := OpenFile(filepath.Join(t.TempDir(), "leases.json"))
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			cfg := ServerConfig{ID: tt.server, Scopes: tt.scopes, Store: store}
			s, err := NewServer(cfg)
			if err != nil {
				t.Fatal(err)
			}
			stop := startUDP(t, s, tt.client.Interface)
			c, err := NewClient(ClientConfig{Open: OpenUDP(tt.client), Family: tt.family, Gather: time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			found, err := c.Scopes(t.Context(), netip.Addr{}, "")
			if err != nil || len(found) != 1 || found[0].Server != tt.server || len(found[0].Scopes) != len(tt.scopes) {
				t.Fatalf("scopes %v, %v", found, err)
			}
			lease, err := c.Lease(t.Context(), Request{Scope: found[0].Scopes[0], Desired: 3, Time: time.Hour})
			if err != nil || lease.Addresses() != 3 || lease.Server != tt.server {
				t.Fatalf("lease %v, %v", lease, err)
			}
			// The server is stopped and another begins with the file: the lease is still there.
			stop()
			if s, err = NewServer(cfg); err != nil {
				t.Fatal(err)
			}
			startUDP(t, s, tt.client.Interface)
			renewed, err := c.Renew(t.Context(), lease, Terms{Time: 2 * time.Hour})
			if err != nil || !slices.Equal(renewed.Ranges, lease.Ranges) || renewed.Expires.Sub(lease.Expires) < 50*time.Minute {
				t.Errorf("renewed %v, %v", renewed, err)
			}
			if err := c.Release(t.Context(), renewed); err != nil || len(s.Leases()) != 0 {
				t.Errorf("release: %v, server has %v", err, s.Leases())
			}
			for _, what := range []string{"received: RENEW", "sent: ACK"} {
				if s.Counts()[what] == 0 {
					t.Errorf("%q is not counted: %v", what, s.Counts())
				}
			}
		})
	}
}

// Two servers of one scope on one host hear the same multicast; the client uses one and the other lets go.
func TestTwoServersOverUDP(t *testing.T) {
	newNamespace(t)
	var servers []*Server
	for i, id := range []string{"127.0.0.1", "127.0.0.2"} {
		cfg := ServerConfig{ID: netip.MustParseAddr(id), Scopes: siteAndGlobal()}
		only([]string{"239.255.1.0", "239.255.2.0"}[i], 10)(&cfg)
		s, err := NewServer(cfg)
		if err != nil {
			t.Fatal(err)
		}
		startUDP(t, s, "lo")
		servers = append(servers, s)
	}
	c, err := NewClient(ClientConfig{Open: OpenUDP(UDPConfig{Interface: "lo"})})
	if err != nil {
		t.Fatal(err)
	}
	found, err := c.Scopes(t.Context(), netip.Addr{}, "")
	if err != nil || len(found) != 2 {
		t.Fatalf("scopes %v, %v", found, err)
	}
	lease, err := c.Lease(t.Context(), Request{Scope: LocalScope(IPv4)})
	if err != nil {
		t.Fatal(err)
	}
	other := servers[0]
	if lease.Server == other.cfg.ID {
		other = servers[1]
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for other.Counts()["ignored: REQUEST to another server"] == 0 {
		select {
		case <-ctx.Done():
			t.Fatalf("the server that was not chosen has not heard so: %v", other.Counts())
		case <-time.After(10 * time.Millisecond):
		}
	}
	if n := len(servers[0].Leases()) + len(servers[1].Leases()); n != 1 {
		t.Errorf("%d leases", n)
	}
}

func TestUDPErrors(t *testing.T) {
	newNamespace(t)
	if _, err := OpenUDP(UDPConfig{Interface: "nosuch"})(t.Context()); err == nil {
		t.Error("a client opens on an interface that is not there")
	}
	if _, err := ListenUDP(ListenConfig{Address: netip.MustParseAddrPort("192.0.2.1:2535")}); err == nil {
		t.Error("a server listens on an address that is not its own")
	}
	groups := []netip.Addr{localGroup}
	if _, err := ListenUDP(ListenConfig{netip.MustParseAddrPort("127.0.0.1:0"), groups, []string{"nosuch"}}); err == nil {
		t.Error("a server joins a group on an interface that is not there")
	}
	for range 2 { // the first is closed: its port is free again
		l, err := ListenUDP(ListenConfig{netip.MustParseAddrPort("127.0.0.1:0"), groups, []string{"lo"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if _, err := l.Receive(); err == nil {
			t.Error("a closed listener receives")
		}
	}
}
