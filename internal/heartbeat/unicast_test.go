package heartbeat

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/wire"
	"golang.org/x/sys/unix"
)

// loopback gives addresses that no other test process uses.
func loopback(hosts int) []netip.AddrPort {
	pid := os.Getpid()
	addresses := make([]netip.AddrPort, hosts)
	for i := range addresses {
		addresses[i] = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, byte(64 + pid>>14&63), byte(pid >> 6), byte(pid<<2&0xfc | i)}), Port)
	}
	return addresses
}

func makeNetworks(t *testing.T, hosts int) []*Network {
	t.Helper()
	addresses := loopback(hosts)
	networks := make([]*Network, hosts)
	for id := range networks {
		n, err := New(Options{Self: member.ID(id), Local: addresses[id], Peers: addresses, Codec: makeCodec(t, member.ID(id), hosts), Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { n.Close() })
		networks[id] = n
	}
	return networks
}

// live runs a host until all are done: it says its name and gives what it hears to hear, whose last word is true.
func live(t *testing.T, n *Network, name string, done *sync.WaitGroup, hear func(Received) bool) {
	all := make(chan struct{})
	go func() { done.Wait(); close(all) }()
	ticker, deadline := time.NewTicker(5*time.Millisecond), time.NewTimer(10*time.Second)
	defer ticker.Stop()
	defer deadline.Stop()
	finish := sync.OnceFunc(done.Done)
	defer finish()
	listen := func(r Received) {
		if hear(r) {
			finish()
		}
	}
	for {
		select {
		case <-ticker.C:
			n.Drain(listen)
			n.Send(func(uint64) Message { return Message{Version: name} })
		case <-n.Wake():
			n.Drain(listen)
		case <-all:
			return
		case <-deadline.C:
			t.Errorf("%s has not heard enough in 10 s: %+v", name, n.Stats())
			return
		}
	}
}

func TestThreeHostsOnLoopback(t *testing.T) {
	networks := makeNetworks(t, 3)
	var running, done sync.WaitGroup
	done.Add(len(networks))
	for id, n := range networks {
		heard := map[member.ID]int{}
		running.Go(func() {
			live(t, n, fmt.Sprint("host ", id), &done, func(r Received) bool {
				if want := fmt.Sprint("host ", r.From); r.Message.Version != want {
					t.Errorf("host %d heard %q, want %q", id, r.Message.Version, want)
				}
				heard[r.From]++
				return heard[member.ID((id+1)%3)] >= 3 && heard[member.ID((id+2)%3)] >= 3
			})
		})
	}
	running.Wait()
	if p := networks[0].Stats().Peers[1]; p.Source != loopback(3)[1] {
		t.Errorf("source %v, want %v", p.Source, loopback(3)[1])
	}
	networks[2].SayFarewell()
	farewell := false
	for !farewell {
		<-networks[0].Wake()
		networks[0].Drain(func(r Received) { farewell = farewell || r.Farewell && r.From == 2 })
	}
}

// TestRepliesGoToConfiguredAddresses sends a genuine heartbeat from a foreign address: the challenge goes to the host, not there.
func TestRepliesGoToConfiguredAddresses(t *testing.T) {
	addresses := loopback(2)
	host, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(addresses[1]))
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	n, err := New(Options{Self: 0, Local: addresses[0], Peers: addresses, Codec: makeCodec(t, 0, 2), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	foreign, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(addresses[0]))
	if err != nil {
		t.Fatal(err)
	}
	defer foreign.Close()
	datagram, _, _ := makeCodec(t, 1, 2).Seal(nil, nil)
	if _, err := foreign.Write(datagram); err != nil {
		t.Fatal(err)
	}
	<-n.Wake()
	n.Drain(func(r Received) { t.Errorf("heard %+v", r) })
	buf := make([]byte, 2048)
	host.SetReadDeadline(time.Now().Add(5 * time.Second))
	if size, err := host.Read(buf); err != nil || wire.Type(buf[5]) != wire.Challenge {
		t.Errorf("the host got %x, %v; want a challenge", buf[:size], err)
	}
	foreign.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if size, err := foreign.Read(buf); err == nil {
		t.Errorf("the foreign address got %x", buf[:size])
	}
}

func TestDatagramsTooLongAreSeenToBe(t *testing.T) {
	n := makeNetworks(t, 2)[0]
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(loopback(2)[0]))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	datagram, _, _ := makeCodec(t, 1, 2).Seal(nil, nil)
	if _, err := conn.Write(append(datagram, make([]byte, 20000)...)); err != nil {
		t.Fatal(err)
	}
	<-n.Wake()
	n.Drain(func(r Received) { t.Errorf("heard %+v", r) })
	if s := n.Stats(); s.Datagrams.Of(wire.Malformed) != 1 {
		t.Errorf("counted %v", s.Datagrams.Named())
	}
}

