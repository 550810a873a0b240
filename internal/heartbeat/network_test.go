package heartbeat

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/wire"
)

const testInterval = 20 * time.Millisecond

var testSecret = []byte("0123456789abcdef0123456789abcdef")

// fakePath joins hosts of one process. Each has a queue that the test may look at and change.
type fakePath struct {
	self    member.ID
	others  []*fakePath  // by host; shared by all
	delay   atomic.Int64 // nanoseconds
	lose    func(to member.ID) bool
	broken  func(to member.ID) error
	mu      sync.Mutex
	queue   [][]byte
	arrival chan struct{}
	closed  chan struct{}
}

func makePaths(n int) []*fakePath {
	paths := make([]*fakePath, n)
	for i := range paths {
		paths[i] = &fakePath{self: member.ID(i), others: paths, arrival: make(chan struct{}, 1), closed: make(chan struct{}),
			lose: func(member.ID) bool { return false }, broken: func(member.ID) error { return nil }}
	}
	return paths
}

func (p *fakePath) Broadcast(datagram []byte, skip member.Set, failed func(member.ID, error)) {
	for id := range p.others {
		if id == int(p.self) || skip.Has(member.ID(id)) {
			continue
		}
		if err := p.Send(member.ID(id), datagram); err != nil {
			failed(member.ID(id), err)
		}
	}
}

func (p *fakePath) Send(to member.ID, datagram []byte) error {
	if err := p.broken(to); err != nil {
		return err
	}
	if p.lose(to) {
		return nil
	}
	datagram = bytes.Clone(datagram)
	delay := time.Duration(p.delay.Load())
	if delay == 0 {
		p.others[to].put(datagram)
		return nil
	}
	time.AfterFunc(delay, func() { p.others[to].put(datagram) })
	return nil
}

// put makes a datagram wait to be received.
func (p *fakePath) put(datagram []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = append(p.queue, datagram)
	select {
	case p.arrival <- struct{}{}:
	default:
	}
}

func (p *fakePath) Receive(buf []byte) (int, netip.AddrPort, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 {
		return 0, netip.AddrPort{}, ErrEmpty
	}
	n := copy(buf, p.queue[0])
	p.queue = p.queue[1:]
	return n, netip.MustParseAddrPort("192.0.2.1:9"), nil
}

func (p *fakePath) waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.queue)
}

func (p *fakePath) Wait() error {
	for p.waiting() == 0 {
		select {
		case <-p.arrival:
		case <-p.closed:
			return net.ErrClosed
		}
	}
	return nil
}

func (p *fakePath) Close() error {
	close(p.closed)
	return nil
}

// cluster is networks on fake paths.
type cluster struct {
	t     *testing.T
	paths []*fakePath
	hosts []*Network
	log   bytes.Buffer
	heard [][]Received // by host
}

func makeCluster(t *testing.T, n int) *cluster {
	t.Helper()
	c := &cluster{t: t, paths: makePaths(n), heard: make([][]Received, n)}
	for id := range n {
		c.hosts = append(c.hosts, c.network(member.ID(id)))
	}
	t.Cleanup(func() {
		for _, h := range c.hosts {
			h.Close()
		}
	})
	return c
}

func (c *cluster) network(id member.ID) *Network {
	c.t.Helper()
	codec := makeCodec(c.t, id, len(c.paths))
	return newNetwork(Options{Self: id, Peers: make([]netip.AddrPort, len(c.paths)), Codec: codec, Log: slog.New(slog.NewTextHandler(&c.log, nil))}, c.paths[id], make(chan struct{}, 1))
}

func makeCodec(t testing.TB, id member.ID, hosts int) *wire.Codec {
	t.Helper()
	codec, err := wire.New(wire.Options{Cluster: "farm", Secret: testSecret, Self: id, Hosts: hosts, Boot: wire.NewBoot(), Interval: testInterval})
	if err != nil {
		t.Fatal(err)
	}
	return codec
}

func (c *cluster) drain(id int) {
	c.hosts[id].Drain(func(r Received) { c.heard[id] = append(c.heard[id], r) })
}

