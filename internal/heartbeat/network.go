package heartbeat

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/wire"
)

// ErrOptions is returned by New when the options contradict each other.
var ErrOptions = errors.New("impossible options")

const (
	// drainLimit bounds one Drain, so that a flood cannot keep its caller; it is more than the receive buffer holds.
	drainLimit = 4096

	// farewells is how many times SayFarewell repeats itself: nobody confirms it.
	farewells = 3

	// retryWait is the pause after a socket error that was not expected.
	retryWait = 100 * time.Millisecond

	// manyHosts is from how many hosts on arrivals are looked at in groups: each look costs a turn of the caller's loop, and with 32 hosts
	// there are 1,550 arrivals a second.
	manyHosts = 9

	// maxBreath bounds how long an arrival waits for company: a message of a view change may wait so long on each host that it passes.
	maxBreath = time.Millisecond

	// aloneSilence is how long a host may be silent on a network that belongs to no Networks before its version does not count any more.
	aloneSilence = 300 * time.Millisecond
)

// Options is what a Network needs to know.
type Options struct {
	Self   member.ID        // this host; the codec has to be of the same
	Local  netip.AddrPort   // where to listen, and what to send from
	Peers  []netip.AddrPort // by host; that of Self is not used
	Codec  *wire.Codec      // used by no other Network
	Log    *slog.Logger     // of changes: that sending begins or stops to fail, not of each datagram
	breath time.Duration    // how long to wait for company after each look; 0: not at all
	talk   *negotiation     // shared by the networks of a host; nil: this one is alone
}

// Packet is a datagram and where it has to go, for a process that has neither the network nor its keys: the guard.
type Packet struct {
	Local  netip.Addr // the address to send it from
	Device string     // the interface to send it on; empty: what the routes say
	To     netip.AddrPort
	Bytes  []byte // sealed, and good at any later time
}

// Received is a heartbeat that was heard, or a farewell. It is authentic, of a boot that has proved that it lives, and no replay.
type Received struct {
	At       time.Time // when it was read from the socket: it may have waited there while this host stood still
	From     member.ID
	Boot     member.Boot // never zero
	Farewell bool        // the last words of Boot; there is no Message
	Message  Message     // otherwise
}

// Network is one path between this host and the others.
type Network struct {
	self   member.ID
	codec  *wire.Codec
	talk   *negotiation
	path   Path
	down   func() bool // whether nothing can be sent at present; nil: never
	breath time.Duration
	log    *slog.Logger
	start  time.Time // of our clock

	wake    chan struct{} // something has arrived
	drained chan struct{} // it was looked at: wait for the next
	done    chan struct{} // closed by Close
	close   func() error
	watcher sync.WaitGroup

	out struct {
		sync.Mutex
		payload, datagram []byte
		nextHolding       int
		nextEcho          int
		failing           bool
	}
	in struct {
		sync.Mutex
		buf [2 * wire.MaxDatagram]byte // what is too long is seen to be
	}
	state struct {
		sync.Mutex
		sent    uint64
		links   []link
		peers   []netip.AddrPort // by host; invalid: not known
		sources map[wire.Reason]netip.AddrPort
	}
}

// New opens the unicast network of a local address, and starts a goroutine that waits for datagrams until Close. It returns ErrOptions if codec and
// options are not of the same host and cluster, and otherwise what the kernel has against the socket: most often that the address is on
// no interface, or that another agent has the port.
func New(o Options) (*Network, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	path, err := newUnicast(o.Self, o.Local, "", o.Peers)
	if err != nil {
		return nil, err
	}
	return newNetwork(o, path, make(chan struct{}, 1)), nil
}

func (o *Options) check() error {
	if o.Codec == nil || o.Log == nil {
		return fmt.Errorf("%w: no codec or no log", ErrOptions)
	}
	if o.Codec.Hosts() != len(o.Peers) || o.Codec.Self() != o.Self {
		return fmt.Errorf("%w: host %d of %d, codec for host %d of %d", ErrOptions, o.Self, len(o.Peers), o.Codec.Self(), o.Codec.Hosts())
	}
	return nil
}

