package filter

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The tests of odd packets use the kernels' own sockets: a farm of hosts, a client, and what a network does to packets on their way.

// ways are those in which frames reach the hosts: to the director alone, or to all by a cluster address.
func ways(t *testing.T, f func(t *testing.T, all bool)) {
	t.Run("directed", func(t *testing.T) { f(t, false) })
	t.Run("seen by all", func(t *testing.T) { f(t, true) })
}

// oddFarm is a farm whose client has learnt the way, with buckets shared in turn.
func oddFarm(t *testing.T, hosts int, all bool) *farm {
	t.Helper()
	f := newFarm(t, farmOptions{hosts: hosts, shared: all})
	f.own(shared(hosts, 0))
	if all {
		f.fixVIP(multiMAC)
	}
	return f
}

// way is the MAC that frames for the VIP go to.
func (f *farm) way(all bool) net.HardwareAddr {
	if all {
		return multiMAC
	}
	return f.hosts[0].mac
}

// counted adds up a reason over the hosts.
func (f *farm) counted(r Reason) (sum uint64) {
	for i := range f.hosts {
		sum += f.counters(i).Of(r)
	}
	return sum
}

// serveDatagrams answers each datagram with the host's name, the length and a sum of what came.
func (f *farm) serveDatagrams() {
	f.t.Helper()
	for _, h := range f.hosts {
		var c *net.UDPConn
		h.do(func() (err error) {
			c, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(testVIP, spreadPort)))
			return err
		})
		f.t.Cleanup(func() { c.Close() })
		go func() {
			b := make([]byte, 65536)
			for {
				n, from, err := c.ReadFromUDPAddrPort(b)
				if err != nil {
					return
				}
				_, _ = c.WriteToUDPAddrPort([]byte(receipt(h.name, b[:n])), from)
			}
		}()
	}
}

func receipt(host string, b []byte) string {
	return fmt.Sprintf("%s %d %08x", host, len(b), crc32.ChecksumIEEE(b))
}

// datagrams is a client's socket for the VIP.
func (f *farm) datagrams() *net.UDPConn {
	f.t.Helper()
	var c *net.UDPConn
	f.client.do(func() (err error) {
		c, err = net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(testVIP, spreadPort)))
		return err
	})
	f.t.Cleanup(func() { c.Close() })
	return c
}

// received waits for the receipt for what was sent, and says who wrote it.
func received(c *net.UDPConn, sent []byte) (host string, err error) {
	if err := c.SetReadDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return "", err
	}
	b := make([]byte, 128)
	n, err := c.Read(b)
	if err != nil {
		return "", err
	}
	host, _, _ = strings.Cut(string(b[:n]), " ")
	if want := receipt(host, sent); string(b[:n]) != want {
		return host, fmt.Errorf("receipt %q, want %q", b[:n], want)
	}
	return host, nil
}

func portOf(c net.Conn) uint16 {
	a, _ := netip.ParseAddrPort(c.LocalAddr().String())
	return a.Port()
}

// dialFrom connects from a certain port, as soon as the client's kernel has let go of it.
func (f *farm) dialFrom(port uint16, timeout time.Duration) (*net.TCPConn, error) {
	f.t.Helper()
	reuse := func(_, _ string, raw syscall.RawConn) (err error) {
		if e := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) }); e != nil {
			return e
		}
		return err
	}
	var c net.Conn
	err := f.client.try(func() (err error) {
		d := net.Dialer{Timeout: timeout, Control: reuse, LocalAddr: &net.TCPAddr{IP: f.client.address.AsSlice(), Port: int(port)}}
		c, err = d.Dial("tcp4", netip.AddrPortFrom(testVIP, testPort).String())
		return err
	})
	if err != nil {
		return nil, err
	}
	f.t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn), nil
}

// within polls until there is no problem any more.
func within(t testing.TB, limit time.Duration, what string, problem func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if err = problem(); err == nil {
			return
		}
	}
	t.Errorf("%s: not within %v: %v", what, limit, err)
}

// statistic reads a counter of the kernel's /proc/net/netstat or snmp in a node.
func (n *node) statistic(group, name string) (value uint64) {
	n.t.Helper()
	n.do(func() error {
		for _, file := range []string{"netstat", "snmp"} {
			b, err := readProcNet(file)
			if err != nil {
				return err
			}
			if v, err := netstatCounter(b, group+":", name); err == nil {
				value = v
				return nil
			}
		}
		return fmt.Errorf("no counter %s %s", group, name)
	})
	return value
}

// listen opens a socket for all frames that a node gets with a type, and returns how to read them.
func (n *node) listen(etherType uint16) (next func(limit time.Duration) ([]byte, bool)) {
	n.t.Helper()
	fd := -1
	n.do(func() (err error) {
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, int(htons(etherType))); err != nil {
			return err
		}
		return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: htons(etherType), Ifindex: n.ifindex})
	})
	n.t.Cleanup(func() { unix.Close(fd) })
	b := make([]byte, 65536)
	return func(limit time.Duration) ([]byte, bool) {
		tv := unix.NsecToTimeval(max(limit, time.Millisecond).Nanoseconds())
		if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
			n.t.Fatal(err)
		}
		size, _, err := unix.Recvfrom(fd, b, 0)
		return b[:max(size, 0)], err == nil
	}
}

// gather reads frames that match until there are n, and then until it is quiet.
func gather(next func(time.Duration) ([]byte, bool), n int, match func([]byte) bool) (all [][]byte) {
	const patience, after = 3 * time.Second, 200 * time.Millisecond
	end := time.Now().Add(patience)
	for {
		left := time.Until(end)
		if left <= 0 {
			return all
		}
		b, ok := next(left)
		if !ok || !match(b) {
			continue
		}
		all = append(all, slices.Clone(b))
		if len(all) >= n {
			end = time.Now().Add(after)
		}
	}
}

// fragments cuts a packet's datagram behind the given lengths, multiples of 8, and returns the frames.
func fragments(p packet, cuts ...int) (frames [][]byte) {
	segment := p.segment()
	from := 0
	for _, to := range append(cuts, len(segment)) {
		piece := p
		piece.protocol, piece.payload = 250, segment[from:to] // one that the builder takes as it is
		piece.fragment = uint16(from / 8)
		if to < len(segment) {
			piece.fragment |= 0x2000
		}
		b := piece.frame()
		b[offIP+9] = p.protocol
		header := b[offIP : offIP+20+len(p.options)]
		header[10], header[11] = 0, 0
		binary.BigEndian.PutUint16(header[10:], checksum(header))
		frames = append(frames, b)
		from = to
	}
	return frames
}
