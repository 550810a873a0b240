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

	// Codec makes the codec of a wire number: a network's Index for its unicast, castNetworks more for its multicast. All are of one boot.
	Codec func(network uint16) (*wire.Codec, error)

	// Trust is how long a host may not have said that it hears us on a group before unicast goes to it beside that; less than the silence
	// after which it would take us for gone. Shorter costs datagrams when a few are lost, longer leaves less time to mend.
	Trust time.Duration

	// Speaks is the range of versions, usually Spoken; Silence is after what time a host that is not heard does not count when hosts
	// agree on one.
	Speaks  Range
	Silence time.Duration
	Log     *slog.Logger // gets each network's name
}

// NetworkOptions is one network.
type NetworkOptions struct {
	Name      string // in the file, for people
	Interface string // on which it is looked for; of the first network only its multicast depends on it
	Index     uint8  // its number, the same on every host; the first has 0
}

// Networks are all paths between this host and the others. What is said is said on each, and heard once.
type Networks struct {
	port uint16 // of heartbeats, the same on every network
	list []*one
	wake chan struct{}
	talk *negotiation

	self member.ID
	out  struct {
		sync.Mutex
		number      uint64 // of the last heartbeat
		nextHolding int
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
	nic      *nic      // where followed is
	local    netip.Addr
	cast     *cast // nil: nothing but unicast
}

// voice is what of a host was heard last, whichever network brought it.
type voice struct {
	boot   member.Boot
	number uint64
	at     time.Time
	before member.Boot // the boot that this one replaced
	gone   member.Boot // has said farewell
}

// NewNetworks opens all networks. The first must work; the others may come later. It returns ErrOptions for a list that does not begin with network 0,
// and otherwise an error that names the network; what was opened by then is closed again.
func NewNetworks(o NetworksOptions) (*Networks, error) {
	if len(o.List) == 0 || o.List[0].Index != 0 || int(o.Self) >= len(o.Hosts) {
		return nil, fmt.Errorf("%w: host %d of %d, %d networks", ErrOptions, o.Self, len(o.Hosts), len(o.List))
	}
	g := newNetworks(o.Self, len(o.Hosts), o.Hosts[o.Self].Port(), newNegotiation(o.Self, len(o.Hosts), o.Speaks, o.Silence))
	for i, each := range o.List {
		n, err := g.openOne(o, each, i == 0)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open network %s: %w", each.Name, err), g.Close())
		}
		g.list = append(g.list, n)
		if n.cast, err = g.openCast(o, n); err != nil {
			return nil, errors.Join(fmt.Errorf("open multicast on network %s: %w", each.Name, err), g.Close())
		}
	}
	return g, nil
}

func newNetworks(self member.ID, hosts int, port uint16, talk *negotiation) *Networks {
	g := &Networks{self: self, port: port, wake: make(chan struct{}, 1), talk: talk}
	g.in.hosts = make([]voice, hosts)
	return g
}

