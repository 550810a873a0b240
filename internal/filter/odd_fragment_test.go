package filter

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/cilium/ebpf"
)

const largeDatagram = 4000 // bytes: three fragments on an Ethernet

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

// TestFragmentedDatagramsReachTheirHost: the client's kernel cuts them and sends the first fragment first. Without the verdict
// that is kept for the later fragments no host gets a whole datagram but by the sharing of fragments, which is counted here.
func TestFragmentedDatagramsReachTheirHost(t *testing.T) {
	ways(t, func(t *testing.T, all bool) {
		f := oddFarm(t, 2, all)
		f.serveDatagrams()
		split := map[string]int{}
		for range 24 {
			c, sent := f.datagrams(), randomBytes(largeDatagram)
			if _, err := c.Write(sent); err != nil {
				t.Fatal(err)
			}
			host, err := received(c, sent)
			if err != nil {
				t.Errorf("from port %d: %v", portOf(c), err)
			}
			split[host]++
		}
		if split["h0"] == 0 || split["h1"] == 0 {
			t.Errorf("split %v: want both hosts", split)
		}
		if n := f.counted(AcceptShared) + f.counted(AcceptFragment); n > 0 {
			t.Errorf("%d fragments were taken for ones without a first: nothing was kept of that", n)
		}
	})
}

// TestFragmentsInAnyOrder: a network may turn them round. Without later_fragment's ways out, every order but the first is lost: the
// program cannot hold a packet back until the one with the ports comes.
func TestFragmentsInAnyOrder(t *testing.T) {
	orders := [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}
	ways(t, func(t *testing.T, all bool) {
		f := oddFarm(t, 3, all)
		f.serveDatagrams()
		split := map[string]int{}
		for i, order := range append(orders, append(orders, orders...)...) {
			c, sent := f.datagrams(), randomBytes(largeDatagram)
			frames := fragments(fromClient(udp, func(p *packet) {
				p.from, p.to, p.id = f.client.mac, f.way(all), uint16(1000+i)
				p.sport, p.dport, p.payload = portOf(c), spreadPort, sent
			}), 1480, 2960)
			f.client.send(frames[order[0]], frames[order[1]], frames[order[2]])
			host, err := received(c, sent)
			if err != nil {
				t.Errorf("order %v: %v", order, err)
			}
			split[host]++
		}
		if len(split) != 3 {
			t.Errorf("split %v: want all three hosts", split)
		}
	})
}

// TestFragmentsWithoutFirstAreBounded: each is given to all other hosts, so a stranger could have the director multiply frames.
func TestFragmentsWithoutFirstAreBounded(t *testing.T) {
	const sent, atOnce = 5000, 1024
	b := newBench(t)
	frame := fromClient(func(p *packet) { p.fragment = 185 }).frame()
	b.do(func() error {
		_, err := b.f.programs[ingress].Run(&ebpf.RunOptions{Data: frame, Repeat: sent, Context: &skbContext{Ifindex: uint32(b.ifindex)}})
		return err
	})
	c, err := b.f.Counters()
	if err != nil {
		t.Fatal(err)
	}
	// They may fall into two windows, or three where the machine is slow.
	if n := c.Of(AcceptShared); n < atOnce || n > 3*atOnce || n+c.Of(DropFragment) != sent {
		t.Errorf("%d shared and %d dropped of %d, want about %d shared", n, c.Of(DropFragment), sent, atOnce)
	}
}

// TestOldVerdictsDoNotHold: the number of a datagram comes round, and what was decided for the last one of that number says nothing.
func TestOldVerdictsDoNotHold(t *testing.T) {
	b := newBench(t)
	b.slot(word(1, no, no, 0))
	first := fromClient(udp, func(p *packet) { p.fragment, p.payload = 0x2000, make([]byte, 1472) })
	later := fromClient(udp, func(p *packet) { p.fragment, p.payload = 185, make([]byte, 100) })
	b.expect(t, ingress, first.frame(), redirected, []Reason{ForwardNew}, peer1MAC)
	b.expect(t, ingress, later.frame(), redirected, []Reason{ForwardNew}, peer1MAC)
	var key [40]byte // struct datagram
	var kept keptRecord
	entries := b.f.maps[filterMapDatagrams].Iterate()
	if !entries.Next(&key, &kept) {
		t.Fatalf("nothing is kept: %v", entries.Err())
	}
	kept.At -= uint64(time.Second)
	if err := b.f.maps[filterMapDatagrams].Put(key, kept); err != nil {
		t.Fatal(err)
	}
	b.expect(t, ingress, later.frame(), passed, []Reason{AcceptShared}, nil)
}

// keptRecord is struct kept.
type keptRecord struct {
	At      uint64
	Verdict uint32
	_       uint32
}
