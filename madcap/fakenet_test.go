package madcap

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"
)

// fakeNet is a network in memory. Use it in a synctest bubble: then its times are exact.
type fakeNet struct {
	mu     sync.Mutex
	begun  time.Time
	nodes  []*fakeNode
	clock  uint16                      // last client port given out
	events []string                    // "4s client DISCOVER group"
	lose   func(m Message, n int) bool // whether to lose the n-th message, counted from 1
	change func(m Message, b []byte) []byte
	sent   int
}

type fakeNode struct {
	net    *fakeNet
	at     netip.AddrPort
	groups []netip.Addr
	inbox  chan Packet
	closed chan struct{}
	once   sync.Once
}

func newFakeNet() *fakeNet { return &fakeNet{begun: time.Now(), clock: 40000} }

func (n *fakeNet) node(at netip.AddrPort, groups ...netip.Addr) *fakeNode {
	n.mu.Lock()
	defer n.mu.Unlock()
	node := &fakeNode{net: n, at: at, groups: groups, inbox: make(chan Packet, 100), closed: make(chan struct{})}
	n.nodes = append(n.nodes, node)
	return node
}

// open is a client's OpenFunc.
func (n *fakeNet) open(context.Context) (Transport, error) {
	n.clock++
	return n.node(netip.AddrPortFrom(netip.MustParseAddr("192.0.2.100"), n.clock)), nil
}

// serve runs a server until the test ends.
func (n *fakeNet) serve(t *testing.T, s *Server) context.CancelFunc {
	node := n.node(netip.AddrPortFrom(s.cfg.ID, Port), s.Groups()...)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		if err := s.Serve(ctx, node); err != nil {
			t.Errorf("serve: %v", err)
		}
	}()
	return cancel
}

// answer runs a server that is a function.
func (n *fakeNet) answer(t *testing.T, at netip.Addr, reply func(m Message, p Packet) [][]byte) {
	node := n.node(netip.AddrPortFrom(at, Port), LocalScope(IPv4).ServerGroup())
	go func() {
		for {
			p, err := node.Receive()
			if err != nil {
				return
			}
			m, _ := Parse(p.Data)
			for _, b := range reply(m, p) {
				node.Send(b, p.From)
			}
		}
	}()
	t.Cleanup(func() { node.Close() })
}

func (a *fakeNode) Send(b []byte, to netip.AddrPort) error {
	n := a.net
	n.mu.Lock()
	defer n.mu.Unlock()
	m, _ := Parse(b)
	n.sent++
	n.events = append(n.events, fmt.Sprintf("%v %v to %v", time.Since(n.begun).Round(time.Millisecond), m.Type, to.Addr()))
	if n.lose != nil && n.lose(m, n.sent) {
		return nil
	}
	if n.change != nil {
		b = n.change(m, b)
	}
	for _, o := range n.nodes {
		group := slices.Contains(o.groups, to.Addr()) && to.Port() == o.at.Port()
		if o.at != to && !group {
			continue
		}
		p := Packet{Data: slices.Clone(b), From: a.at}
		if group {
			p.Group = to.Addr()
		}
		o.inbox <- p
	}
	return nil
}

func (a *fakeNode) Receive() (Packet, error) {
	select {
	case p := <-a.inbox:
		return p, nil
	case <-a.closed:
		return Packet{}, ErrClosed
	}
}

func (a *fakeNode) Close() error {
	a.once.Do(func() { close(a.closed) })
	return nil
}

// history returns what was sent since the last call.
func (n *fakeNet) history() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	events := n.events
	n.events = nil
	return events
}

func testClient(t *testing.T, n *fakeNet) *Client {
	t.Helper()
	c, err := NewClient(ClientConfig{Open: n.open})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// siteAndGlobal are the scopes of the RFC's examples: the local one and, around it, the global one.
func siteAndGlobal() []ServedScope {
	local := LocalScope(IPv4)
	local.Names = []ZoneName{{"en", "here", true}, {"de", "hier", false}}
	global := Scope{netip.MustParseAddr("224.0.1.0"), netip.MustParseAddr("238.255.255.255"), 255, []ZoneName{{"en", "world", true}}}
	return []ServedScope{{Scope: local, Inside: []netip.Addr{global.First}}, {Scope: global}}
}

func testServer(t *testing.T, id netip.Addr, change ...func(*ServerConfig)) *Server {
	t.Helper()
	cfg := ServerConfig{ID: id, Scopes: siteAndGlobal()}
	for _, f := range change {
		f(&cfg)
	}
	s, err := NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
