package heartbeat

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/wire"
)

// replacedLife is how long a boot must have been silent before the one that it replaced is believed again. Two networks
// can disagree for a moment about which of two boots is the newer.
const replacedLife = time.Second

// NetworksOptions is what Networks needs to know.
type NetworksOptions struct {
	Self  member.ID
	Hosts []netip.AddrPort // configured addresses by host, which the first network carries
	List  []NetworkOptions // the first network, then the others
	Codec func(network uint16) (*wire.Codec, error)
	Log   *slog.Logger
}

// NetworkOptions is one network.
type NetworkOptions struct {
	Name      string
	Interface string
	Index     uint8 // its number, the same on every host; the first has 0
}

// Networks are all paths between this host and the others. What is said is said on each, and heard once.
type Networks struct {
	port uint16 // of heartbeats, the same on every network
	list []*one
	wake chan struct{}

	out struct {
		sync.Mutex
		number uint64 // of the last heartbeat
	}
	in struct {
		sync.Mutex
		hosts []voice
	}
}

// one is a network and what only some have.
type one struct {
	*Network
	NetworkOptions
	followed *followed // nil: its addresses are configured
	local    netip.Addr
}

// voice is what of a host was heard last, whichever network brought it.
type voice struct {
	boot   member.Boot
	number uint64
	at     time.Time
	before member.Boot // the boot that this one replaced
	gone   member.Boot // has said farewell
}

// NewNetworks opens all networks. The first must work; the others may come later.
func NewNetworks(o NetworksOptions) (*Networks, error) {
	if len(o.List) == 0 || o.List[0].Index != 0 || int(o.Self) >= len(o.Hosts) {
		return nil, fmt.Errorf("%w: host %d of %d, %d networks", ErrOptions, o.Self, len(o.Hosts), len(o.List))
	}
	g := newNetworks(len(o.Hosts), o.Hosts[o.Self].Port())
	for i, each := range o.List {
		n, err := g.openOne(o, each, i == 0)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open network %s: %w", each.Name, err), g.Close())
		}
		g.list = append(g.list, n)
	}
	return g, nil
}

func newNetworks(hosts int, port uint16) *Networks {
	g := &Networks{port: port, wake: make(chan struct{}, 1)}
	g.in.hosts = make([]voice, hosts)
	return g
}

func (g *Networks) openOne(o NetworksOptions, each NetworkOptions, first bool) (*one, error) {
	codec, err := o.Codec(uint16(each.Index))
	if err != nil {
		return nil, err
	}
	log := o.Log.With("network", each.Name)
	options := Options{Self: o.Self, Local: o.Hosts[o.Self], Peers: o.Hosts, Codec: codec, Log: log}
	if err := options.check(); err != nil {
		return nil, err
	}
	if first {
		path, err := newUnicast(o.Self, options.Local, "", options.Peers)
		if err != nil {
			return nil, err
		}
		return &one{Network: newNetwork(options, path, g.wake), NetworkOptions: each, local: options.Local.Addr()}, nil
	}
	path := follow(len(o.Hosts), func() (place, error) { return firstAddress(each.Interface) }, func(local netip.Addr, peers []netip.AddrPort) (livePath, error) {
		return newUnicast(o.Self, netip.AddrPortFrom(local, g.port), each.Interface, peers)
	}, log)
	return g.followOne(options, each, path), nil
}

// followOne makes a network of a path that is followed.
func (g *Networks) followOne(o Options, each NetworkOptions, path *followed) *one {
	o.Peers = make([]netip.AddrPort, len(o.Peers)) // to be learned
	n := &one{Network: newNetwork(o, path, g.wake), NetworkOptions: each, followed: path}
	n.down = func() bool { _, err := path.where(); return err != nil }
	return n
}

// address is where this host is on the network; the error says why it is nowhere.
func (n *one) address() (netip.Addr, error) {
	if n.followed == nil {
		return n.local, nil
	}
	return n.followed.where()
}

// Close ends all networks; farewells are not said.
func (g *Networks) Close() error {
	var errs []error
	for _, n := range g.list {
		errs = append(errs, n.Close())
	}
	return errors.Join(errs...)
}

