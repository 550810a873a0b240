package heartbeat

import (
	"bytes"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/multicast"
	"github.com/muster-ha/muster/internal/wire"
)

const (
	testTrust   = 3 * testInterval
	testSilence = 15 * testInterval
)

func testGroup(last byte, version uint32) multicast.Group {
	return multicast.Group{Address: netip.AddrFrom4([4]byte{239, 255, 0, last}), Version: version, How: multicast.Random}
}

// medium is a network that carries groups.
type medium struct {
	*farm
	mu      sync.Mutex                 // of groups: each host joins by itself
	groups  map[netip.Addr][]*fakePath // by group, by host
	lose    func(from, to member.ID) bool
	unicast int // datagrams sent
	cast    int
}

// groupOf is a path of a host to a group.
type groupOf struct {
	*moving
	m *medium
}

func (g groupOf) Broadcast(datagram []byte, skip member.Set, failed func(member.ID, error)) {
	g.m.cast++
	g.moving.Broadcast(datagram, skip, failed)
}

// Send goes to the host itself: a host that is deaf to groups is reached.
func (g groupOf) Send(to member.ID, datagram []byte) error {
	g.others[to].put(bytes.Clone(datagram))
	return nil
}

func makeMedium(t *testing.T, hosts int) *medium {
	t.Helper()
	m := &medium{farm: makeFarm(t, hosts, 1), groups: map[netip.Addr][]*fakePath{}, lose: func(_, _ member.ID) bool { return false }}
	for id := range hosts {
		m.paths[0][id].lose = func(member.ID) bool { m.unicast++; return false }
		m.addCast(id)
	}
	return m
}

func (m *medium) addCast(id int) {
	n := m.hosts[id].list[0]
	n.cast = &cast{trust: testTrust, others: make([]castPeer, len(m.hosts))}
	o := m.options(id, castNetworks)
	path := follow(len(m.hosts), func() (place, error) {
		n.cast.mu.Lock()
		defer n.cast.mu.Unlock()
		if !n.cast.use {
			return place{}, errUnused
		}
		return place{index: 1, group: n.cast.group.Address}, nil
	}, func(at place, _ []netip.AddrPort) (livePath, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.groups[at.group] == nil {
			m.groups[at.group] = makePaths(len(m.hosts))
		}
		p := m.groups[at.group][id]
		p.lose = func(to member.ID) bool { return m.lose(member.ID(id), to) }
		p.closed = make(chan struct{})
		return groupOf{&moving{fakePath: p, peers: map[member.ID]netip.AddrPort{}}, m}, nil
	}, slog.New(slog.DiscardHandler))
	n.cast.start(o, path, m.hosts[id].wake)
}

// set does as agents do: it hears what has arrived before it changes anything.
func (m *medium) set(use bool, g multicast.Group) {
	for id, h := range m.hosts {
		m.drain(id)
		h.SetMulticast(0, use, g)
	}
	synctest.Wait()
}

// gap is the longest run of numbers that a host was not handed of another one.
func gap(numbers []uint64) (most int) {
	for i := 1; i < len(numbers); i++ {
		most = max(most, int(numbers[i]-numbers[i-1])-1)
	}
	return most
}

func (m *medium) beatAndCount(n int) {
	m.unicast, m.cast = 0, 0
	m.beat(n)
}

// all checks that every host was handed nearly all numbers of every other one, with no gap longer than allowed.
func (m *medium) all(t *testing.T, what string, beats, allowed int) {
	t.Helper()
	for id := range m.hosts {
		heard := m.heard[id]
		for from := range m.hosts {
			if from == id {
				continue
			}
			m.heard[id] = heard
			if got := m.numbers(id, member.ID(from)); len(got) < beats-allowed || gap(got) > allowed || !rises(got) {
				t.Errorf("%s: host %d was handed %d of %d heartbeats of host %d, the longest gap is %d", what, id, len(got), beats, from, gap(got))
			}
		}
	}
}

func TestMulticastReplacesUnicastWithoutAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := makeMedium(t, 4)
		m.beat(10)
		m.beatAndCount(10)
		if m.unicast != 10*4*3 || m.cast != 0 {
			t.Errorf("by unicast: %d and %d datagrams in 10 intervals, want 120 and 0", m.unicast, m.cast)
		}
		m.heard = make([][]Received, 4)
		m.set(true, testGroup(1, 1))
		m.beat(20)
		m.all(t, "to multicast", 20, 0)
		m.beatAndCount(10)
		if m.unicast != 0 || m.cast != 10*4 {
			t.Errorf("by multicast: %d and %d datagrams in 10 intervals, want 0 and 40", m.unicast, m.cast)
		}
		m.heard = make([][]Received, 4)
		m.set(true, testGroup(2, 2))
		m.beat(20)
		m.all(t, "to another group", 20, 0)
		m.beatAndCount(10)
		if m.unicast != 0 || m.cast != 10*4 {
			t.Errorf("on another group: %d and %d datagrams in 10 intervals, want 0 and 40", m.unicast, m.cast)
		}
		m.heard = make([][]Received, 4)
		m.set(false, testGroup(2, 2))
		m.beat(20)
		m.all(t, "back to unicast", 20, 0)
		m.beatAndCount(10)
		if m.unicast != 10*4*3 || m.cast != 0 {
			t.Errorf("by unicast again: %d and %d datagrams in 10 intervals, want 120 and 0", m.unicast, m.cast)
		}
		for id, h := range m.hosts {
			for of, p := range h.Stats()[0].Peers {
				if id != of && p.Lost > 0 {
					t.Errorf("host %d counts %d heartbeats of host %d as lost, and none was", id, p.Lost, of)
				}
			}
		}
	})
}