// newNetwork takes the channel on which the network says that something has arrived: several networks may share one.
func newNetwork(o Options, path Path, wake chan struct{}) *Network {
	if o.talk == nil {
		o.talk = newNegotiation(o.Self, len(o.Peers), Spoken(), aloneSilence)
	}
	n := &Network{self: o.Self, codec: o.Codec, talk: o.talk, breath: o.breath, path: path, log: o.Log, start: time.Now(),
		wake: wake, drained: make(chan struct{}, 1), done: make(chan struct{})}
	n.state.links = make([]link, len(o.Peers))
	n.state.peers = slices.Clone(o.Peers)
	n.state.sources = map[wire.Reason]netip.AddrPort{}
	n.close = sync.OnceValue(func() error {
		close(n.done)
		err := path.Close()
		n.watcher.Wait()
		return err
	})
	n.watcher.Go(n.watch)
	return n
}

// Close ends the network; farewells are not said. It waits for the goroutine of New; a second call does nothing and returns the same.
func (n *Network) Close() error { return n.close() }

// Wake says that Drain has something to do. It may say so once too often.
func (n *Network) Wake() <-chan struct{} { return n.wake }

// watch turns arrivals into wakes, one for each Drain.
func (n *Network) watch() {
	for {
		err := n.path.Wait()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil && !n.pause(retryWait) {
			return
		}
		select {
		case <-n.drained: // of a look that we did not ask for: the one that counts is yet to come
		default:
		}
		select {
		case n.wake <- struct{}{}:
		default:
		}
		select {
		case <-n.drained:
		case <-n.done:
			return
		}
		if n.breath > 0 && !n.pause(n.breath) {
			return
		}
	}
}

// breathOf is how long arrivals wait for company in a cluster: too short to be seen beside the silence after which a host is gone.
func breathOf(hosts int, silence time.Duration) time.Duration {
	if hosts < manyHosts {
		return 0
	}
	return min(silence/200, maxBreath)
}

// pause waits; false when the network is closed.
func (n *Network) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-n.done:
		return false
	}
}

// clock is our time in microseconds as heartbeats carry it.
func (n *Network) clock(at time.Time) uint32 { return uint32(at.Sub(n.start).Microseconds()) }

// Farewells are the last words of this boot for each other host, to be sent by whoever notices that the agent has died.
func (n *Network) Farewells() []Packet {
	var packets []Packet
	datagram := n.codec.Farewell()
	n.state.Lock()
	defer n.state.Unlock()
	for id, to := range n.state.peers {
		if member.ID(id) != n.self && to.IsValid() {
			packets = append(packets, Packet{To: to, Bytes: datagram})
		}
	}
	return packets
}

// SayFarewell tells the others, several times as nobody confirms it, that this boot will say nothing any more. Nothing that is sent later is
// heard. The filter must accept nothing by then: the others take the share over at once.
func (n *Network) SayFarewell() {
	datagram := n.codec.Farewell()
	for range farewells {
		n.path.Broadcast(datagram, 0, n.unsent)
	}
}

// Stats is how the network is doing since it was opened. Counters only grow; a Network ends with its agent, and so do they.
type Stats struct {
	Sent      uint64                         // heartbeats, each to all hosts
	Datagrams wire.Counters                  // what arrived, by reason
	Sources   map[wire.Reason]netip.AddrPort // where the last one refused for a reason said to come from
	Peers     []Peer                         // by host
}

// Stats returns a copy of the figures.
func (n *Network) Stats() Stats {
	n.state.Lock()
	defer n.state.Unlock()
	s := Stats{Sent: n.state.sent, Datagrams: n.codec.Counters(), Sources: map[wire.Reason]netip.AddrPort{}}
	for reason, from := range n.state.sources {
		s.Sources[reason] = from
	}
	for i := range n.state.links {
		peer := n.state.links[i].Peer
		s.Peers = append(s.Peers, peer)
		s.Datagrams[wire.Accepted] -= peer.Malformed + peer.Foreign
		s.Datagrams[wire.Malformed] += peer.Malformed
		s.Datagrams[wire.Version] += peer.Foreign
	}
	return s
}
