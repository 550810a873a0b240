package heartbeat

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/multicast"
	"github.com/muster-ha/muster/internal/wire"
)

const (
	// castPort is where heartbeats by multicast arrive: a port of its own, so that what is sent to the group and what answers it come in at one
	// socket, apart from unicast.
	castPort = Port + 1

	// castNetworks is added to a network's number for its multicast: keys, sequences and losses of its own.
	castNetworks = 1 << 8
)

// strangerLife is how long another cluster counts as there after its last datagram. Groups that hosts choose are left sooner; for a manual
// one it is how long the warning stays.
const strangerLife = time.Minute

var errUnused = errors.New("multicast is not used")

// cast is the multicast beside a network's unicast. A host relies on it for another one only while that host says that it hears it:
// until then, and from then on when it does not any more, the same heartbeats go by unicast too.
type cast struct {
	*Network
	path  *followed
	trust time.Duration

	mu        sync.Mutex
	group     multicast.Group
	use       bool
	since     time.Time // of the group or of its use
	strangers uint64    // datagrams of other clusters that are accounted for
	stranger  time.Time // when there was one more; zero: not on this group
	others    []castPeer
}

// castPeer is what another host said last of the multicast.
type castPeer struct {
	group netip.Addr
	hears member.Set
	at    time.Time
}

// CastStats is how the multicast of a network is doing.
type CastStats struct {
	Stats
	Use      bool            // whether it was asked for
	Down     error           // why it cannot be used all the same
	Group    multicast.Group // invalid address: none
	Hears    member.Set      // whom we hear by it
	HeardBy  member.Set      // who says to hear us by it: they get nothing by unicast
	Stranger bool            // another cluster was seen on the group within strangerLife
}

// openCast prepares the multicast of a network.
func (g *Networks) openCast(o NetworksOptions, n *one) (*cast, error) {
	codec, err := o.Codec(castNetworks + uint16(n.Index))
	if err != nil {
		return nil, err
	}
	c := &cast{trust: o.Trust, others: make([]castPeer, len(o.Hosts))}
	find := func() (place, error) { return c.place(n) }
	open := func(at place, peers []netip.AddrPort) (livePath, error) {
		device, err := net.InterfaceByIndex(at.index)
		if err != nil {
			return nil, fmt.Errorf("find interface %d: %w", at.index, err)
		}
		path, err := newGroupPath(o.Self, at, castPort, device.Name, peers)
		if err != nil {
			return nil, err
		}
		c.opened()
		return path, nil
	}
	log := o.Log.With("network", n.Name, "path", "multicast")
	c.start(Options{Self: o.Self, Peers: make([]netip.AddrPort, len(o.Hosts)), Codec: codec, Log: log, talk: g.talk,
		breath: breathOf(len(o.Hosts), o.Silence)},
		follow(len(o.Hosts), find, open, slog.New(slog.DiscardHandler)), g.wake)
	for id, host := range o.Hosts {
		if n.followed == nil && member.ID(id) != o.Self {
			c.setPeer(member.ID(id), netip.AddrPortFrom(host.Addr(), castPort))
		}
	}
	return c, nil
}

func (c *cast) start(o Options, path *followed, wake chan struct{}) {
	c.path = path
	c.Network = newNetwork(o, path, wake)
	c.Network.down = func() bool { _, err := path.where(); return err != nil }
}

// place says where the group is to be joined.
func (c *cast) place(n *one) (place, error) {
	c.mu.Lock()
	use, group := c.use, c.group.Address
	c.mu.Unlock()
	if !use || !group.IsValid() {
		return place{}, errUnused
	}
	address, err := n.address()
	if err != nil {
		return place{}, err
	}
	if address.Is4() != group.Is4() {
		return place{}, fmt.Errorf("group %s and this host's address %s on the network are of two families", group, address)
	}
	index, err := n.interfaceIndex()
	return place{address: address, index: index, group: group}, err
}

func (c *cast) setPeer(id member.ID, a netip.AddrPort) { c.path.setPeer(id, a) }

// set changes the group, and whether it is used. Nobody hears a new group yet, so unicast goes beside it at once.
func (c *cast) set(use bool, group multicast.Group) {
	c.mu.Lock()
	same := c.use == use && c.group == group
	moved := c.group.Address != group.Address || c.use != use
	c.use, c.group = use, group
	if moved {
		c.since, c.strangers, c.stranger = time.Now(), c.codec.Counters().Of(wire.Cluster), time.Time{}
	}
	c.mu.Unlock()
	if !same {
		c.path.poke()
	}
}

// opened takes note that the path is on another group: what was heard before was heard on the one before.
func (c *cast) opened() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.since = time.Now()
}

// inUse says whether heartbeats are sent to the group. They are not while the path is still on the group before.
func (c *cast) inUse() bool {
	joined := c.path.joined()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.use && joined.IsValid() && joined == c.group.Address
}

// take keeps what another host says.
func (c *cast) take(from member.ID, w Word, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.others[from] = castPeer{group: w.Group.Address, hears: w.Hears, at: at}
}

