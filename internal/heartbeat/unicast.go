package heartbeat

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"syscall"

	"github.com/muster-ha/muster/internal/member"
	"golang.org/x/sys/unix"
)

const (
	receiveBuffer = 1 << 20 // bytes: about what 32 hosts say in a second
	priority      = 6       // of the queues in this host: internetwork control
	classCS6      = 48 << 2 // the same, for the network, as the byte in the IP header
)

// unicast is a Path that sends a datagram to each host's address.
type unicast struct {
	conn *net.UDPConn
	raw  syscall.RawConn
	six  bool   // its family is IPv6
	zone uint32 // index of the interface on which link-local addresses are

	// One call's arguments and results, and the function that makes it: a closure for each call would be garbage.
	tx struct {
		sync.Mutex
		peers    []syscall.Sockaddr // by host; nil for ourselves and for hosts whose address is not known
		call     func(fd uintptr)
		datagram []byte
		to       syscall.Sockaddr
		err      error
	}
	rx struct {
		sync.Mutex
		call func(fd uintptr)
		buf  []byte
		n    int
		from syscall.Sockaddr
		err  error
	}
}

// newUnicast opens a socket on a local address and, if a device is named, on that interface alone. peers are the hosts' addresses by
// index; that of self is not used, and an invalid one is not known yet.
func newUnicast(self member.ID, local netip.AddrPort, device string, peers []netip.AddrPort) (*unicast, error) {
	listen := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		return errors.Join(tune(raw, local.Addr().Is4()), bind(raw, device))
	}}
	family := "udp4"
	if local.Addr().Is6() {
		family = "udp6" // and nothing else, or no other socket could have the port for IPv4
	}
	pc, err := listen.ListenPacket(context.Background(), family, local.String())
	if errors.Is(err, unix.EADDRNOTAVAIL) {
		return nil, fmt.Errorf("listen on %s: %w (give this machine the address, or start its agent with the right --host)", local, err)
	}
	if errors.Is(err, unix.EADDRINUSE) {
		return nil, fmt.Errorf("listen on %s: %w (another agent runs on this address: stop it first)", local, err)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", local, err)
	}
	u := &unicast{conn: pc.(*net.UDPConn), six: local.Addr().Is6()}
	u.zone = zoneIndex(local.Addr())
	u.tx.peers = make([]syscall.Sockaddr, len(peers))
	if u.raw, err = u.conn.SyscallConn(); err != nil {
		return nil, errors.Join(fmt.Errorf("use socket: %w", err), u.conn.Close())
	}
	for i, p := range peers {
		if i != int(self) {
			u.setPeer(member.ID(i), p)
		}
	}
	u.tx.call, u.rx.call = u.transmit, u.receive
	return u, nil
}

// bind keeps a socket on one interface, whatever the routes say: a network whose cable is out must not be taken for sound because
// another one leads to the same addresses.
func bind(raw syscall.RawConn, device string) error {
	if device == "" {
		return nil
	}
	var failed error
	err := raw.Control(func(fd uintptr) { failed = unix.BindToDevice(int(fd), device) })
	return errors.Join(err, failed)
}

// tune puts heartbeats in front of everything else, and lets them be fragmented where a network is narrow: late is better
// than never.
func tune(raw syscall.RawConn, v4 bool) error {
	var failed error
	err := raw.Control(func(fd uintptr) {
		s := int(fd)
		if unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
			// Without the privilege the system's limit holds.
			failed = unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
		}
		class := unix.SetsockoptInt(s, unix.IPPROTO_IPV6, unix.IPV6_TCLASS, classCS6)
		narrow := unix.SetsockoptInt(s, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_DONT)
		if v4 {
			class = unix.SetsockoptInt(s, unix.IPPROTO_IP, unix.IP_TOS, classCS6)
			narrow = unix.SetsockoptInt(s, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DONT)
		}
		// The class sets a priority of its own, so ours comes after it.
		prio := unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_PRIORITY, priority)
		failed = errors.Join(failed, class, narrow, prio)
	})
	return errors.Join(err, failed)
}

// zoneIndex is the index of the interface in an address as place.zoned makes it; 0: none.
func zoneIndex(a netip.Addr) uint32 {
	index, _ := strconv.ParseUint(a.Zone(), 10, 32) // no zone is no number
	return uint32(index)
}