// Wake says that Drain has something to do. It may say so once too often.
func (g *Networks) Wake() <-chan struct{} { return g.wake }

// Send tells all other hosts on all networks what say returns for the heartbeat's number. An error means that no network could
// say it.
func (g *Networks) Send(say func(number uint64) Message) error {
	g.out.Lock()
	defer g.out.Unlock()
	g.out.number++
	m := say(g.out.number)
	m.Seq, m.Addresses = g.out.number, g.addresses()
	said := false
	var errs []error
	for _, n := range g.list {
		_, err := n.Send(func(uint64) Message { return m })
		said = said || err == nil
		errs = append(errs, err)
	}
	if said {
		return nil
	}
	return errors.Join(errs...)
}

// addresses tells the others where to find this host.
func (g *Networks) addresses() []Address {
	var list []Address
	for _, n := range g.list {
		if n.followed == nil {
			continue
		}
		if a, err := n.address(); err == nil {
			list = append(list, Address{Network: n.Index, Addr: a})
		}
	}
	return list
}

// Drain hands over all that has arrived and was not heard before on another network.
func (g *Networks) Drain(hear func(Received)) {
	g.in.Lock()
	defer g.in.Unlock()
	for _, n := range g.list {
		n.Drain(func(in Received) {
			if !g.in.hosts[in.From].newest(in) {
				return
			}
			g.learn(in)
			hear(in)
		})
	}
}

// learn takes in where a host says that it is. The sender is proved: the address is as good as one of the file.
func (g *Networks) learn(in Received) {
	for _, a := range in.Message.Addresses {
		for _, n := range g.list {
			if n.followed != nil && n.Index == a.Network && reachable(a.Addr) {
				n.learn(in.From, netip.AddrPortFrom(a.Addr, g.port))
			}
		}
	}
}

// reachable refuses what no host has, so that a host with a strange interface does no harm.
func reachable(a netip.Addr) bool {
	return !a.IsUnspecified() && !a.IsLoopback() && !a.IsMulticast() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

func (n *one) learn(host member.ID, to netip.AddrPort) {
	n.state.Lock()
	same := n.state.peers[host] == to
	n.state.peers[host] = to
	n.state.Unlock()
	if !same {
		n.followed.setPeer(host, to)
	}
}

// newest reports whether something was not heard before, and takes note of it.
func (v *voice) newest(in Received) bool {
	switch {
	case in.Boot == v.gone:
		return false
	case in.Farewell:
		v.gone = in.Boot
		return v.boot == in.Boot || v.boot == 0
	case in.Boot == v.before && in.At.Sub(v.at) < replacedLife:
		return false
	case in.Boot != v.boot:
		v.before, v.boot, v.number = v.boot, in.Boot, 0
	}
	if in.Message.Seq <= v.number {
		return false
	}
	v.number, v.at = in.Message.Seq, in.At
	return true
}

// Farewells are the last words of this boot for each other host, to be sent by whoever notices that the agent has died. They
// go by the first network: where the others are on the rest is not known for ever.
func (g *Networks) Farewells() []Packet { return g.list[0].Farewells() }

// SayFarewell tells the others that this boot will say nothing any more. Nothing that is sent later is heard.
func (g *Networks) SayFarewell() {
	for _, n := range g.list {
		n.SayFarewell()
	}
}

// NetworkStats is how one network is doing.
type NetworkStats struct {
	NetworkOptions
	Stats
	Address   netip.Addr       // of this host on it
	Down      error            // why it cannot be used at present
	Addresses []netip.AddrPort // of the hosts; invalid: not known
}

// Stats returns the figures of each network, the first network first.
func (g *Networks) Stats() []NetworkStats {
	list := make([]NetworkStats, len(g.list))
	for i, n := range g.list {
		s := NetworkStats{NetworkOptions: n.NetworkOptions, Stats: n.Stats()}
		s.Address, s.Down = n.address()
		n.state.Lock()
		s.Addresses = append(s.Addresses, n.state.peers...)
		n.state.Unlock()
		list[i] = s
	}
	return list
}