// heardBy are the hosts that say to hear us on the group that we use, just now. Whoever is silent itself may have lost us too.
func (c *cast) heardBy(self member.ID, now time.Time) (set member.Set) {
	if !c.inUse() {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, o := range c.others {
		if o.group == c.group.Address && o.hears.Has(self) && o.at.After(c.since) && now.Sub(o.at) < c.trust {
			set = set.With(member.ID(id))
		}
	}
	return set
}

// hears are the hosts that we hear on the group, just now.
func (c *cast) hears(now time.Time) (set member.Set) {
	if !c.inUse() {
		return 0
	}
	c.mu.Lock()
	since := c.since
	c.mu.Unlock()
	c.state.Lock()
	defer c.state.Unlock()
	for id := range c.state.links {
		if l := &c.state.links[id]; l.Heard.After(since) && now.Sub(l.Heard) < c.trust {
			set = set.With(member.ID(id))
		}
	}
	return set
}

// say is what our heartbeats tell of the multicast.
func (c *cast) say(now time.Time) (group multicast.Group, hears member.Set, stranger bool) {
	hears = c.hears(now)
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.codec.Counters().Of(wire.Cluster); n > c.strangers {
		c.strangers, c.stranger = n, now
	}
	return c.group, hears, !c.stranger.IsZero() && now.Sub(c.stranger) < strangerLife
}

func (c *cast) stats(self member.ID, now time.Time) CastStats {
	s := CastStats{Stats: c.Stats(), HeardBy: c.heardBy(self, now)}
	s.Group, s.Hears, s.Stranger = c.say(now)
	_, s.Down = c.path.where()
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Use = c.use
	return s
}

// served are the hosts that need no unicast on a network.
func (n *one) served(self member.ID, now time.Time) member.Set {
	if n.cast == nil {
		return 0
	}
	return n.cast.heardBy(self, now)
}

// SetMulticast says which group the index-th network of the list has, and whether to use it.
func (g *Networks) SetMulticast(index int, use bool, group multicast.Group) {
	if n := g.list[index]; n.cast != nil {
		n.cast.set(use, group)
	}
}

// Strangers says whether another cluster was seen on the group of the network with that number.
func (g *Networks) Strangers(number int) bool {
	for _, n := range g.list {
		if int(n.Index) == number && n.cast != nil {
			_, _, stranger := n.cast.say(time.Now())
			return stranger
		}
	}
	return false
}

// groupPath is a Path that sends one datagram for all hosts.
type groupPath struct {
	*unicast
	group syscall.Sockaddr
}

// newGroupPath joins a group on an interface. Datagrams go no further than the network, and do not come back.
func newGroupPath(self member.ID, at place, port uint16, device string, peers []netip.AddrPort) (*groupPath, error) {
	any := netip.IPv4Unspecified()
	if at.group.Is6() {
		any = netip.IPv6Unspecified().WithZone(strconv.Itoa(at.index)) // for link-local peers; the socket is on one interface anyway
	}
	u, err := newUnicast(self, netip.AddrPortFrom(any, port), device, peers)
	if err != nil {
		return nil, err
	}
	join := u.join4
	if u.six {
		join = u.join6
	}
	if err := join(at); err != nil {
		return nil, errors.Join(fmt.Errorf("join group %s: %w", at.group, err), u.Close())
	}
	return &groupPath{unicast: u, group: sockaddr(netip.AddrPortFrom(at.group, port), u.zone)}, nil
}

// indexOf is the index of an interface that is switched on.
func indexOf(device string) (int, error) {
	link, err := net.InterfaceByName(device)
	if err != nil {
		return 0, fmt.Errorf("find interface %s: %w", device, err)
	}
	return upIndex(link)
}

// upIndex is the index of an interface that is not switched off.
func upIndex(link *net.Interface) (int, error) {
	if link.Flags&net.FlagUp == 0 {
		return 0, fmt.Errorf("interface %s is switched off", link.Name)
	}
	return link.Index, nil
}

func (u *unicast) join4(at place) error {
	request := &unix.IPMreqn{Multiaddr: at.group.As4(), Address: at.address.As4(), Ifindex: int32(at.index)}
	var failed error
	err := u.raw.Control(func(fd uintptr) {
		s := int(fd)
		failed = errors.Join(
			unix.SetsockoptInt(s, unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0), // only groups that this socket joined
			unix.SetsockoptInt(s, unix.IPPROTO_IP, unix.IP_MULTICAST_TTL, 1),
			unix.SetsockoptInt(s, unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, 0),
			unix.SetsockoptIPMreqn(s, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, request),
			unix.SetsockoptIPMreqn(s, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP, request))
	})
	return errors.Join(err, failed)
}

// join6 is join4 for IPv6: the membership is told by MLD.
func (u *unicast) join6(at place) error {
	var failed error
	err := u.raw.Control(func(fd uintptr) {
		s := int(fd)
		failed = errors.Join(
			unix.SetsockoptInt(s, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_ALL, 0),
			unix.SetsockoptInt(s, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, 1),
			unix.SetsockoptInt(s, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP, 0),
			unix.SetsockoptInt(s, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, at.index),
			unix.SetsockoptIPv6Mreq(s, unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP,
				&unix.IPv6Mreq{Multiaddr: at.group.As16(), Interface: uint32(at.index)}))
	})
	return errors.Join(err, failed)
}

// Broadcast sends one datagram, whomever it is for.
func (p *groupPath) Broadcast(datagram []byte, _ member.Set, failed func(member.ID, error)) {
	p.tx.Lock()
	p.tx.datagram, p.tx.to, p.tx.err = datagram, p.group, nil
	err := errors.Join(p.raw.Control(p.tx.call), p.tx.err)
	p.tx.Unlock()
	if err == nil {
		return
	}
	for id := range p.tx.peers {
		if p.knows(id) {
			failed(member.ID(id), err)
		}
	}
}
