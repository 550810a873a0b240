package ping

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// ErrNotAllowed says that this process may open neither a ping socket nor a raw one.
var ErrNotAllowed = errors.New("not allowed to ping: give the agent CAP_NET_RAW, or its group a place in net.ipv4.ping_group_range")

const (
	// MaxAddresses bounds one call: 32 hosts with an address on each of 8 networks.
	MaxAddresses = 256
	// repeats is how often an address is asked: with every fourth packet lost, one of 250 live addresses is silent.
	repeats = 4
	// maxPacket holds an IPv4 header with all options and our echo; what is longer is cut and not ours.
	maxPacket = 128
)

// Ask pings each address four times within d, by ICMP echo (RFC 792), and reports which have answered, in the order of addrs. It returns early when
// enough(answered) says so or the context ends, with what is known by then. An error means that nothing could be asked: ErrNotAllowed, more than
// MaxAddresses, or no socket.
func Ask(ctx context.Context, addrs []netip.Addr, d time.Duration, enough func(answered []bool) bool) ([]bool, error) {
	answered := make([]bool, len(addrs))
	if len(addrs) == 0 {
		return answered, nil
	}
	if len(addrs) > MaxAddresses {
		return answered, fmt.Errorf("ping %d addresses: at most %d", len(addrs), MaxAddresses)
	}
	conn, raw, err := open()
	if err != nil {
		return answered, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Now()) })
	defer stop()
	q := question{conn: conn, raw: raw, addrs: addrs, answered: answered}
	if _, err := rand.Read(q.token[:]); err != nil {
		return answered, fmt.Errorf("make token: %w", err)
	}
	start := time.Now()
	for i := range repeats {
		q.send(uint16(i))
		// The last answer has as long as all the questions took.
		if q.listen(ctx, start.Add(d*time.Duration(i+1)/(2*repeats)), enough) {
			return answered, nil
		}
	}
	q.listen(ctx, start.Add(d), enough)
	return answered, nil
}

// question is one call of Ask.
type question struct {
	conn     net.PacketConn
	raw      bool
	addrs    []netip.Addr
	token    [tokenSize]byte
	answered []bool
}

func (q *question) send(seq uint16) {
	packet := request(seq, q.token)
	for i, a := range q.addrs {
		if !q.answered[i] {
			_, _ = q.conn.WriteTo(packet, q.to(a)) // an address without a route is a silent one
		}
	}
}

func (q *question) to(a netip.Addr) net.Addr {
	if q.raw {
		return &net.IPAddr{IP: a.AsSlice()}
	}
	return &net.UDPAddr{IP: a.AsSlice()}
}

// listen takes answers until a time; true: enough of them.
func (q *question) listen(ctx context.Context, until time.Time, enough func([]bool) bool) bool {
	if err := q.conn.SetReadDeadline(until); err != nil {
		return true
	}
	buffer := make([]byte, maxPacket)
	for ctx.Err() == nil {
		n, from, err := q.conn.ReadFrom(buffer)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return ctx.Err() != nil
		}
		if errors.Is(err, net.ErrClosed) {
			return true
		}
		if err != nil || !isAnswer(buffer[:n], q.token) {
			continue // an ICMP error about one of the addresses, or somebody else's answer
		}
		for i, a := range q.addrs {
			q.answered[i] = q.answered[i] || a == addressOf(from)
		}
		if enough(q.answered) {
			return true
		}
	}
	return true
}

func addressOf(a net.Addr) netip.Addr {
	var ip net.IP
	switch a := a.(type) {
	case *net.IPAddr:
		ip = a.IP
	case *net.UDPAddr:
		ip = a.IP
	}
	addr, _ := netip.AddrFromSlice(ip)
	return addr.Unmap()
}

// open makes a ping socket, or a raw one where the kernel does not give it.
func open() (conn net.PacketConn, raw bool, err error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_ICMP)
	if err == nil {
		file := os.NewFile(uintptr(fd), "ping")
		defer file.Close()
		conn, err = net.FilePacketConn(file)
		if err != nil {
			return nil, false, fmt.Errorf("open ping socket: %w", err)
		}
		return conn, false, nil
	}
	conn, err = net.ListenPacket("ip4:icmp", "0.0.0.0")
	if errors.Is(err, os.ErrPermission) {
		return nil, false, ErrNotAllowed
	}
	if err != nil {
		return nil, false, fmt.Errorf("open raw socket: %w", err)
	}
	return conn, true, nil
}