// sockaddr is the address as the kernel takes it; zone is the index of the interface for addresses that need one.
func sockaddr(a netip.AddrPort, zone uint32) syscall.Sockaddr {
	addr := a.Addr().Unmap()
	if addr.Is4() {
		return &syscall.SockaddrInet4{Addr: addr.As4(), Port: int(a.Port())}
	}
	if !addr.IsLinkLocalUnicast() && !addr.IsMulticast() {
		zone = 0
	}
	return &syscall.SockaddrInet6{Addr: addr.As16(), Port: int(a.Port()), ZoneId: zone}
}

func addrPort(sa syscall.Sockaddr) netip.AddrPort {
	switch a := sa.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *syscall.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port))
	}
	return netip.AddrPort{}
}

// setPeer says where another host is reached. An address of the other family is none for this socket: one of the two hosts will go over.
func (u *unicast) setPeer(id member.ID, a netip.AddrPort) {
	u.tx.Lock()
	defer u.tx.Unlock()
	u.tx.peers[id] = nil
	if a.IsValid() && a.Addr().Unmap().Is6() == u.six {
		u.tx.peers[id] = sockaddr(a, u.zone)
	}
}

func (u *unicast) knows(id int) bool {
	u.tx.Lock()
	defer u.tx.Unlock()
	return u.tx.peers[id] != nil
}

// Broadcast passes over hosts whose address is not known.
func (u *unicast) Broadcast(datagram []byte, skip member.Set, failed func(member.ID, error)) {
	for id := range u.tx.peers { // their number never changes
		if skip.Has(member.ID(id)) || !u.knows(id) {
			continue
		}
		if err := u.Send(member.ID(id), datagram); err != nil {
			failed(member.ID(id), err)
		}
	}
}

// Send goes past the runtime's poller, which would wait for room in the socket: what cannot leave now is not worth sending. A full socket is
// an error like one that there is no route.
func (u *unicast) Send(to member.ID, datagram []byte) error {
	u.tx.Lock()
	defer u.tx.Unlock()
	if int(to) >= len(u.tx.peers) || u.tx.peers[to] == nil {
		return fmt.Errorf("send datagram: host %d has no address", to)
	}
	u.tx.datagram, u.tx.to, u.tx.err = datagram, u.tx.peers[to], nil
	if err := errors.Join(u.raw.Control(u.tx.call), u.tx.err); err != nil {
		return fmt.Errorf("send datagram to %s: %w", addrPort(u.tx.to), err)
	}
	return nil
}

func (u *unicast) transmit(fd uintptr) {
	for {
		u.tx.err = syscall.Sendto(int(fd), u.tx.datagram, syscall.MSG_DONTWAIT, u.tx.to)
		if !errors.Is(u.tx.err, unix.EINTR) {
			return
		}
	}
}

// Receive takes what waits, and returns ErrEmpty rather than wait. A datagram longer than buf is cut.
func (u *unicast) Receive(buf []byte) (n int, from netip.AddrPort, err error) {
	u.rx.Lock()
	defer u.rx.Unlock()
	u.rx.buf = buf
	if err := u.raw.Control(u.rx.call); err != nil {
		return 0, netip.AddrPort{}, err
	}
	if errors.Is(u.rx.err, unix.EAGAIN) {
		return 0, netip.AddrPort{}, ErrEmpty
	}
	if u.rx.err != nil {
		return 0, netip.AddrPort{}, fmt.Errorf("receive datagram: %w", u.rx.err)
	}
	return u.rx.n, addrPort(u.rx.from), nil
}

func (u *unicast) receive(fd uintptr) {
	for {
		// Not unix.Recvfrom, which asks the kernel for the socket's protocol each time.
		u.rx.n, u.rx.from, u.rx.err = syscall.Recvfrom(int(fd), u.rx.buf, syscall.MSG_DONTWAIT)
		if !errors.Is(u.rx.err, unix.EINTR) {
			return
		}
	}
}

// Wait looks without taking, so that what waits is read by whoever calls Receive. Having waited it does not look again: that
// something arrived is all there is to say. After Close it returns net.ErrClosed; any other error is the socket's, and calling again may help.
func (u *unicast) Wait() error {
	var b [1]byte
	var err error
	waited := false
	readErr := u.raw.Read(func(fd uintptr) bool {
		if waited {
			return true
		}
		waited = true
		_, _, err = syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		return !errors.Is(err, unix.EAGAIN)
	})
	if readErr != nil {
		return net.ErrClosed
	}
	if err != nil && !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.EAGAIN) {
		return fmt.Errorf("wait for datagram: %w", err)
	}
	return nil
}

func (u *unicast) Close() error { return u.conn.Close() }
