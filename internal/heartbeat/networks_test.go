package heartbeat

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/wire"
	"pgregory.net/rapid"
)

// farm is hosts that are joined by several fake networks.
type farm struct {
	t     *testing.T
	paths [][]*fakePath // by network, by host
	hosts []*Networks
	boots []member.Boot
	heard [][]Received // by host

	ranges map[int]Range // of versions, by host; Spoken if not there
}

func makeFarm(t *testing.T, hosts, networks int) *farm {
	t.Helper()
	f := &farm{t: t, heard: make([][]Received, hosts), boots: make([]member.Boot, hosts), hosts: make([]*Networks, hosts)}
	for range networks {
		f.paths = append(f.paths, makePaths(hosts))
	}
	for id := range hosts {
		f.start(id)
	}
	t.Cleanup(func() {
		for _, h := range f.hosts {
			h.Close()
		}
	})
	return f
}

// start gives a host a new boot on all networks.
func (f *farm) start(id int) {
	f.t.Helper()
	f.boots[id] = wire.NewBoot()
	f.hosts[id] = newNetworks(member.ID(id), len(f.heard), Port, newNegotiation(member.ID(id), len(f.heard), f.speaks(id), testSilence))
	for network, paths := range f.paths {
		f.add(id, network, paths[id])
	}
}

func (f *farm) options(id, network int) Options {
	f.t.Helper()
	codec, err := wire.New(wire.Options{Cluster: "farm", Secret: testSecret, Self: member.ID(id), Hosts: len(f.heard), Boot: f.boots[id],
		Network: uint16(network), Interval: testInterval})
	if err != nil {
		f.t.Fatal(err)
	}
	return Options{Self: member.ID(id), Peers: make([]netip.AddrPort, len(f.heard)), Codec: codec, Log: slog.New(slog.DiscardHandler), talk: f.hosts[id].talk}
}

// speaks is the range of a host's versions.
func (f *farm) speaks(id int) Range {
	if r, ok := f.ranges[id]; ok {
		return r
	}
	return Spoken()
}

func (f *farm) add(id, network int, path Path) {
	h := f.hosts[id]
	h.list = append(h.list, &one{Network: newNetwork(f.options(id, network), path, h.wake), NetworkOptions: NetworkOptions{Index: uint8(network)}})
}

func (f *farm) drain(id int) {
	f.hosts[id].Drain(func(r Received) { f.heard[id] = append(f.heard[id], r) })
}

// beat lets every host drain and then send, n times.
func (f *farm) beat(n int) {
	f.t.Helper()
	for range n {
		for id, h := range f.hosts {
			f.drain(id)
			if err := h.Send(func(number uint64) Message { return Message{Version: "test"} }); err != nil {
				f.t.Fatal(err)
			}
		}
		time.Sleep(testInterval)
	}
}

// numbers are the heartbeats of a host that another one was handed since the last call.
func (f *farm) numbers(id int, from member.ID) []uint64 {
	var list []uint64
	for _, r := range f.heard[id] {
		if r.From == from && !r.Farewell {
			list = append(list, r.Message.Seq)
		}
	}
	f.heard[id] = nil
	return list
}

func rises(list []uint64) bool {
	return slices.IsSorted(list) && len(slices.Compact(slices.Clone(list))) == len(list)
}

func deaf(member.ID) bool { return true }

func TestEachNumberIsHeardOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := makeFarm(t, 3, 2)
		f.beat(5)
		f.numbers(1, 0)
		f.beat(100)
		if got := f.numbers(1, 0); len(got) != 100 || !rises(got) {
			t.Errorf("%d heartbeats handed over, want 100: %v", len(got), got)
		}
		for network, s := range f.hosts[1].Stats() {
			if s.Peers[0].Received < 100 || s.Peers[0].Lost != 0 {
				t.Errorf("network %d: %+v", network, s.Peers[0])
			}
		}
	})
}

func TestSilenceOnOneNetworkIsNoSilence(t *testing.T) {
	for _, broken := range []int{0, 1} {
		synctest.Test(t, func(t *testing.T) {
			f := makeFarm(t, 3, 2)
			f.beat(5)
			f.numbers(1, 0)
			f.paths[broken][0].lose = func(to member.ID) bool { return to == 1 }
			before := f.hosts[1].Stats()
			f.beat(100)
			if got := f.numbers(1, 0); len(got) != 100 || !rises(got) {
				t.Errorf("network %d broken: %d of 100 heartbeats handed over", broken, len(got))
			}
			after := f.hosts[1].Stats()
			if n := after[broken].Peers[0].Received - before[broken].Peers[0].Received; n > 1 {
				t.Errorf("%d heartbeats on the broken network", n)
			}
			if after[broken].Peers[2].Lost != 0 || f.hosts[2].Stats()[broken].Peers[0].Lost != 0 {
				t.Error("a network that is bad for one pair is bad for others")
			}
		})
	}
}

func TestAlternatingLossIsNoLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := makeFarm(t, 2, 2)
		f.beat(5)
		f.numbers(1, 0)
		i := [2]int{}
		for network := range 2 {
			f.paths[network][0].lose = func(member.ID) bool { i[network]++; return i[network]%2 == network }
		}
		f.beat(200)
		if got := f.numbers(1, 0); len(got) != 200 || !rises(got) {
			t.Errorf("%d of 200 heartbeats handed over", len(got))
		}
		for network, s := range f.hosts[1].Stats() {
			if s.Peers[0].Lost < 95 || s.Peers[0].Loss < .2 || s.Peers[0].Loss > .5 {
				t.Errorf("network %d: lost %d, share %.2f; want 100, on the way to 0.5", network, s.Peers[0].Lost, s.Peers[0].Loss)
			}
		}
	})
}

func TestFarewellOnOneNetworkIsForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := makeFarm(t, 2, 2)
		f.beat(5)
		f.drain(1)
		f.numbers(1, 0)
		f.paths[0][0].delay.Store(int64(time.Second)) // the first network brings last what was said before
		f.hosts[0].Send(func(uint64) Message { return Message{} })
		f.paths[1][0].lose = deaf
		f.hosts[0].Send(func(uint64) Message { return Message{} })
		f.paths[1][0].lose = func(member.ID) bool { return false }
		f.hosts[0].list[1].SayFarewell()
		f.drain(1)
		if last := f.heard[1][len(f.heard[1])-1]; !last.Farewell || last.Boot != f.boots[0] {
			t.Errorf("heard %+v last, want a farewell", last)
		}
		n := len(f.heard[1])
		time.Sleep(2 * time.Second)
		f.hosts[0].list[0].SayFarewell()
		time.Sleep(2 * time.Second)
		f.drain(1)
		if len(f.heard[1]) != n {
			t.Errorf("heard after the farewell: %+v", f.heard[1][n:])
		}
	})
}

func TestRestartIsHeardOnAllNetworks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := makeFarm(t, 2, 2)
		f.beat(5)
		old := f.boots[0]
		f.paths[1][0].delay.Store(int64(10 * testInterval)) // the old boot's words are still under way
		f.beat(20)
		f.hosts[0].Close()
		for network := range f.paths {
			f.paths[network][0].closed = make(chan struct{})
		}
		f.start(0)
		f.beat(3)
		f.drain(1)
		f.heard[1] = nil
		f.beat(20)
		for _, r := range f.heard[1] {
			if r.Boot == old {
				t.Fatal("heard the boot that was replaced")
			}
		}
		if got := f.numbers(1, 0); len(got) != 20 || !rises(got) {
			t.Errorf("%d of 20 heartbeats of the new boot", len(got))
		}
	})
}

func TestNetworksDoNotMix(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := makeFarm(t, 2, 2)
		f.beat(5)
		f.drain(1)
		datagram, _, err := f.hosts[0].list[0].codec.Seal(nil, []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		f.paths[1][1].put(datagram)
		f.drain(1)
		if got := f.hosts[1].Stats()[1].Datagrams.Of(wire.Network); got != 1 {
			t.Errorf("%d datagrams counted as another network's, want 1", got)
		}
	})
}

// TestVoiceNeverGoesBack: whatever order networks bring things in, numbers of one boot rise, and after a farewell nothing of
// that boot is heard.
func TestVoiceNeverGoesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var v voice
		var boot member.Boot
		var number uint64
		gone := map[member.Boot]bool{}
		at := time.Unix(1, 0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			at = at.Add(time.Duration(rapid.IntRange(0, 300).Draw(t, "ms")) * time.Millisecond)
			in := Received{At: at, Boot: member.Boot(rapid.IntRange(1, 3).Draw(t, "boot")), Farewell: rapid.IntRange(0, 9).Draw(t, "farewell") == 0}
			in.Message.Seq = rapid.Uint64Range(1, 30).Draw(t, "number")
			before := v
			if !v.newest(in) {
				continue
			}
			switch {
			case v.gone == in.Boot && !in.Farewell || gone[in.Boot] && before.gone == in.Boot:
				t.Fatalf("boot %d is heard after its farewell", in.Boot)
			case in.Farewell:
				gone[in.Boot] = true
			case in.Boot == boot && in.Message.Seq <= number:
				t.Fatalf("number %d after %d", in.Message.Seq, number)
			default:
				boot, number = in.Boot, in.Message.Seq
			}
		}
	})
}

