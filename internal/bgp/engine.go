package bgp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	wire "github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"github.com/osrg/gobgp/v4/pkg/server"
)

const (
	// connectRetry, in seconds, bounds how long after a router's return it is told of this host: an attempt lasts a second less.
	connectRetry = 3
	// resetPause, in seconds, is how long a session rests after BFD has ended it; the usual 30 s would be longer than a router's reboot.
	resetPause = 5
	// maxRoutes is what a router may send. None is used, so it bounds memory only: a few hundred kilobytes.
	maxRoutes = 1000
	// cutOff is how long a router stays cut off that has sent more, plus a part of readmitEvery.
	cutOff       = time.Minute
	readmitEvery = 10 * time.Second
	// bfdMisses is how many BFD packets in a row may be missed (RFC 5880, Detect Mult).
	bfdMisses = 3
)

// engine is the embedded server and what it has been told.
type engine struct {
	server    *server.BgpServer
	unwatch   context.CancelFunc
	peering   Peering // its Neighbors are those that have been added
	announced []netip.Prefix
}

// become makes the server what it should be; after an error a part is left to do. Who we are cannot be changed in a running server: then
// it ends, and the routers hear of everything anew. Without routers there is no server, and nothing is listened on.
func (s *Speaker) become(want Peering, prefixes []netip.Prefix) error {
	e := &s.now
	if e.server != nil && (len(want.Neighbors) == 0 || e.peering.AS != want.AS || e.peering.RouterID != want.RouterID || e.peering.Interface != want.Interface) {
		e.stop()
	}
	if e.server == nil && len(want.Neighbors) > 0 {
		if err := s.begin(want); err != nil {
			e.stop()
			return err
		}
	}
	if e.server == nil {
		s.keepSessions(nil)
		return nil
	}
	return errors.Join(s.peer(want.Neighbors), e.announce(prefixes))
}

// begin starts the server, without routers. A listening port of -1 means none: sessions are opened from here only, so a host that
// filters what comes in needs no hole for BGP. BFD packets are taken in on the routers' interface alone.
func (s *Speaker) begin(want Peering) error {
	ctx := context.Background()
	log, level := s.listener()
	e := &s.now
	e.server = server.NewBgpServer(server.LoggerOption(log, level))
	e.peering = Peering{AS: want.AS, RouterID: want.RouterID, Interface: want.Interface}
	go e.server.Serve()
	err := e.server.StartBgp(ctx, &api.StartBgpRequest{Global: &api.Global{
		Asn: want.AS, RouterId: want.RouterID.String(), ListenPort: -1, BindToDevice: want.Interface,
	}})
	if err != nil {
		return fmt.Errorf("start BGP: %w", err)
	}
	if err := refuseRoutes(ctx, e.server); err != nil {
		return err
	}
	watching, cancel := context.WithCancel(ctx)
	e.unwatch = cancel
	err = e.server.WatchEvent(watching, server.WatchEventMessageCallbacks{OnPeerUpdate: func(p *apiutil.WatchEventMessage_PeerEvent, at time.Time) {
		s.sessionChanged(p.Peer, at)
	}}, server.WatchPeer())
	if err != nil {
		return fmt.Errorf("watch BGP sessions: %w", err)
	}
	return nil
}

// refuseRoutes makes the server take in what this host says itself, and nothing else: a route that is refused at the import is neither
// chosen nor sent to another router. What a router sent stays in its own table until the session ends, hence maxRoutes.
func refuseRoutes(ctx context.Context, b *server.BgpServer) error {
	own := &api.Policy{Name: "own", Statements: []*api.Statement{{
		Name:       "own",
		Conditions: &api.Conditions{RouteType: api.Conditions_ROUTE_TYPE_LOCAL},
		Actions:    &api.Actions{RouteAction: api.RouteAction_ROUTE_ACTION_ACCEPT},
	}}}
	if err := b.AddPolicy(ctx, &api.AddPolicyRequest{Policy: own}); err != nil {
		return fmt.Errorf("refuse routes: %w", err)
	}
	err := b.AddPolicyAssignment(ctx, &api.AddPolicyAssignmentRequest{Assignment: &api.PolicyAssignment{
		Name: "global", Direction: api.PolicyDirection_POLICY_DIRECTION_IMPORT,
		Policies: []*api.Policy{own}, DefaultAction: api.RouteAction_ROUTE_ACTION_REJECT,
	}})
	if err != nil {
		return fmt.Errorf("refuse routes: %w", err)
	}
	return nil
}

// stop ends the server: the routers hear it, and take the routes away.
func (e *engine) stop() {
	if e.unwatch != nil {
		e.unwatch()
	}
	if e.server != nil {
		e.server.Stop()
	}
	*e = engine{}
}

