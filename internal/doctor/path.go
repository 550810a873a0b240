package doctor

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/config"
)

const (
	pathTries = 2
	pathWait  = 700 * time.Millisecond // for the answers to one try: a line of 300 ms there and back is among the slowest
	smallEcho = 8 + 8
	fullEcho  = longest - 20 // with the header of IPv4 as long as the longest heartbeat's packet
)

// tryPaths pings the other hosts, shortly and at full length; long ones may be fragmented, as heartbeats may. Only IPv4 is tried.
func tryPaths(cfg *config.Config, self int) []Path {
	var paths []Path
	for i, h := range cfg.Hosts {
		if i != self && h.Address.Is4() {
			paths = append(paths, Path{Host: h.Name, Address: h.Address})
		}
	}
	if len(paths) == 0 {
		return nil
	}
	conn, err := rawICMP()
	if err != nil {
		return nil // not allowed to ping: nothing is known
	}
	defer conn.Close()
	id := uint16(rand.Uint32())
	for range pathTries {
		for _, p := range paths {
			for _, size := range []int{smallEcho, fullEcho} {
				// What cannot be sent is not answered.
				_, _ = conn.WriteTo(echo(id, size), &net.IPAddr{IP: p.Address.AsSlice()})
			}
		}
		gather(conn, id, paths)
	}
	return paths
}

// rawICMP opens a socket whose packets are treated as heartbeats are: this host's interface may fragment them.
func rawICMP() (*net.IPConn, error) {
	conn, err := net.ListenIP("ip4:icmp", nil)
	if err != nil {
		return nil, err
	}
	raw, err := conn.SyscallConn()
	if err == nil {
		err = errors.Join(raw.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DONT)
		}), err)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// echo is an ICMP echo request (RFC 792) of a length in bytes; its sequence number is that length.
func echo(id uint16, size int) []byte {
	b := make([]byte, size)
	b[0] = 8
	binary.BigEndian.PutUint16(b[4:], id)
	binary.BigEndian.PutUint16(b[6:], uint16(size))
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	sum = sum>>16 + sum&0xffff
	binary.BigEndian.PutUint16(b[2:], ^uint16(sum+sum>>16))
	return b
}

// gather takes answers in until every host has given both, or the time is over.
func gather(conn *net.IPConn, id uint16, paths []Path) {
	buffer := make([]byte, longest)
	if err := conn.SetReadDeadline(time.Now().Add(pathWait)); err != nil {
		return
	}
	for range maxFrames {
		n, from, err := conn.ReadFrom(buffer)
		if errors.Is(err, os.ErrDeadlineExceeded) || err != nil {
			return
		}
		addr, ok := from.(*net.IPAddr)
		if !ok {
			continue
		}
		a, _ := netip.AddrFromSlice(addr.IP)
		if size, ok := answer(buffer[:n], id); ok && credit(paths, a.Unmap(), size) {
			return
		}
	}
}

// answer reads the length of the echo that a packet answers.
func answer(b []byte, id uint16) (size int, ok bool) {
	if len(b) < smallEcho || b[0] != 0 || binary.BigEndian.Uint16(b[4:]) != id {
		return 0, false
	}
	size = int(binary.BigEndian.Uint16(b[6:]))
	return size, size == len(b) && (size == smallEcho || size == fullEcho)
}

// credit notes an answer and reports whether none is missing any more.
func credit(paths []Path, from netip.Addr, size int) (complete bool) {
	complete = true
	for i := range paths {
		p := &paths[i]
		if p.Address == from {
			p.Small = true
			p.Full = p.Full || size == fullEcho
		}
		complete = complete && p.Full
	}
	return complete
}