// beat lets every host drain and then send, as at a tick.
func (c *cluster) beat() {
	c.t.Helper()
	for id, h := range c.hosts {
		c.drain(id)
		if _, err := h.Send(func(seq uint64) Message { return sayHears(c.hosts, id, seq) }); err != nil {
			c.t.Fatal(err)
		}
	}
	time.Sleep(testInterval)
}

// sayHears is a message of a host that hears all others' boots.
func sayHears(hosts []*Network, self int, seq uint64) Message {
	m := Message{Version: "test"}
	m.Seq, m.HighEpoch = seq, seq
	for id, h := range hosts {
		if id != self {
			m.Hears = append(m.Hears, member.Hearing{ID: member.ID(id), Boot: h.codec.Boot()})
		}
	}
	return m
}

func (c *cluster) peer(id, of int) Peer { return c.hosts[id].Stats().Peers[of] }

func TestHostsHearEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := makeCluster(t, 3)
		for range 10 {
			c.beat()
		}
		for id := range c.hosts {
			for of := range c.hosts {
				if p := c.peer(id, of); id != of && (p.Received < 7 || p.Lost != 0 || p.Boot != c.hosts[of].codec.Boot()) {
					t.Errorf("host %d of host %d: %+v", id, of, p)
				}
			}
			for _, r := range c.heard[id] {
				m := r.Message
				if m.From != r.From || m.Boot != r.Boot || m.Seq == 0 || m.Seq != m.HighEpoch || m.Version != "test" || r.At.IsZero() {
					t.Errorf("host %d heard %+v", id, r)
				}
			}
		}
	})
}

func TestRoundTripAndJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := makeCluster(t, 2)
		c.paths[0].delay.Store(int64(2 * time.Millisecond))
		c.paths[1].delay.Store(int64(5 * time.Millisecond))
		stop := make(chan struct{})
		var loops sync.WaitGroup
		for id := range c.hosts {
			loops.Go(func() {
				for {
					select {
					case <-c.hosts[id].Wake():
						c.drain(id)
					case <-stop:
						return
					}
				}
			})
		}
		for i := range 200 {
			for id, h := range c.hosts {
				h.Send(func(seq uint64) Message { return sayHears(c.hosts, id, seq) })
			}
			if i%2 == 0 { // host 0 becomes unsteady by a millisecond
				time.Sleep(time.Millisecond)
			}
			time.Sleep(testInterval)
			c.paths[0].delay.Store(int64(2+i%2) * int64(time.Millisecond))
		}
		close(stop)
		loops.Wait()
		if p := c.peer(1, 0); p.RoundTrip < 7*time.Millisecond || p.RoundTrip > 8*time.Millisecond {
			t.Errorf("round trip %v, want 7 to 8 ms", p.RoundTrip)
		}
		if p := c.peer(1, 0); p.Jitter < 900*time.Microsecond || p.Jitter > 1100*time.Microsecond {
			t.Errorf("jitter from the unsteady host %v, want 1 ms", p.Jitter)
		}
		if p := c.peer(0, 1); p.Jitter > 10*time.Microsecond {
			t.Errorf("jitter from the steady host %v, want none", p.Jitter)
		}
	})
}

func TestLossIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := makeCluster(t, 2)
		for range 5 {
			c.beat()
		}
		const beats = 1000
		i := 0
		c.paths[0].lose = func(member.ID) bool { i++; return i%5 == 0 }
		for range beats {
			c.beat()
		}
		c.paths[0].lose = func(member.ID) bool { return false }
		c.beat()
		c.beat()
		if p := c.peer(1, 0); p.Lost != beats/5 || p.Loss < .15 || p.Loss > .25 {
			t.Errorf("lost %d, share %.2f; want %d, 0.2", p.Lost, p.Loss, beats/5)
		}
		if p := c.peer(0, 1); p.Lost != 0 || p.Loss != 0 {
			t.Errorf("the other direction: lost %d, share %.2f", p.Lost, p.Loss)
		}
	})
}

func TestOlderHeartbeatIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := makeCluster(t, 2)
		for range 5 {
			c.beat()
		}
		c.drain(1)
		q := c.paths[1]
		for range 3 {
			c.hosts[0].Send(func(uint64) Message { return Message{} })
		}
		q.queue[0], q.queue[2] = q.queue[2], q.queue[0]
		before := c.peer(1, 0)
		heard := len(c.heard[1])
		c.drain(1)
		after := c.peer(1, 0)
		if n := len(c.heard[1]) - heard; n != 1 {
			t.Errorf("%d heartbeats handed over, want the newest only", n)
		}
		if after.Late != before.Late+2 || after.Lost != before.Lost {
			t.Errorf("late %d, lost %d; want 2 and 0", after.Late-before.Late, after.Lost-before.Lost)
		}
	})
}

func TestFarewellIsHeardOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := makeCluster(t, 2)
		for range 5 {
			c.beat()
		}
		c.hosts[0].SayFarewell()
		c.drain(1)
		last := c.heard[1][len(c.heard[1])-1]
		if !last.Farewell || last.From != 0 || last.Boot != c.hosts[0].codec.Boot() {
			t.Errorf("heard %+v last, want a farewell", last)
		}
		for _, r := range c.heard[1][:len(c.heard[1])-1] {
			if r.Farewell {
				t.Error("farewell heard twice")
			}
		}
		if got := c.hosts[1].Stats().Datagrams.Of(wire.Replay); got != farewells-1 {
			t.Errorf("%d replays counted, want %d", got, farewells-1)
		}
	})
}

func TestFarewellsForTheGuard(t *testing.T) {
	peers := []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:3343"), netip.MustParseAddrPort("10.0.0.2:3343"), netip.MustParseAddrPort("10.0.0.3:3343")}
	n := newNetwork(Options{Self: 1, Peers: peers, Codec: makeCodec(t, 1, 3), Log: slog.New(slog.DiscardHandler)}, makePaths(3)[1], make(chan struct{}, 1))
	defer n.Close()
	packets := n.Farewells()
	if len(packets) != 2 || packets[0].To != peers[0] || packets[1].To != peers[2] || len(packets[0].Bytes) != wire.Overhead {
		t.Errorf("farewells %+v", packets)
	}
}

func TestRestartedHostIsHeardAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := makeCluster(t, 2)
		for range 5 {
			c.beat()
		}
		c.hosts[0].Close()
		c.paths[0].closed = make(chan struct{})
		c.hosts[0] = c.network(0)
		before := c.peer(1, 0)
		for range 5 {
			c.beat()
		}
		if p := c.peer(1, 0); p.Boot != c.hosts[0].codec.Boot() || p.Received <= before.Received || p.Lost != 0 {
			t.Errorf("after the restart: %+v", p)
		}
	})
}

func TestRefusedIsCountedWithItsSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := makeCluster(t, 2)
		for range 5 {
			c.beat()
		}
		c.drain(1)
		heard := len(c.heard[1])
		genuine, _, err := c.hosts[0].codec.Seal(nil, []byte("genuine, without meaning"))
		if err != nil {
			t.Fatal(err)
		}
		c.paths[1].put(genuine)
		c.paths[1].put([]byte("rubbish"))
		before := c.hosts[1].Stats()
		c.drain(1)
		after := c.hosts[1].Stats()
		for _, why := range []wire.Reason{wire.Malformed, wire.Short} {
			if after.Datagrams.Of(why) != before.Datagrams.Of(why)+1 || !after.Sources[why].IsValid() {
				t.Errorf("%v: %d, source %v", why, after.Datagrams.Of(why), after.Sources[why])
			}
		}
		if after.Datagrams.Of(wire.Accepted) != before.Datagrams.Of(wire.Accepted) || after.Peers[0].Malformed != 1 || len(c.heard[1]) != heard {
			t.Errorf("%+v", after)
		}
	})
}

func TestHoldingsGoRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := makeCluster(t, 2)
		for range 5 {
			c.beat()
		}
		c.drain(1)
		c.heard[1] = nil
		holdings := make([]Holding, 5)
		for i := range holdings {
			holdings[i] = rich().Holdings[2]
			holdings[i].Rule = uint8(i)
		}
		for range 3 {
			c.hosts[0].Send(func(uint64) Message { return Message{Holdings: holdings} })
		}
		c.drain(1)
		said := map[uint8]bool{}
		for _, r := range c.heard[1] {
			for _, h := range r.Message.Holdings {
				said[h.Rule] = true
				if h != holdings[h.Rule] {
					t.Errorf("rule %d: heard otherwise than said", h.Rule)
				}
			}
		}
		if len(said) != len(holdings) {
			t.Errorf("%d of %d holdings heard after 3 heartbeats", len(said), len(holdings))
		}
	})
}

func TestSendFailuresAreLoggedWhenTheyChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := makeCluster(t, 3)
		c.paths[0].broken = func(to member.ID) error {
			if to == 2 {
				return errors.New("network is unreachable")
			}
			return nil
		}
		for range 10 {
			c.beat()
		}
		if n := strings.Count(c.log.String(), "cannot send"); n != 1 || c.peer(0, 2).Unsent < 10 || c.peer(0, 1).Unsent != 0 {
			t.Errorf("%d lines, unsent %d and %d\n%s", n, c.peer(0, 2).Unsent, c.peer(0, 1).Unsent, c.log.String())
		}
		c.paths[0].broken = func(member.ID) error { return nil }
		c.beat()
		c.beat()
		if n := strings.Count(c.log.String(), "can send to a host again"); n != 1 {
			t.Errorf("%d lines of recovery\n%s", n, c.log.String())
		}
	})
}

func TestImpossibleMessageIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := makeCluster(t, 2)
		for range 3 {
			if _, err := c.hosts[0].Send(func(uint64) Message { return Message{Version: strings.Repeat("v", 33)} }); !errors.Is(err, ErrMalformed) {
				t.Errorf("error %v", err)
			}
		}
		if n := strings.Count(c.log.String(), "cannot say"); n != 1 {
			t.Errorf("%d lines\n%s", n, c.log.String())
		}
		if _, err := c.hosts[0].Send(func(uint64) Message { return Message{} }); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

// TestWake: one wake for any number of arrivals, another when Drain has left something or something has come since.
func TestWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := makeCluster(t, 2)
		woken := func() bool {
			synctest.Wait()
			select {
			case <-c.hosts[0].Wake():
				return true
			default:
				return false
			}
		}
		if woken() {
			t.Error("woken by nothing")
		}
		for range drainLimit + 10 {
			c.paths[0].put([]byte("rubbish"))
		}
		if !woken() || woken() {
			t.Error("not woken once")
		}
		c.drain(0)
		if left := c.paths[0].waiting(); left != 10 {
			t.Errorf("%d datagrams left, want 10: Drain has to end under a flood", left)
		}
		if !woken() {
			t.Error("not woken for what was left")
		}
		c.drain(0)
		if woken() {
			t.Error("woken with nothing left")
		}
		c.paths[0].put([]byte("rubbish"))
		if !woken() {
			t.Error("not woken by a new arrival")
		}
	})
}

func TestHearingMaySend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := makeCluster(t, 2)
		for range 5 {
			c.beat()
		}
		before := c.hosts[1].Stats().Sent
		c.hosts[0].Send(func(uint64) Message { return Message{} })
		c.hosts[1].Drain(func(Received) { c.hosts[1].Send(func(uint64) Message { return Message{} }) })
		if c.hosts[1].Stats().Sent == before {
			t.Error("nothing was sent")
		}
	})
}

func TestOptionsThatContradict(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	for _, tc := range []struct {
		name string
		o    Options
	}{
		{"no codec", Options{Peers: make([]netip.AddrPort, 2), Log: log}},
		{"no log", Options{Peers: make([]netip.AddrPort, 2), Codec: makeCodec(t, 0, 2)}},
		{"other number of hosts", Options{Peers: make([]netip.AddrPort, 3), Codec: makeCodec(t, 0, 2), Log: log}},
		{"other host", Options{Self: 1, Peers: make([]netip.AddrPort, 2), Codec: makeCodec(t, 0, 2), Log: log}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := New(tc.o); !errors.Is(err, ErrOptions) {
				t.Errorf("error %v", err)
			}
		})
	}
}
