package bgp

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	wire "github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"github.com/osrg/gobgp/v4/pkg/server"
)

const (
	ownAS    = 64512
	routerAS = 64513
	patience = 15 * time.Second
)

var quiet = slog.New(slog.DiscardHandler)

// router is a router in this process that listens on an address and a port of its own.
type router struct {
	*server.BgpServer
	at   netip.Addr
	port uint32
}

// startRouter starts a router that takes a session with this host; as is the number that it expects of it.
func startRouter(t *testing.T, at string, port uint32, as uint32, password string) *router {
	t.Helper()
	r := &router{server.NewBgpServer(server.LoggerOption(quiet, &slog.LevelVar{})), netip.MustParseAddr(at), port}
	go r.Serve()
	t.Cleanup(r.Stop)
	id, peer := at, "192.0.2.1"
	if r.at.Is6() {
		id, peer = "192.0.2.252", "2001:db8::1"
	}
	err := r.StartBgp(t.Context(), &api.StartBgpRequest{Global: &api.Global{Asn: routerAS, RouterId: id, ListenPort: int32(port), ListenAddresses: []string{at}}})
	if err != nil {
		t.Fatal(err)
	}
	family := apiFamily(r.at)
	err = r.AddPeer(t.Context(), &api.AddPeerRequest{Peer: &api.Peer{
		Conf:      &api.PeerConf{NeighborAddress: peer, PeerAsn: as, AuthPassword: password},
		Transport: &api.Transport{PassiveMode: true, LocalAddress: at},
		AfiSafis:  []*api.AfiSafi{{Config: &api.AfiSafiConfig{Family: family, Enabled: true}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// neighbour is the router as this host is told of it.
func (r *router) neighbour(name string) Neighbor {
	from := netip.MustParseAddr("192.0.2.1")
	if r.at.Is6() {
		from = netip.MustParseAddr("2001:db8::1")
	}
	return Neighbor{Name: name, Address: r.at, AS: routerAS, HoldTime: 3 * time.Second, port: r.port, from: from}
}

// say has the router announce n routes of its own.
func (r *router) say(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		p, err := pathTo(netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)}), 32))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.AddPath(apiutil.AddPathRequest{Paths: []*apiutil.Path{p}}); err != nil {
			t.Fatal(err)
		}
	}
}

// heard lists the routes that the router has from elsewhere, with their next hops.
func (r *router) heard(t *testing.T) (list []string) {
	t.Helper()
	family := wire.RF_IPv4_UC
	if r.at.Is6() {
		family = wire.RF_IPv6_UC
	}
	err := r.ListPath(apiutil.ListPathRequest{TableType: api.TableType_TABLE_TYPE_GLOBAL, Family: family}, func(p wire.NLRI, paths []*apiutil.Path) {
		for _, path := range paths {
			if !path.PeerAddress.IsValid() || path.PeerAddress.IsUnspecified() {
				continue // its own
			}
			list = append(list, fmt.Sprintf("%s via %s", p, nextHop(path)))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return list
}

func nextHop(p *apiutil.Path) netip.Addr {
	for _, a := range p.Attrs {
		switch a := a.(type) {
		case *wire.PathAttributeNextHop:
			return a.Value
		case *wire.PathAttributeMpReachNLRI:
			return a.Nexthop
		}
	}
	return netip.Addr{}
}

// hears waits until the router has exactly these routes from elsewhere.
func (r *router) hears(t *testing.T, want ...string) {
	t.Helper()
	eventually(t, fmt.Sprintf("router %s hears %v", r.at, want), func() error {
		if got := r.heard(t); !slices.Equal(got, want) {
			return fmt.Errorf("it has %v", got)
		}
		return nil
	})
}

func eventually(t *testing.T, what string, problem func() error) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		err := problem()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v: %v", what, patience, err)
		}
	}
}

// changes remembers what a Speaker tells.
type changes struct {
	mu   sync.Mutex
	list []Change
}

func (c *changes) add(change Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, change)
}

func (c *changes) all() []Change {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.list)
}

// speaker starts a Speaker that talks to these routers.
func speaker(t *testing.T, neighbours ...Neighbor) (*Speaker, *changes) {
	t.Helper()
	heard := &changes{}
	s := Start(quiet, heard.add)
	t.Cleanup(s.Close)
	s.Set(peering(neighbours...))
	return s, heard
}

func peering(neighbours ...Neighbor) Peering {
	return Peering{AS: ownAS, RouterID: netip.MustParseAddr("192.0.2.1"), Neighbors: neighbours}
}

// session waits until what is said of a router is so.
func (s *Speaker) session(t *testing.T, name string, is func(Session) bool) Session {
	t.Helper()
	var found Session
	eventually(t, "session with "+name, func() error {
		for _, found = range s.Sessions() {
			if found.Neighbor == name && is(found) {
				return nil
			}
		}
		return fmt.Errorf("sessions are %+v", s.Sessions())
	})
	return found
}

func up(s Session) bool { return s.Up }

// allOf asks for every route that a router has said itself.
func allOf() apiutil.DeletePathRequest { return apiutil.DeletePathRequest{DeleteAll: true} }