func TestHostDeafToMulticastIsToldByUnicast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := makeMedium(t, 4)
		m.lose = func(_, to member.ID) bool { return to == 3 }
		m.beat(10)
		m.set(true, testGroup(1, 1))
		m.beat(20)
		m.heard = make([][]Received, 4)
		m.beatAndCount(10)
		m.all(t, "one deaf", 10, 0)
		if m.unicast != 10*3 || m.cast != 10*4 {
			t.Errorf("%d and %d datagrams in 10 intervals, want 30 to the deaf host and 40", m.unicast, m.cast)
		}
		if got := m.hosts[3].list[0].near(time.Now()); got != 0b0111 {
			t.Errorf("the deaf host hears %b by unicast", got)
		}
		s := m.hosts[0].Stats()[0].Cast
		if want := member.Set(0b0110); s.HeardBy != want || s.Hears != 0b1110 {
			t.Errorf("host 0 is heard by %b and hears %b", s.HeardBy, s.Hears)
		}
		m.lose = func(_, _ member.ID) bool { return false }
		m.beat(10)
		m.beatAndCount(10)
		if m.unicast != 0 {
			t.Errorf("%d datagrams by unicast to a host that hears again", m.unicast)
		}
	})
}

// TestMulticastThatBreaksIsReplacedInTime: a switch that stops forwarding groups costs less than the shortest lease.
func TestMulticastThatBreaksIsReplacedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := makeMedium(t, 3)
		m.set(true, testGroup(1, 1))
		m.beat(20)
		m.heard = make([][]Received, 3)
		m.lose = func(_, _ member.ID) bool { return true }
		m.beat(30)
		m.all(t, "broken", 30, 4)
		m.beatAndCount(10)
		if m.unicast != 10*3*2 {
			t.Errorf("%d datagrams by unicast in 10 intervals, want 60", m.unicast)
		}
	})
}

func TestStrangersOnTheGroupAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := makeMedium(t, 3)
		m.set(true, testGroup(1, 1))
		m.beat(20)
		foreign, err := wire.New(wire.Options{Cluster: "barn", Secret: testSecret, Hosts: 3, Boot: 1, Network: castNetworks, Interval: testInterval})
		if err != nil {
			t.Fatal(err)
		}
		datagram, _, err := foreign.Seal(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		m.groups[testGroup(1, 1).Address][1].put(datagram)
		m.beat(3)
		if s := m.hosts[1].Stats()[0].Cast; !s.Stranger {
			t.Error("another cluster was not seen")
		}
		last := m.heard[0][len(m.heard[0])-1]
		for i := len(m.heard[0]) - 1; last.From != 1; i-- {
			last = m.heard[0][i]
		}
		if w := last.Message.Words[0]; !w.Stranger || w.Group != testGroup(1, 1) {
			t.Errorf("host 1 says %+v", w)
		}
		m.set(true, testGroup(2, 2))
		m.beat(3)
		if s := m.hosts[1].Stats()[0].Cast; s.Stranger {
			t.Error("another cluster is still seen on the new group")
		}
		m.groups[testGroup(2, 2).Address][1].put(datagram)
		m.beat(3)
		time.Sleep(strangerLife)
		m.beat(3)
		if s := m.hosts[1].Stats()[0].Cast; s.Stranger {
			t.Error("another cluster is still seen long after it has gone")
		}
	})
}

// freePort is a port that nobody used just now: other tests may run on this machine.
func freePort(t *testing.T) uint16 {
	t.Helper()
	conn, err := net.ListenUDP("udp4", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()
}

func TestGroupSocket(t *testing.T) {
	at := place{address: netip.MustParseAddr("127.0.0.1"), index: 1, group: netip.MustParseAddr("239.255.7.7")}
	port := freePort(t)
	p, err := newGroupPath(0, at, port, "lo", make([]netip.AddrPort, 2))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	err = p.raw.Control(func(fd uintptr) {
		for _, o := range []struct {
			name              string
			level, opt, value int
		}{
			{"TTL", unix.IPPROTO_IP, unix.IP_MULTICAST_TTL, 1},
			{"loop", unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, 0},
			{"groups of other sockets", unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0},
			{"class", unix.IPPROTO_IP, unix.IP_TOS, classCS6},
			{"priority", unix.SOL_SOCKET, unix.SO_PRIORITY, priority},
		} {
			if got, err := unix.GetsockoptInt(int(fd), o.level, o.opt); err != nil || got != o.value {
				t.Errorf("%s: %d, want %d; %v", o.name, got, o.value, err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	p.Broadcast([]byte("x"), 0, func(id member.ID, err error) { t.Errorf("to host %d: %v", id, err) })
	if err := p.Wait(); err != nil { // the loopback interface brings everything back
		t.Fatal(err)
	}
	buf := make([]byte, 10)
	if n, from, err := p.Receive(buf); err != nil || string(buf[:n]) != "x" || from.Port() != port {
		t.Errorf("%q from %v, %v", buf[:n], from, err)
	}
}

// TestGroupSocketMoves: the port is free for the next group.
func TestGroupSocketMoves(t *testing.T) {
	port := freePort(t)
	var mu sync.Mutex
	at := place{address: netip.MustParseAddr("127.0.0.1"), index: 1, group: testGroup(8, 1).Address}
	f := follow(2, func() (place, error) {
		mu.Lock()
		defer mu.Unlock()
		return at, nil
	}, func(at place, peers []netip.AddrPort) (livePath, error) {
		return newGroupPath(0, at, port, "lo", peers)
	}, slog.New(slog.DiscardHandler))
	defer f.Close()
	mu.Lock()
	at.group = testGroup(9, 2).Address
	mu.Unlock()
	f.look()
	if _, err := f.where(); err != nil {
		t.Error(err)
	}
}