func TestSocketOptions(t *testing.T) {
	u := makeNetworks(t, 2)[0].path.(*unicast)
	for _, tc := range []struct {
		name          string
		level, option int
		least         int
	}{
		{"priority", unix.SOL_SOCKET, unix.SO_PRIORITY, priority},
		{"class", unix.IPPROTO_IP, unix.IP_TOS, classCS6},
		{"receive buffer", unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got int
			var err error
			if e := u.raw.Control(func(fd uintptr) { got, err = unix.GetsockoptInt(int(fd), tc.level, tc.option) }); e != nil || err != nil {
				t.Fatal(e, err)
			}
			if got < tc.least {
				t.Errorf("%d, want at least %d", got, tc.least)
			}
		})
	}
}

func TestAddressesThatCannotBeUsed(t *testing.T) {
	taken := makeNetworks(t, 2)
	for _, tc := range []struct {
		name, local, hint string
		want              error
	}{
		{"not on this machine", "192.0.2.1:3343", "--host", unix.EADDRNOTAVAIL},
		{"in use", taken[0].state.peers[0].String(), "another agent", unix.EADDRINUSE},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := New(Options{Self: 0, Local: netip.MustParseAddrPort(tc.local), Peers: loopback(2), Codec: makeCodec(t, 0, 2), Log: slog.New(slog.DiscardHandler)})
			if !errors.Is(err, tc.want) || !strings.Contains(fmt.Sprint(err), tc.hint) {
				t.Errorf("error %v, want %v and what to do", err, tc.want)
			}
		})
	}
}

func TestCloseEndsEverything(t *testing.T) {
	n := makeNetworks(t, 2)[0]
	for range 2 {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
	n.Drain(func(r Received) { t.Errorf("heard %+v", r) })
	if _, err := n.Send(func(uint64) Message { return Message{} }); err != nil {
		t.Error(err)
	}
	if got := n.Stats().Peers[1].Unsent; got != 1 {
		t.Errorf("%d unsent, want 1", got)
	}
}

func TestIPv6(t *testing.T) {
	addresses := []netip.AddrPort{netip.MustParseAddrPort("[::1]:0"), netip.MustParseAddrPort("[::1]:0")}
	u, err := newUnicast(0, addresses[0], "", addresses)
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	port := u.conn.LocalAddr().(*net.UDPAddr).AddrPort()
	u.setPeer(1, port) // to ourselves
	if err := u.Send(1, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := u.Wait(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 10)
	if n, from, err := u.Receive(buf); err != nil || string(buf[:n]) != "x" || from != port {
		t.Errorf("received %q from %v: %v", buf[:n], from, err)
	}
	if _, _, err := u.Receive(buf); !errors.Is(err, ErrEmpty) {
		t.Errorf("nothing waits: %v", err)
	}
}

// BenchmarkHeartbeat is a heartbeat from say to hear between two hosts, through the kernel.
func BenchmarkHeartbeat(b *testing.B) {
	addresses := loopback(2)
	var networks [2]*Network
	for id := range networks {
		n, err := New(Options{Self: member.ID(id), Local: addresses[id], Peers: addresses, Codec: makeCodec(b, member.ID(id), 2), Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			b.Fatal(err)
		}
		defer n.Close()
		networks[id] = n
	}
	m := usualMessage(2)
	say := func(uint64) Message { return m }
	for heard := false; !heard; {
		networks[0].Send(say)
		networks[1].Drain(func(Received) { heard = true })
		networks[0].Drain(func(Received) {})
	}
	b.ReportAllocs()
	before := cpu(b)
	for b.Loop() {
		networks[0].Send(say)
		for heard := false; !heard; {
			networks[1].Drain(func(Received) { heard = true })
		}
	}
	b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op")
}

// cpu is what this process has used: other load on the machine does not count.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
