package madcap

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"
)

// ClientConfig is how a client finds servers. Only Open is needed.
type ClientConfig struct {
	Open   OpenFunc      // makes the transport of one operation: [OpenUDP], or one for tests
	Family Family        // of the addresses to lease (default IPv4)
	Group  netip.Addr    // MADCAP Server Multicast Address (default: that of [LocalScope])
	Port   uint16        // of the servers (default [Port])
	Skew   time.Duration // tolerated difference of clocks where absolute times are used (default [ClockSkewAllowance])
	Gather time.Duration // how long Scopes waits for further servers after the first (default 1 s)
}

// Client leases multicast addresses. Its methods may be called by several goroutines; each opens a transport of its own.
type Client struct {
	cfg ClientConfig
	xid atomic.Uint32 // random at first, then counted up (RFC 2730, section 2.1.4)
}

// NewClient returns a client. The error says which part of the configuration is wrong.
func NewClient(cfg ClientConfig) (*Client, error) {
	if cfg.Open == nil {
		return nil, errors.New("make client: no transport")
	}
	if cfg.Family == 0 {
		cfg.Family = IPv4
	}
	if cfg.Family.size() == 0 {
		return nil, fmt.Errorf("make client: %v is not known", cfg.Family)
	}
	if !cfg.Group.IsValid() {
		cfg.Group = LocalScope(cfg.Family).ServerGroup()
	}
	if !cfg.Group.IsMulticast() || isGlobalGroup(cfg.Group) {
		return nil, fmt.Errorf("make client: %v is not the group of servers in a local scope", cfg.Group)
	}
	if cfg.Port == 0 {
		cfg.Port = Port
	}
	if cfg.Skew == 0 {
		cfg.Skew = ClockSkewAllowance
	}
	if cfg.Gather == 0 {
		cfg.Gather = time.Second
	}
	c := &Client{cfg: cfg}
	c.xid.Store(rand.Uint32())
	return c, nil
}

// isGlobalGroup tells the groups of the global scopes, to which clients must not send (section 2.11).
func isGlobalGroup(a netip.Addr) bool {
	if a.Is4() {
		return a == netip.MustParseAddr("238.255.255.254")
	}
	b := a.As16()
	return b[1]&0x0f == 0x0e
}

// maxServers is how many servers Scopes tells of. A site has few; what claims to be hundreds of them is one that lies.
const maxServers = 64

// Scopes asks for the scopes in effect (sections 2.2.1 and 2.7): one server, or, if server is the zero Addr, all that hear it. With a
// language (RFC 1766 tag) each scope has at most one name, without one all. At most 64 servers are told of. The error is a [*TimeoutError] when nobody answers.
func (c *Client) Scopes(ctx context.Context, server netip.Addr, language string) ([]ServerInfo, error) {
	id := NewLeaseID()
	options := []Option{id, OptionRequest{OptScopeList, OptNesting, OptCurrentTime, OptFeatureList}, FeatureList{}}
	if language != "" {
		options = append(options, Language(language))
	}
	e, err := c.exchange(InGetInfo, options, id, c.target(server))
	if err != nil {
		return nil, err
	}
	var found []ServerInfo
	wait := c.cfg.Gather
	if e.many = !server.IsValid(); !e.many {
		wait = 0
	}
	e.accept = func(now time.Time, m Message) (time.Time, error) {
		info, err := serverInfo(now, m)
		if err == nil && len(found) >= maxServers {
			return now, nil
		}
		if err == nil && !slices.ContainsFunc(found, func(o ServerInfo) bool { return o.Server == info.Server }) {
			found = append(found, info)
		}
		return now.Add(wait), err
	}
	err = c.session(ctx, func(s *session) error { return s.run(ctx, e) })
	if err != nil {
		return nil, fmt.Errorf("get scopes: %w", err)
	}
	return found, nil
}

func serverInfo(now time.Time, m Message) (ServerInfo, error) {
	if err := m.Check(InAckToGetInfo); err != nil {
		return ServerInfo{}, err
	}
	id, _ := Get[ServerID](m)
	scopes, _ := Get[ScopeList](m)
	features, _ := Get[FeatureList](m)
	info := ServerInfo{Server: id.Addr, Scopes: scopes, Features: features.Supported}
	// A nesting state for another number of scopes must be ignored (RFC 2907, section 5).
	if n, ok := Get[Nesting](m); ok && n.Len() == len(scopes) {
		info.Nesting = n
	}
	if t, ok := Get[CurrentTime](m); ok {
		info.Skew, info.HasTime = t.Sub(now), true
	}
	return info, nil
}

// target returns where to send: to a server, or, if it is not valid, to the group.
func (c *Client) target(server netip.Addr) netip.AddrPort {
	if !server.IsValid() {
		server = c.cfg.Group
	}
	return netip.AddrPortFrom(server, c.cfg.Port)
}

// exchange makes a message with a new xid.
func (c *Client) exchange(p Place, options []Option, id LeaseID, to netip.AddrPort) (*exchange, error) {
	return c.exchangeWith(c.xid.Add(1), p, options, id, to)
}

func (c *Client) exchangeWith(xid uint32, p Place, options []Option, id LeaseID, to netip.AddrPort) (*exchange, error) {
	m := Message{p.Type(), c.cfg.Family, xid, options}
	wire, err := m.Encode(p)
	if err != nil {
		return nil, err
	}
	return &exchange{kind: m.Type, family: m.Family, xid: xid, id: id, wire: wire, to: to}, nil
}

// session is an open transport with a goroutine that reads it.
type session struct {
	transport Transport
	inbox     chan Packet
	broken    chan error
}

// session opens a transport, calls do and closes it.
func (c *Client) session(ctx context.Context, do func(*session) error) error {
	t, err := c.cfg.Open(ctx)
	if err != nil {
		return fmt.Errorf("open transport: %w", err)
	}
	s := &session{t, make(chan Packet), make(chan error, 1)}
	stop := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.read(stop)
	}()
	err = do(s)
	close(stop)
	t.Close()
	<-ended
	return err
}

func (s *session) read(stop chan struct{}) {
	for {
		p, err := s.transport.Receive()
		if err != nil {
			s.broken <- err
			return
		}
		select {
		case s.inbox <- p:
		case <-stop:
			return
		}
	}
}

// run drives an exchange to its end.
func (s *session) run(ctx context.Context, e *exchange) error {
	for {
		send, wake, done := e.step(time.Now())
		if done {
			return e.err
		}
		if send {
			if err := s.transport.Send(e.wire, e.to); err != nil {
				return fmt.Errorf("send %v to %v: %w", e.kind, e.to, err)
			}
		}
		timer := time.NewTimer(time.Until(wake))
		select {
		case p := <-s.inbox:
			e.hear(time.Now(), p.Data, p.From)
		case <-timer.C:
		case err := <-s.broken:
			return fmt.Errorf("receive: %w", err)
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(ctx.Err(), e.failure())
		}
		timer.Stop()
	}
}