// peer adds and removes routers. One that has changed is removed first, and so is one whose session has ended: the server would wait
// for five seconds before it tries again, and with BFD it would end the next session at once, with the notification that BFD had for the
// one before (seen with gobgp 4.8.0).
func (s *Speaker) peer(want []Neighbor) error {
	e, ctx := &s.now, context.Background()
	var errs []error
	ended := s.renewed()
	for _, n := range slices.Clone(e.peering.Neighbors) {
		if slices.Contains(want, n) && !slices.Contains(ended, n) {
			continue
		}
		if err := e.server.DeletePeer(ctx, &api.DeletePeerRequest{Address: n.Address.String()}); err != nil {
			errs = append(errs, fmt.Errorf("end session with %s: %w", n.Name, err))
			continue
		}
		e.peering.Neighbors = slices.DeleteFunc(e.peering.Neighbors, func(o Neighbor) bool { return o == n })
	}
	s.keepSessions(want)
	for _, n := range want {
		if slices.Contains(e.peering.Neighbors, n) {
			continue
		}
		if err := e.server.AddPeer(ctx, &api.AddPeerRequest{Peer: e.peering.peer(n)}); err != nil {
			errs = append(errs, fmt.Errorf("begin session with %s: %w", n.Name, err))
			continue
		}
		e.peering.Neighbors = append(e.peering.Neighbors, n)
	}
	return errors.Join(errs...)
}

// peer is a router in the server's words. An external session has a TTL of 1 (RFC 4271 asks for a neighbour on the link); the
// interface is bound, so that a session is never opened by a way that the filter does not guard.
func (p Peering) peer(n Neighbor) *api.Peer {
	family := apiFamily(n.Address)
	seconds := uint64(n.HoldTime / time.Second)
	peer := &api.Peer{
		Conf:      &api.PeerConf{NeighborAddress: n.Address.String(), PeerAsn: n.AS, AuthPassword: n.Password, Description: n.Name},
		Timers:    &api.Timers{Config: &api.TimersConfig{ConnectRetry: connectRetry, HoldTime: seconds, KeepaliveInterval: max(1, seconds/3), IdleHoldTimeAfterReset: resetPause}},
		Transport: &api.Transport{BindInterface: p.Interface, RemotePort: n.port},
		AfiSafis: []*api.AfiSafi{{
			Config:       &api.AfiSafiConfig{Family: family, Enabled: true},
			PrefixLimits: &api.PrefixLimit{Family: family, MaxPrefixes: maxRoutes},
		}},
	}
	if n.from.IsValid() {
		peer.Transport.LocalAddress = n.from.String()
	}
	if n.BFD > 0 {
		every := uint32(n.BFD / time.Microsecond)
		peer.Bfd = &api.BfdPeerConfig{Enabled: true, DesiredMinimumTxInterval: every, RequiredMinimumReceive: every, DetectionMultiplier: bfdMisses}
	}
	return peer
}

func apiFamily(a netip.Addr) *api.Family {
	if a.Is4() {
		return &api.Family{Afi: api.Family_AFI_IP, Safi: api.Family_SAFI_UNICAST}
	}
	return &api.Family{Afi: api.Family_AFI_IP6, Safi: api.Family_SAFI_UNICAST}
}

// announce tells the server of the addresses.
func (e *engine) announce(want []netip.Prefix) error {
	for _, p := range slices.Clone(e.announced) {
		if slices.Contains(want, p) {
			continue
		}
		path, err := pathTo(p)
		if err == nil {
			err = e.server.DeletePath(apiutil.DeletePathRequest{Paths: []*apiutil.Path{path}})
		}
		if err != nil {
			return fmt.Errorf("withdraw %s: %w", p, err)
		}
		e.announced = slices.DeleteFunc(e.announced, func(o netip.Prefix) bool { return o == p })
	}
	for _, p := range want {
		if slices.Contains(e.announced, p) {
			continue
		}
		path, err := pathTo(p)
		if err == nil {
			_, err = e.server.AddPath(apiutil.AddPathRequest{Paths: []*apiutil.Path{path}})
		}
		if err != nil {
			return fmt.Errorf("announce %s: %w", p, err)
		}
		e.announced = append(e.announced, p)
	}
	return nil
}

// pathTo is a route to an address by this host: the server fills in the session's own address as the next hop.
func pathTo(p netip.Prefix) (*apiutil.Path, error) {
	nlri, err := wire.NewIPAddrPrefix(p)
	if err != nil {
		return nil, err
	}
	attrs := []wire.PathAttributeInterface{wire.NewPathAttributeOrigin(wire.BGP_ORIGIN_ATTR_TYPE_IGP)}
	family, self := wire.RF_IPv4_UC, netip.IPv4Unspecified()
	if !p.Addr().Is4() {
		family, self = wire.RF_IPv6_UC, netip.IPv6Unspecified()
		reach, err := wire.NewPathAttributeMpReachNLRI(family, []wire.PathNLRI{{NLRI: nlri}}, self)
		if err != nil {
			return nil, err
		}
		return &apiutil.Path{Family: family, Nlri: nlri, Attrs: append(attrs, reach)}, nil
	}
	next, err := wire.NewPathAttributeNextHop(self)
	if err != nil {
		return nil, err
	}
	return &apiutil.Path{Family: family, Nlri: nlri, Attrs: append(attrs, next)}, nil
}

// readmit lets those in again that have been cut off for sending too much.
func (s *Speaker) readmit() {
	if s.now.server == nil {
		return
	}
	for _, n := range s.flooders(time.Now()) {
		if err := s.now.server.EnablePeer(context.Background(), &api.EnablePeerRequest{Address: n.String()}); err != nil {
			s.log.Error("cannot try a router again that was cut off", "address", n, "err", err)
		}
	}
}

// listener is the server's log: what it says of sessions is heard, and little of it told.
func (s *Speaker) listener() (*slog.Logger, *slog.LevelVar) {
	level := &slog.LevelVar{}
	level.Set(slog.LevelDebug)
	return slog.New(&ears{heard: s.connectFailed, log: s.log}), level
}
