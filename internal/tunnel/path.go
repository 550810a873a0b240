package tunnel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// answerTime is how long a router that finds a packet too large has to say so. It is not counted as lost time: nobody waits for it.
const answerTime = 100 * time.Millisecond

// PathMTU asks how large a packet the way between two hosts takes, in bytes with its IP header. It sends one packet as large as the kernel
// thinks possible, which must not be cut, to the tunnel's port of the other host; a router with a narrower link answers (RFC 1191,
// RFC 8201), and the kernel remembers. The packet's VXLAN header is not valid, so the other host throws it away.
func PathMTU(ctx context.Context, from, to netip.Addr, port uint16) (int, error) {
	conn, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0)), net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, port)))
	if err != nil {
		return 0, fmt.Errorf("ask the way to %v: %w", to, err)
	}
	defer conn.Close()
	o := optionsOf(to)
	if err := control(conn, func(fd int) error { return unix.SetsockoptInt(fd, o.level, o.discover, o.do) }); err != nil {
		return 0, fmt.Errorf("ask the way to %v: %w", to, err)
	}
	known, err := o.mtu(conn)
	if err != nil {
		return 0, fmt.Errorf("ask the way to %v: %w", to, err)
	}
	_, err = conn.Write(make([]byte, known-o.headers))
	// Refused: an answer to an earlier packet, from a host without its tunnel. Too long: somebody else has just found out.
	if err != nil && !errors.Is(err, unix.ECONNREFUSED) && !errors.Is(err, unix.EMSGSIZE) {
		return 0, fmt.Errorf("ask the way to %v: %w", to, err)
	}
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(answerTime):
	}
	if known, err = o.mtu(conn); err != nil {
		return 0, fmt.Errorf("ask the way to %v: %w", to, err)
	}
	return known, nil
}

// options are the socket options of an address family.
type options struct{ level, discover, do, get, headers int }

func optionsOf(a netip.Addr) options {
	if a.Is6() {
		return options{unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_DO, unix.IPV6_MTU, ip6Header + udpHeader}
	}
	return options{unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DO, unix.IP_MTU, ip4Header + udpHeader}
}

// mtu is what the kernel knows of the way. On loopback it is more than any datagram.
func (o options) mtu(conn *net.UDPConn) (n int, err error) {
	err = control(conn, func(fd int) (err error) {
		n, err = unix.GetsockoptInt(fd, o.level, o.get)
		return os.NewSyscallError("getsockopt", err)
	})
	return min(max(n, o.headers), maxPacket), err
}

// maxPacket is the largest IPv4 packet.
const maxPacket = 65535

func control(conn *net.UDPConn, f func(fd int) error) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = f(int(fd)) }); err != nil {
		return err
	}
	return inner
}