func TestBootThatWasReplacedComesBackAfterSilence(t *testing.T) {
	var v voice
	at := time.Unix(1, 0)
	say := func(boot member.Boot, number uint64, after time.Duration) bool {
		at = at.Add(after)
		return v.newest(Received{At: at, Boot: boot, Message: Message{Heartbeat: member.Heartbeat{Seq: number}}})
	}
	if !say(1, 9, 0) || !say(2, 1, testInterval) || say(1, 10, testInterval) {
		t.Error("a boot that was just replaced is heard")
	}
	if !say(1, 11, replacedLife) {
		t.Error("a boot that was replaced by mistake is never heard again")
	}
}

// moving is a fake path whose peers are learned.
type moving struct {
	*fakePath
	mu    sync.Mutex
	peers map[member.ID]netip.AddrPort
}

func (m *moving) setPeer(id member.ID, a netip.AddrPort) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.peers[id] = a
}

// Close may come twice.
func (m *moving) Close() error {
	select {
	case <-m.closed:
		return net.ErrClosed
	default:
		return m.fakePath.Close()
	}
}

// card is a network interface of a test.
type card struct {
	mu   sync.Mutex
	at   place
	err  error
	open []*moving // every path that was opened
}

func (c *card) set(address string, index int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
	c.at = place{}
	if address != "" {
		c.at = place{address: netip.MustParseAddr(address), index: index}
	}
}

func (c *card) follow(hosts int) *followed {
	return follow(hosts, func() (place, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.at, c.err
	}, func(_ place, peers []netip.AddrPort) (livePath, error) {
		m := &moving{fakePath: makePaths(hosts)[0], peers: map[member.ID]netip.AddrPort{}}
		for id, p := range peers {
			m.peers[member.ID(id)] = p
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.open = append(c.open, m)
		return m, nil
	}, slog.New(slog.DiscardHandler))
}

// later lets time go by, and everything happen that is due by then.
func later(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestAddressesAreLearned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := makeFarm(t, 2, 1)
		cards := []*card{{}, {}}
		for id, c := range cards {
			c.set([]string{"10.78.0.1", "10.78.0.2"}[id], 7, nil)
			f.hosts[id].list = append(f.hosts[id].list, f.hosts[id].followOne(f.options(id, 1), NetworkOptions{Name: "cross", Index: 1}, c.follow(2)))
		}
		f.beat(20) // until the version is agreed that can say it
		synctest.Wait()
		want := netip.MustParseAddrPort("10.78.0.2:3343")
		if got := cards[0].open[0].peers[1]; got != want {
			t.Errorf("host 0 sends to %v, want %v", got, want)
		}
		if s := f.hosts[0].Stats()[1]; s.Addresses[1] != want || s.Address != netip.MustParseAddr("10.78.0.1") || s.Down != nil {
			t.Errorf("status %v at %v, %v", s.Addresses, s.Address, s.Down)
		}
		cards[0].set("", 0, errors.New("unplugged"))
		later(2 * followEvery)
		sent := f.hosts[0].Stats()[1].Sent
		f.beat(5)
		if got := f.hosts[0].Stats()[1]; got.Sent != sent || got.Down == nil {
			t.Errorf("%d heartbeats counted as sent on a network that is down: %v", got.Sent-sent, got.Down)
		}
		cards[0].set("10.78.0.1", 7, nil)
		cards[1].set("10.78.0.9", 7, nil)
		later(2 * followEvery)
		f.beat(2)
		if got := cards[0].open[1].peers[1]; got.Addr() != netip.MustParseAddr("10.78.0.9") {
			t.Errorf("host 1 has moved, and host 0 sends to %v", got)
		}
	})
}

// TestWhoIsNear: each host knows whom it hears on which network, so that all can be told what is one pair's.
func TestWhoIsNear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := makeFarm(t, 3, 2)
		f.beat(20)
		f.paths[1][0].lose = func(to member.ID) bool { return to == 1 }
		f.beat(20)
		for _, tc := range []struct {
			host, network int
			want          member.Set
		}{{1, 0, 0b101}, {1, 1, 0b100}, {0, 1, 0b110}, {2, 1, 0b011}} {
			if got := f.hosts[tc.host].list[tc.network].near(time.Now()); got != tc.want {
				t.Errorf("host %d hears %b on network %d, want %b", tc.host, got, tc.network, tc.want)
			}
		}
	})
}