func (g *Networks) openOne(o NetworksOptions, each NetworkOptions, first bool) (*one, error) {
	codec, err := o.Codec(uint16(each.Index))
	if err != nil {
		return nil, err
	}
	log := o.Log.With("network", each.Name)
	options := Options{Self: o.Self, Local: o.Hosts[o.Self], Peers: o.Hosts, Codec: codec, Log: log, talk: g.talk, breath: breathOf(len(o.Hosts), o.Silence)}
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
	nic := newNIC(each.Interface, len(o.Hosts))
	path := follow(len(o.Hosts), nic.place, func(at place, peers []netip.AddrPort) (livePath, error) {
		return newUnicast(o.Self, netip.AddrPortFrom(at.zoned(), g.port), each.Interface, peers)
	}, log)
	n := g.followOne(options, each, path)
	n.nic = nic
	return n, nil
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

// Close ends all networks and their goroutines, and returns what closing any of them returned; farewells are not said.
func (g *Networks) Close() error {
	var errs []error
	for _, n := range g.list {
		errs = append(errs, n.Close())
		if n.cast != nil {
			errs = append(errs, n.cast.Close())
		}
	}
	return errors.Join(errs...)
}

// Wake says that Drain has something to do. It may say so once too often.
func (g *Networks) Wake() <-chan struct{} { return g.wake }

// Send tells all other hosts on all networks what say returns for the heartbeat's number: by multicast where that is used, and by
// unicast whoever does not hear it. An error means that no network could say it.
func (g *Networks) Send(say func(number uint64) Message) error {
	g.out.Lock()
	defer g.out.Unlock()
	g.out.number++
	m := say(g.out.number)
	now, start := time.Now(), g.out.nextHolding
	m.Seq = g.out.number
	m.Speaks, m.Written = g.talk.speak(now)
	plain := m.Written < VersionSections
	skips := make([]member.Set, len(g.list))
	for i, n := range g.list {
		if plain {
			break // whoever hears us only by multicast must not lose us while that is given up
		}
		skips[i] = n.served(g.self, now)
		if w, ok := n.word(g.others()&^skips[i], now); ok {
			m.Words = append(m.Words, w)
		}
	}
	said := len(g.list) == 0
	var errs []error
	send := func(n *Network, skip member.Set) {
		next, err := n.sendFrom(start, skip, m)
		if err != nil {
			errs = append(errs, err)
			return
		}
		said, g.out.nextHolding = true, next
	}
	for i, n := range g.list {
		if !plain && n.cast != nil && n.cast.inUse() {
			send(n.cast.Network, 0)
		}
		if skips[i] != g.others() || skips[i] == 0 {
			send(n.Network, skips[i])
		}
	}
	if said {
		return nil
	}
	return errors.Join(errs...)
}

// others are all hosts but this one.
func (g *Networks) others() member.Set {
	return member.Set(1<<len(g.in.hosts) - 1).Without(g.self)
}

// word is what this host says of the network; false: nothing worth saying.
func (n *one) word(direct member.Set, now time.Time) (Word, bool) {
	w := Word{Network: n.Index, Direct: direct}
	if n.followed != nil {
		w.Addr, _ = n.address()
	}
	if n.nic != nil {
		w.Kinds = n.nic.has()
	}
	if n.cast != nil {
		w.Group, w.Hears, w.Stranger = n.cast.say(now)
	}
	w.Near = n.near(now)
	return w, w.Addr.IsValid() || n.cast != nil
}

// Drain hands over all that has arrived and was not heard before on another network.
func (g *Networks) Drain(hear func(Received)) {
	g.in.Lock()
	defer g.in.Unlock()
	for _, n := range g.list {
		hearing := func(in Received) {
			if !g.in.hosts[in.From].newest(in) {
				return
			}
			if in.Farewell {
				g.talk.forget(in.From, in.Boot)
			}
			g.learn(in)
			hear(in)
		}
		n.Drain(hearing)
		if n.cast != nil {
			n.cast.Drain(hearing)
		}
	}
}

// learn takes in what a host says of networks: where it is, whom it hears by multicast, and whether we have to expect unicast. The sender is
// proved: an address is as good as one of the file.
func (g *Networks) learn(in Received) {
	for _, w := range in.Message.Words {
		for _, n := range g.list {
			if n.Index != w.Network {
				continue
			}
			if n.nic != nil {
				n.nic.hear(in.From, w.Kinds)
			}
			if w.Addr.IsValid() && reachable(w.Addr) {
				n.learn(in.From, netip.AddrPortFrom(w.Addr, g.port))
			}
			if !w.Direct.Has(g.self) {
				n.rest(in.From)
			}
			if n.cast != nil {
				n.cast.take(in.From, w, in.At)
			}
		}
	}
}

// reachable refuses what no host has, so that a host with a strange interface does no harm.
func reachable(a netip.Addr) bool {
	return !a.IsUnspecified() && !a.IsLoopback() && !a.IsMulticast() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// learn says where another host is on a network without configured addresses.
func (n *one) learn(host member.ID, to netip.AddrPort) {
	if n.followed == nil {
		return
	}
	n.state.Lock()
	same := n.state.peers[host] == to
	n.state.peers[host] = to
	n.state.Unlock()
	if !same {
		n.followed.setPeer(host, to)
		if n.cast != nil {
			n.cast.setPeer(host, netip.AddrPortFrom(to.Addr(), castPort))
		}
	}
}

// rest takes note that a host sends us nothing by unicast at present.
func (n *one) rest(host member.ID) {
	n.state.Lock()
	defer n.state.Unlock()
	n.state.links[host].resting = true
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
// go by every network that works at present, to where the others are on it: ask again now and then, for that changes.
func (g *Networks) Farewells() []Packet {
	var packets []Packet
	for _, n := range g.list {
		local, err := n.address()
		if err != nil {
			continue
		}
		for _, p := range n.Farewells() {
			p.Local = local
			if n.followed != nil {
				p.Device = n.Interface
				p.Local, p.To = onDevice(local, p.Device), netip.AddrPortFrom(onDevice(p.To.Addr(), p.Device), p.To.Port())
			}
			packets = append(packets, p)
		}
	}
	return packets
}

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
	Cast      CastStats        // of its multicast; zero where there is none
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
		if n.cast != nil {
			s.Cast = n.cast.stats(g.self, time.Now())
		}
		list[i] = s
	}
	return list
}
