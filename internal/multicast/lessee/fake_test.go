package lessee

import (
	"bytes"
	"context"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/multicast"
	"github.com/muster-ha/muster/madcap"
)

var (
	address  = netip.MustParseAddr
	serverAt = address("192.0.2.1")
	nobody   = func(netip.Addr) bool { return false }
)

// world is a network in memory with one server, which may lie. It is to be used in a synctest bubble: then a minute takes no time.
type world struct {
	server *madcap.Server
	lie    func(asked madcap.Message, p madcap.Place, answer madcap.Message) [][]byte // nil: the truth
	mute   bool
	other  *world // on the same network; nil: none
	mu     sync.Mutex
	heard  []madcap.Type
}

func newWorld(t *testing.T, change ...func(*madcap.ServerConfig)) *world {
	t.Helper()
	cfg := madcap.ServerConfig{ID: serverAt, Scopes: []madcap.ServedScope{{Scope: madcap.LocalScope(madcap.IPv4)}}}
	for _, f := range change {
		f(&cfg)
	}
	s, err := madcap.NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &world{server: s}
}

func (w *world) client(t *testing.T) *madcap.Client {
	t.Helper()
	c, err := madcap.NewClient(madcap.ClientConfig{Open: func(context.Context) (madcap.Transport, error) {
		return &wire{world: w, inbox: make(chan madcap.Packet, 1000), closed: make(chan struct{})}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (w *world) messages(kind madcap.Type) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, h := range w.heard {
		if h == kind {
			n++
		}
	}
	return n
}

// wire is a client's end of the world.
type wire struct {
	*world
	inbox  chan madcap.Packet
	closed chan struct{}
	once   sync.Once
}

func (w *wire) Send(b []byte, to netip.AddrPort) error {
	asked, err := madcap.Parse(b)
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.heard = append(w.heard, asked.Type)
	w.mu.Unlock()
	p := madcap.Packet{Data: bytes.Clone(b), From: netip.MustParseAddrPort("192.0.2.100:40000")}
	if to.Addr().IsMulticast() {
		p.Group = to.Addr()
	}
	if w.other != nil {
		if reply := w.other.server.Handle(time.Now(), p); reply != nil {
			w.inbox <- madcap.Packet{Data: reply, From: netip.MustParseAddrPort("192.0.2.2:2535")}
		}
	}
	reply := w.server.Handle(time.Now(), p)
	if w.mute || reply == nil {
		return nil
	}
	for _, b := range w.replies(asked, reply) {
		w.inbox <- madcap.Packet{Data: b, From: netip.AddrPortFrom(serverAt, madcap.Port)}
	}
	return nil
}

func (w *wire) replies(asked madcap.Message, truth []byte) [][]byte {
	answer, err := madcap.Parse(truth)
	if err != nil {
		panic(err)
	}
	if w.lie != nil && answer.Type != madcap.TypeNak {
		place := map[madcap.Type]madcap.Place{madcap.TypeGetInfo: madcap.InAckToGetInfo, madcap.TypeDiscover: madcap.InOffer, madcap.TypeRequest: madcap.InAckToRequest,
			madcap.TypeRenew: madcap.InAckToRenew, madcap.TypeRelease: madcap.InAckToRelease}[asked.Type]
		if lies := w.lie(asked, place, answer); lies != nil {
			return lies
		}
	}
	return [][]byte{truth}
}

func (w *wire) Receive() (madcap.Packet, error) {
	select {
	case p := <-w.inbox:
		return p, nil
	case <-w.closed:
		return madcap.Packet{}, madcap.ErrClosed
	}
}

func (w *wire) Close() error {
	w.once.Do(func() { close(w.closed) })
	return nil
}

// with replaces an option of an answer, and writes that as it is.
func with(t *testing.T, m madcap.Message, p madcap.Place, o madcap.Option) []byte {
	t.Helper()
	options := slices.Clone(m.Options)
	i := slices.IndexFunc(options, func(old madcap.Option) bool { return old.Code() == o.Code() })
	if i < 0 {
		t.Fatalf("no %v in %v", o.Code(), m)
	}
	options[i] = o
	m.Options = options
	b, err := m.Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func wish() Wish { return Wish{Range: multicast.Administrative(), Avoid: nobody} }