func TestAddressesThatNoHostHasAreNotLearned(t *testing.T) {
	for _, a := range []string{"0.0.0.0", "127.0.0.1", "239.1.2.3", "255.255.255.255"} {
		if reachable(netip.MustParseAddr(a)) {
			t.Errorf("%s is taken for a host's", a)
		}
	}
	if !reachable(netip.MustParseAddr("10.0.0.1")) {
		t.Error("10.0.0.1 is not taken")
	}
}

func TestInterfaceThatComesMovesAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &card{}
		c.set("", 0, errors.New("no such interface"))
		path := c.follow(2)
		woken := make(chan error, 100)
		var waiter sync.WaitGroup
		waiter.Go(func() {
			for {
				err := path.Wait()
				woken <- err
				if err != nil {
					return
				}
				path.Receive(make([]byte, 100))
			}
		})
		if _, err := path.where(); err == nil || !errors.Is(path.Send(1, []byte("x")), errDown) || len(c.open) != 0 {
			t.Errorf("interface that is not there: %v", err)
		}
		path.setPeer(1, netip.MustParseAddrPort("10.78.0.2:3343"))
		for i, step := range []struct {
			address string
			index   int
			paths   int
		}{
			{"10.78.0.1", 7, 1},
			{"10.78.0.1", 7, 1},
			{"10.78.0.3", 7, 2},
			{"10.78.0.3", 8, 3}, // the card was changed
		} {
			c.set(step.address, step.index, nil)
			later(2 * followEvery)
			if len(c.open) != step.paths {
				t.Fatalf("step %d: %d paths opened, want %d", i, len(c.open), step.paths)
			}
			newest := c.open[len(c.open)-1]
			if newest.peers[1].Port() != 3343 {
				t.Errorf("step %d: the new path does not know the other host", i)
			}
			newest.put([]byte("x"))
			synctest.Wait()
			if len(woken) != i+1 {
				t.Errorf("step %d: woken %d times, want %d", i, len(woken), i+1)
			}
		}
		c.set("", 0, errors.New("unplugged"))
		later(2 * followEvery)
		if _, err := path.where(); err == nil || err.Error() != "unplugged" {
			t.Errorf("interface is gone: %v", err)
		}
		path.Close()
		waiter.Wait()
	})
}

func TestNetworksNeedTheFirst(t *testing.T) {
	hosts := []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:3343")}
	for _, tc := range []struct {
		name string
		o    NetworksOptions
	}{
		{"none", NetworksOptions{Hosts: hosts}},
		{"another first", NetworksOptions{Hosts: hosts, List: []NetworkOptions{{Index: 1}}}},
		{"host that is not there", NetworksOptions{Self: 1, Hosts: hosts, List: []NetworkOptions{{}}}},
	} {
		if _, err := NewNetworks(tc.o); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: error %v", tc.name, err)
		}
	}
}

// slow is a path whose end waits: the kernel's lock is held by another program.
type slow struct {
	*moving
	free chan struct{}
}

func (s slow) Close() error {
	<-s.free
	return s.moving.Close()
}

// TestSpeakingWaitsForNoInterface: while a path is closed and opened, which can take long, nobody who speaks or listens waits.
func TestSpeakingWaitsForNoInterface(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		at, free := place{index: 1}, make(chan struct{})
		opened := 0
		f := follow(2, func() (place, error) {
			mu.Lock()
			defer mu.Unlock()
			return at, nil
		}, func(place, []netip.AddrPort) (livePath, error) {
			opened++
			return slow{&moving{fakePath: makePaths(2)[0], peers: map[member.ID]netip.AddrPort{}}, free}, nil
		}, slog.New(slog.DiscardHandler))
		mu.Lock()
		at.index = 2
		mu.Unlock()
		f.poke()
		synctest.Wait() // it is closing the old path now
		f.setPeer(1, netip.MustParseAddrPort("10.0.0.9:3343"))
		f.Broadcast([]byte("x"), 0, func(member.ID, error) {})
		if err := f.Send(1, []byte("x")); !errors.Is(err, errDown) {
			t.Errorf("sent between two paths: %v", err)
		}
		if _, _, err := f.Receive(make([]byte, 1)); !errors.Is(err, ErrEmpty) || opened != 1 {
			t.Errorf("%v, %d paths", err, opened)
		}
		close(free)
		synctest.Wait()
		path, _ := f.current()
		if opened != 2 || path.(slow).peers[1] != netip.MustParseAddrPort("10.0.0.9:3343") {
			t.Errorf("%d paths; the last one does not know what was learned meanwhile", opened)
		}
		f.Close()
	})
}
