package agent_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/internal/wire"
	"github.com/muster-ha/muster/madcap"
)

// shortLease is long enough for a lease to be wanted, and renewed every 6 s.
const shortLease = 12 * time.Second

// leaseServer is a MADCAP server on the lab's first client, with a lease file.
type leaseServer struct {
	*madcap.Server
	path string
	stop func()
}

// localScope is the local scope, of which a server hands out a few addresses.
func localScope() madcap.ServedScope {
	return madcap.ServedScope{Scope: madcap.LocalScope(madcap.IPv4),
		Pools: []madcap.Span{{First: netip.MustParseAddr("239.255.8.1"), Last: netip.MustParseAddr("239.255.8.9")}}}
}

// serveLeases starts one for a scope; its file may have leases already.
func serveLeases(t *testing.T, l *lab.Lab, path string, scope madcap.ServedScope) *leaseServer {
	t.Helper()
	store, err := madcap.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	client := l.Client(1)
	s, err := madcap.NewServer(madcap.ServerConfig{ID: client.Address(), Store: store, MaxTime: shortLease, Extra: -1, Scopes: []madcap.ServedScope{scope}})
	if err != nil {
		t.Fatal(err)
	}
	var listener madcap.Listener
	err = client.Do(func() (err error) {
		listener, err = madcap.ListenUDP(madcap.ListenConfig{Address: netip.AddrPortFrom(client.Address(), 0), Groups: s.Groups(), Interfaces: []string{"eth0"}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, listener) }()
	stopped := false
	server := &leaseServer{Server: s, path: path}
	server.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve leases: %v", err)
		}
		if err := store.Close(); err != nil {
			t.Errorf("close lease file: %v", err)
		}
	}
	t.Cleanup(server.stop)
	return server
}

// live are the leases that have not ended.
func (s *leaseServer) live() []madcap.Record {
	var list []madcap.Record
	for _, r := range s.Leases() {
		if time.Now().Before(r.End) {
			list = append(list, r)
		}
	}
	return list
}

// lease waits until a host knows of a lease that is good, and gives it.
func lease(t *testing.T, h *lab.Host, what string, good func(api.LeaseStatus) bool) api.LeaseStatus {
	t.Helper()
	var l api.LeaseStatus
	eventually(t, patience, "host "+h.Name()+": "+what, func() error {
		s, err := ask(h)
		if err != nil {
			return err
		}
		m := s.Networks[0].Multicast
		if m.Lease == nil || !good(*m.Lease) {
			return fmt.Errorf("lease %+v of group %s; %s", m.Lease, m.Group, m.MADCAP)
		}
		l = *m.Lease
		return nil
	})
	return l
}

// TestLeaseOfAGroup is the life of a lease in a cluster: asked for by the responsible host, known to all, renewed by the next one when that
// is gone, kept over a restart of all, lost when the server falls silent, and asked for anew.
func TestLeaseOfAGroup(t *testing.T) {
	l := machines(t, lab.Options{Hosts: 3, Clients: 1, Config: strings.Replace(lab.DefaultConfig, "\nvips:", "\nheartbeat: {"+calm+"}\n\nvips:", 1)})
	server := serveLeases(t, l, filepath.Join(t.TempDir(), "leases.json"), localScope())
	if err := errors.Join(l.StartWeb(), l.StartAll()); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
	a, b := l.Host("a"), l.Host("b")
	m := by(t, a, "multicast to a leased group", "239.255.8.", true, 2, 2, 2)
	if m.How != "MADCAP lease" {
		t.Errorf("group %s is %s", m.Group, m.How)
	}
	first := lease(t, b, "knows the lease", func(l api.LeaseStatus) bool { return l.Address == m.Group })
	if n := server.live(); len(n) != 1 || n[0].ID.String() != first.ID || first.Server != l.Client(1).Address().String() || first.Keeper != "a" {
		t.Errorf("the server has %v, the cluster %+v", n, first)
	}
	nextHostRenews(t, l, server, first)
	for _, h := range l.Hosts() {
		kill(t, h)
	}
	if err := l.StartAll(); err != nil {
		t.Fatal(err)
	}
	epoch := ready(t, l)
	if m := by(t, b, "multicast after the restart", "239.255.8.", true, 2, 2, 2); m.Group != first.Address || m.Lease == nil || m.Lease.ID != first.ID {
		t.Errorf("group %s, lease %+v after the restart of all; before: %+v", m.Group, m.Lease, first)
	}
	server.stop()
	silentServer(t, a, first)
	if after := ready(t, l); after != epoch {
		t.Errorf("the view has changed from epoch %d to %d", epoch, after)
	}
	server = serveLeases(t, l, server.path, localScope())
	kill(t, a) // the next host that is responsible asks at once
	second := lease(t, b, "a new lease", func(l api.LeaseStatus) bool { return l.ID != first.ID })
	by(t, b, "multicast to the new lease", second.Address, true, 0, 1, 1)
}

// nextHostRenews: the host that is responsible loses its power, and the next one renews the same lease, address and identifier.
func nextHostRenews(t *testing.T, l *lab.Lab, server *leaseServer, first api.LeaseStatus) {
	t.Helper()
	if _, err := l.Host("a").PowerCut(); err != nil {
		t.Fatal(err)
	}
	members(t, l.Host("b"), "b", "c")
	before := server.Leases()[0].End
	renewed := lease(t, l.Host("c"), "renewed by b", func(l api.LeaseStatus) bool { return l.Keeper == "b" && l.Expires.After(before) })
	if renewed.ID != first.ID || renewed.Address != first.Address {
		t.Errorf("renewed %+v, first %+v", renewed, first)
	}
	file, err := os.ReadFile(server.path)
	if err != nil || strings.Count(string(file), `"id"`) != 1 || !strings.Contains(string(file), first.ID) {
		t.Errorf("lease file: %v\n%s", err, file)
	}
	if !server.Leases()[0].End.After(before) {
		t.Errorf("the server has %v", server.Leases())
	}
	if err := l.Host("a").PowerOn(); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
}

