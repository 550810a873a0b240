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

	"github.com/vishvananda/netlink"

	"github.com/muster-ha/muster/internal/member"
)

// followEvery is how often a followed interface is looked at. Until then a network that came, went or was renumbered is
// not used: others are.
const followEvery = time.Second

// errDown says that a network has no path at present.
var errDown = errors.New("network is down")

// place is where an interface is. One that was removed and made again has another index.
type place struct {
	address netip.Addr
	index   int
	group   netip.Addr // joined there; invalid: none
}

// locate finds where an interface is now.
type locate func() (place, error)

// followed is a Path on an interface whose address is not configured, which need not be there yet and may change. Where other
// hosts are reached is learned.
type followed struct {
	locate locate
	open   func(at place, peers []netip.AddrPort) (livePath, error)
	log    *slog.Logger
	looks  sync.Mutex    // one at a time
	poked  chan struct{} // look soon
	done   chan struct{}
	work   sync.WaitGroup

	mu      sync.Mutex
	path    livePath // nil: down
	at      place
	why     error // why it is down
	peers   []netip.AddrPort
	changed chan struct{} // closed and made anew whenever path changes
}

// livePath is a Path to hosts that may move.
type livePath interface {
	Path
	setPeer(member.ID, netip.AddrPort)
}

// follow keeps a path on an interface for as long as it is not closed.
func follow(hosts int, find locate, open func(place, []netip.AddrPort) (livePath, error), log *slog.Logger) *followed {
	f := &followed{locate: find, open: open, log: log, done: make(chan struct{}), peers: make([]netip.AddrPort, hosts), poked: make(chan struct{}, 1),
		changed: make(chan struct{}), why: errDown}
	f.look()
	f.work.Go(f.run)
	return f
}

func (f *followed) run() {
	ticker := time.NewTicker(followEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			f.look()
		case <-f.poked:
			f.look()
		case <-f.done:
			return
		}
	}
}

// poke asks for a look and does not wait for it: joining and leaving a group takes a lock of the kernel that other programs may hold for
// hundreds of milliseconds, and whoever says heartbeats must not wait for that.
func (f *followed) poke() {
	select {
	case f.poked <- struct{}{}:
	default: // one is due
	}
}

// Look has the interfaces of all networks looked at now rather than within a second: the caller knows that one has changed. It does not
// wait for that.
func (g *Networks) Look() {
	for _, n := range g.list {
		if n.followed != nil {
			n.followed.poke()
		}
		if n.cast != nil {
			n.cast.path.poke()
		}
	}
}

// interfaceIndex is the index of the network's interface as it is now. That of the first network is the one that has the host's address,
// whatever it is called by now.
func (n *one) interfaceIndex() (int, error) {
	if n.followed == nil {
		if index, ok := indexWith(n.local); ok {
			link, err := net.InterfaceByIndex(index)
			if err != nil {
				return 0, fmt.Errorf("find interface %d: %w", index, err)
			}
			return upIndex(link)
		}
	}
	return indexOf(n.Interface)
}

// indexWith finds the interface that has an address.
func indexWith(a netip.Addr) (int, bool) {
	list, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return 0, false
	}
	for _, have := range list {
		if found, ok := netip.AddrFromSlice(have.IP); ok && found.Unmap() == a.WithZone("") {
			return have.LinkIndex, true
		}
	}
	return 0, false
}

// look compares the interface with the path that is open, and opens another if they do not fit. Sockets are opened and closed without
// f.mu, for the reason of poke.
func (f *followed) look() {
	f.looks.Lock()
	defer f.looks.Unlock()
	at, err := f.locate()
	f.mu.Lock()
	if err == nil && f.path != nil && f.at == at {
		f.mu.Unlock()
		return
	}
	old, peers := f.path, slices.Clone(f.peers)
	f.path = nil
	f.mu.Unlock()
	if old != nil {
		old.Close() // first: the new one may need its port
	}
	var path livePath
	if err == nil {
		path, err = f.open(at, peers)
	}
	f.replace(path, at, err)
}

// replace takes over a path that was opened, or why there is none.
func (f *followed) replace(path livePath, at place, why error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if why != nil {
		path, at = nil, place{}
		if f.why != nil && f.why.Error() == why.Error() {
			return
		}
		f.log.Warn("path is down, others are used", "why", why)
	} else {
		f.log.Info("path is up", "address", at.address)
		for id, p := range f.peers {
			path.setPeer(member.ID(id), p) // what was learned meanwhile
		}
	}
	f.path, f.at, f.why = path, at, why
	close(f.changed)
	f.changed = make(chan struct{})
}

// where says on which address the path is open; the error says why it is not.
func (f *followed) where() (netip.Addr, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at.address, f.why
}

// joined says which group the path is on; invalid: none.
func (f *followed) joined() netip.Addr {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.path == nil {
		return netip.Addr{}
	}
	return f.at.group
}

// setPeer says where another host is reached.
func (f *followed) setPeer(id member.ID, a netip.AddrPort) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.peers[id] == a {
		return
	}
	f.peers[id] = a
	if f.path != nil {
		f.path.setPeer(id, a)
	}
}

func (f *followed) current() (Path, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.path == nil {
		return nil, f.changed
	}
	return f.path, f.changed
}

// Broadcast sends nothing while the network is down: that is told once, not with every heartbeat.
func (f *followed) Broadcast(datagram []byte, skip member.Set, failed func(member.ID, error)) {
	if path, _ := f.current(); path != nil {
		path.Broadcast(datagram, skip, failed)
	}
}

// Send returns errDown while the network is down.
func (f *followed) Send(to member.ID, datagram []byte) error {
	path, _ := f.current()
	if path == nil {
		return errDown
	}
	return path.Send(to, datagram)
}

// Receive finds nothing while the network is down.
func (f *followed) Receive(buf []byte) (int, netip.AddrPort, error) {
	path, _ := f.current()
	if path == nil {
		return 0, netip.AddrPort{}, ErrEmpty
	}
	return path.Receive(buf)
}

// Wait goes over to the next path when one is replaced, and returns net.ErrClosed after Close.
func (f *followed) Wait() error {
	for {
		path, changed := f.current()
		if path != nil {
			if err := path.Wait(); !errors.Is(err, net.ErrClosed) {
				return err
			}
		}
		select {
		case <-changed:
		case <-f.done:
			return net.ErrClosed
		}
	}
}

// Close ends the goroutine that opens and closes paths before it closes the last one, so none is left open.
func (f *followed) Close() error {
	close(f.done)
	f.work.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.path == nil {
		return nil
	}
	return f.path.Close()
}
