package madcap

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// UDPConfig is how a client sends. The zero value lets the kernel's routes choose.
type UDPConfig struct {
	Interface string     // where multicast leaves (default: by the routes)
	Local     netip.Addr // source address, a link-local one with the name of its interface (default: any IPv4 address)
	TTL       int        // of multicast (default [DefaultTTL])
}

// OpenUDP returns what [ClientConfig] needs to talk over UDP. Its errors are those of the sockets and name what was tried.
func OpenUDP(cfg UDPConfig) OpenFunc {
	return func(context.Context) (Transport, error) {
		if !cfg.Local.IsValid() {
			cfg.Local = netip.IPv4Unspecified()
		}
		if cfg.TTL == 0 {
			cfg.TTL = DefaultTTL
		}
		conn, err := openSocket(netip.AddrPortFrom(cfg.Local, 0), func(fd int) error {
			return multicastFrom(fd, FamilyOf(cfg.Local), cfg.Interface, cfg.TTL)
		})
		if err != nil {
			return nil, err
		}
		return newUDP(conn, nil), nil
	}
}

// ListenConfig is where a server listens.
type ListenConfig struct {
	Address    netip.AddrPort // the server's own; its Addr is the Server Identifier, port 0 means [Port]
	Groups     []netip.Addr   // of the address's family; others are left out. See [Server.Groups].
	Interfaces []string       // on which the groups are joined (default: the one that the routes choose)
}

// ListenUDP opens a server's sockets: one for its address, one for each group, so that it is known how a message came.
func ListenUDP(cfg ListenConfig) (Listener, error) {
	port := cfg.Address.Port()
	if port == 0 {
		port = Port
	}
	own := cfg.Address.Addr()
	conn, err := openSocket(netip.AddrPortFrom(own, port), nil)
	if err != nil {
		return nil, err
	}
	groups := map[netip.Addr]*net.UDPConn{}
	for _, g := range cfg.Groups {
		if FamilyOf(g) != FamilyOf(own) {
			continue
		}
		groups[g], err = openSocket(netip.AddrPortFrom(g, port), func(fd int) error { return join(fd, g, cfg.Interfaces) })
		if err != nil {
			delete(groups, g)
			newUDP(conn, groups).Close()
			return nil, err
		}
	}
	return newUDP(conn, groups), nil
}

// openSocket binds a UDP socket. Package net would not bind it to a group alone.
func openSocket(at netip.AddrPort, prepare func(fd int) error) (*net.UDPConn, error) {
	domain := unix.AF_INET6
	if at.Addr().Is4() {
		domain = unix.AF_INET
	}
	fd, err := unix.Socket(domain, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open socket: %w", err)
	}
	file := os.NewFile(uintptr(fd), "madcap")
	defer file.Close() // FilePacketConn has its own copy
	if prepare != nil {
		if err := prepare(fd); err != nil {
			return nil, err
		}
	}
	sa, err := sockaddr(at)
	if err != nil {
		return nil, err
	}
	if err := unix.Bind(fd, sa); err != nil {
		return nil, fmt.Errorf("bind to %v: %w", at, err)
	}
	conn, err := net.FilePacketConn(file)
	if err != nil {
		return nil, fmt.Errorf("open socket: %w", err)
	}
	return conn.(*net.UDPConn), nil
}

// sockaddr is an address as the kernel takes it. The zone of a link-local one is the name of its interface.
func sockaddr(at netip.AddrPort) (unix.Sockaddr, error) {
	if at.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}, nil
	}
	index, err := interfaceIndex(at.Addr().Zone())
	return &unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16(), ZoneId: uint32(index)}, err
}

func interfaceIndex(name string) (int, error) {
	if name == "" {
		return 0, nil
	}
	i, err := net.InterfaceByName(name)
	if err != nil {
		return 0, fmt.Errorf("find interface %s: %w", name, err)
	}
	return i.Index, nil
}

// multicastFrom sets how multicast leaves.
func multicastFrom(fd int, f Family, name string, ttl int) error {
	index, err := interfaceIndex(name)
	if err != nil {
		return err
	}
	if f == IPv6 {
		err = errors.Join(
			unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, ttl),
			unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, index))
	} else {
		err = errors.Join(
			unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_TTL, ttl),
			unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(index)}))
	}
	if err != nil {
		return fmt.Errorf("send multicast on %q: %w", name, err)
	}
	return nil
}

// join joins a group on the interfaces, and hears it on no others.
func join(fd int, group netip.Addr, interfaces []string) error {
	if len(interfaces) == 0 {
		interfaces = []string{""}
	}
	// Several servers on one host may hear one group.
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return fmt.Errorf("share port: %w", err)
	}
	for _, name := range interfaces {
		index, err := interfaceIndex(name)
		if err != nil {
			return err
		}
		if group.Is4() {
			err = errors.Join(
				unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0),
				unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP,
					&unix.IPMreqn{Multiaddr: group.As4(), Ifindex: int32(index)}))
		} else {
			err = errors.Join(
				unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_ALL, 0),
				unix.SetsockoptIPv6Mreq(fd, unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP,
					&unix.IPv6Mreq{Multiaddr: group.As16(), Interface: uint32(index)}))
		}
		if err != nil {
			return fmt.Errorf("join %v on %q: %w", group, name, err)
		}
	}
	return nil
}

// udp is a Transport and a Listener on sockets, each read by a goroutine.
type udp struct {
	own    *net.UDPConn
	all    []*net.UDPConn
	inbox  chan Packet
	broken chan error
	closed chan struct{}
	once   sync.Once
	wait   sync.WaitGroup
}

func newUDP(own *net.UDPConn, groups map[netip.Addr]*net.UDPConn) *udp {
	u := &udp{
		own: own, all: []*net.UDPConn{own}, inbox: make(chan Packet), broken: make(chan error, 1+len(groups)),
		closed: make(chan struct{}),
	}
	u.wait.Go(func() { u.read(own, netip.Addr{}) })
	for g, conn := range groups {
		u.all = append(u.all, conn)
		u.wait.Go(func() { u.read(conn, g) })
	}
	return u
}

func (u *udp) read(conn *net.UDPConn, group netip.Addr) {
	buf := make([]byte, 1<<16)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			u.broken <- err
			return
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		select {
		case u.inbox <- Packet{slices.Clone(buf[:n]), from, group}:
		case <-u.closed:
			return
		}
	}
}

func (u *udp) Send(b []byte, to netip.AddrPort) error {
	_, err := u.own.WriteToUDPAddrPort(b, to)
	return err
}

func (u *udp) Receive() (Packet, error) {
	select {
	case p := <-u.inbox:
		return p, nil
	case err := <-u.broken:
		return Packet{}, err
	case <-u.closed:
		return Packet{}, ErrClosed
	}
}

func (u *udp) Close() error {
	var err error
	u.once.Do(func() {
		close(u.closed)
		for _, c := range u.all {
			err = errors.Join(err, c.Close())
		}
	})
	u.wait.Wait()
	return err
}