// silentServer waits until the lease has expired: the hosts choose an address themselves, and say why.
func silentServer(t *testing.T, h *lab.Host, lost api.LeaseStatus) {
	t.Helper()
	m := by(t, h, "multicast to another group", "239.255.", true, 2, 2, 2)
	eventually(t, patience, "self-selection", func() error {
		s := status(t, h)
		if m = s.Networks[0].Multicast; m.How != "self-selected" || m.Lease != nil {
			return fmt.Errorf("group %s is %s, lease %+v", m.Group, m.How, m.Lease)
		}
		return nil
	})
	if m.Group == lost.Address {
		t.Errorf("group %s is the one that was leased", m.Group)
	}
	expired := false
	for _, e := range events(t, h, "lease") {
		expired = expired || strings.Contains(e.Text, "has expired")
	}
	if !expired {
		t.Errorf("no event of the end of the lease: %v", events(t, h, "lease"))
	}
	if !strings.Contains(muster(t, h, "multicast", "show"), "servers") {
		t.Errorf("multicast show:\n%s", muster(t, h, "multicast", "show"))
	}
}

// strangersOn sends a heartbeat of another cluster to a group.
func strangersOn(t *testing.T, l *lab.Lab, group string) {
	t.Helper()
	foreign, err := wire.New(wire.Options{Cluster: "barn", Secret: make([]byte, 32), Hosts: 3, Boot: 1, Network: 256, Interval: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	datagram, _, err := foreign.Seal(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := l.Client(1).Exec(t.Context(), "ip", "route", "add", "239.0.0.0/8", "dev", "eth0").CombinedOutput(); err != nil {
		t.Fatalf("route groups: %v\n%s", err, out)
	}
	err = l.Client(1).Do(func() error {
		conn, err := net.Dial("udp4", net.JoinHostPort(group, "3344"))
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = conn.Write(datagram)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestLeaseIsSetLive: a server that has nothing of use is said so, a range that lets it in gives a lease, strangers on its address get
// another one, and a manual address gives that back.
// No view changes but those of the new files.
func TestLeaseIsSetLive(t *testing.T) {
	set := func(settings string) string {
		return "\nheartbeat: {" + calm + ", networks: {lan: {interface: eth0, multicast: {" + settings + "}}}}\n"
	}
	base := strings.Replace(lab.DefaultConfig, "\nvips:", set("range: [239.255.8.1, 239.255.8.250]")+"\nvips:", 1)
	l := machines(t, lab.Options{Hosts: 3, Clients: 1, Config: base})
	small := madcap.Scope{First: netip.MustParseAddr("239.255.9.0"), Last: netip.MustParseAddr("239.255.9.255"), TTL: 1}
	server := serveLeases(t, l, filepath.Join(t.TempDir(), "leases.json"), madcap.ServedScope{Scope: small,
		Pools: []madcap.Span{{First: netip.MustParseAddr("239.255.9.1"), Last: netip.MustParseAddr("239.255.9.2")}}})
	if err := errors.Join(l.StartWeb(), l.StartAll()); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
	a := l.Host("a")
	m := by(t, a, "self-selection", "239.255.8.", true, 2, 2, 2)
	const why = "no scope of the servers will do: they have 239.255.9.0 to 239.255.9.255; addresses from 239.255.8.1 to 239.255.8.250 are allowed"
	if m.How != "self-selected" || !strings.Contains(m.MADCAP, "no lease: "+why+"; servers are asked again at ") {
		t.Errorf("group %s is %s; %s", m.Group, m.How, m.MADCAP)
	}
	if list := events(t, a, "lease"); len(list) != 1 || !strings.Contains(list[0].Text, why) {
		t.Errorf("events %v", list)
	}
	begun := time.Now()
	change := func(settings string) {
		t.Helper()
		text, err := os.ReadFile(l.ConfigPath())
		if err != nil {
			t.Fatal(err)
		}
		from, rest, _ := strings.Cut(string(text), "\nheartbeat:")
		_, to, _ := strings.Cut(rest, "\n")
		if err := os.WriteFile(l.ConfigPath(), []byte(from+set(settings)+to), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, h := range l.Hosts() {
			muster(t, h, "reload")
		}
	}
	change("range: [239.255.9.0, 239.255.9.9]")
	first := lease(t, l.Host("c"), "an address of the server", func(l api.LeaseStatus) bool { return true })
	by(t, a, "multicast to the leased group", first.Address, true, 2, 2, 2)
	strangersOn(t, l, first.Address)
	second := lease(t, l.Host("c"), "another address", func(l api.LeaseStatus) bool { return l.Address != first.Address })
	by(t, a, "multicast to the other leased group", second.Address, true, 2, 2, 2)
	eventually(t, patience, "the first lease is given back", func() error {
		if list := server.live(); len(list) != 1 || list[0].ID.String() != second.ID {
			return fmt.Errorf("the server has %v", list)
		}
		return nil
	})
	change("address: 239.255.7.9")
	by(t, a, "multicast to the manual group", "239.255.7.9", true, 2, 2, 2)
	eventually(t, patience, "the lease is given back", func() error {
		if n := server.live(); len(n) > 0 {
			return fmt.Errorf("the server has %v", n)
		}
		return nil
	})
	m = status(t, l.Host("c")).Networks[0].Multicast
	if m.Lease != nil || m.MADCAP != "not asked for: the address is manual" {
		t.Errorf("lease %+v; %s", m.Lease, m.MADCAP)
	}
	silent(t, a, begun)
}
