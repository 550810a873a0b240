package filter

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
)

// The tests of odd packets once more, by IPv6: what fragments and complains there are others.

// odd6 is a farm whose buckets are shared in turn.
func odd6(t *testing.T, hosts int, all bool) *farm {
	t.Helper()
	f := newFarm6(t, hosts, all)
	f.own6(shared(hosts, 0))
	return f
}

// serveDatagrams6 is serveDatagrams at the IPv6 address.
func (f *farm) serveDatagrams6() {
	f.t.Helper()
	for _, h := range f.hosts {
		var c *net.UDPConn
		h.do(func() (err error) {
			c, err = net.ListenUDP("udp6", net.UDPAddrFromAddrPort(netip.AddrPortFrom(vip6, spreadPort)))
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

func (f *farm) datagrams6() *net.UDPConn {
	f.t.Helper()
	var c *net.UDPConn
	f.client.do(func() (err error) {
		c, err = net.DialUDP("udp6", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(vip6, spreadPort)))
		return err
	})
	f.t.Cleanup(func() { c.Close() })
	return c
}

// TestIPv6FragmentsReachTheirHost: cut by the client's kernel and in its order, and then by hand, in every order and behind an extension header.
func TestIPv6FragmentsReachTheirHost(t *testing.T) {
	orders := [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}
	ways(t, func(t *testing.T, all bool) {
		f := odd6(t, 2, all)
		f.serveDatagrams6()
		split := map[string]int{}
		take := func(c *net.UDPConn, sent []byte, what any) {
			host, err := received(c, sent)
			if err != nil {
				t.Errorf("%v: %v", what, err)
			}
			split[host]++
		}
		for range 12 {
			c, sent := f.datagrams6(), randomBytes(largeDatagram)
			if _, err := c.Write(sent); err != nil {
				t.Fatal(err)
			}
			take(c, sent, "as the kernel cuts it")
		}
		if n := f.counted(AcceptShared) + f.counted(AcceptFragment); n > 0 {
			t.Errorf("%d fragments were taken for ones without a first: nothing was kept of that", n)
		}
		for i, order := range orders {
			c, sent := f.datagrams6(), randomBytes(largeDatagram)
			frames := fragments6(fromClient6(udp, with(pad(destination, 8)), func(p *packet) {
				p.from, p.to, p.id = f.client.mac, f.way(all), uint16(1000+i)
				p.sport, p.dport, p.payload = portOf(c), spreadPort, sent
			}), 1400, 2800)
			f.client.send(frames[order[0]], frames[order[1]], frames[order[2]])
			take(c, sent, order)
		}
		if len(split) != 2 {
			t.Errorf("split %v: want both hosts", split)
		}
	})
}

// fragments6 cuts a UDP datagram behind the given lengths, multiples of 8, and returns the frames.
func fragments6(p packet, cuts ...int) (frames [][]byte) {
	segment := p.segment()
	binary.BigEndian.PutUint16(segment[6:], p.transportChecksum(segment)) // by IPv6 there is no doing without
	from := 0
	for _, to := range append(cuts, len(segment)) {
		piece := p
		piece.protocol, piece.payload = 250, segment[from:to] // one that the builder takes as it is
		piece.fragment = uint16(from / 8)
		if to < len(segment) {
			piece.fragment |= 0x2000
		}
		b := piece.frame()
		b[offTCP6+8] = p.protocol // in the fragment header, behind eight bytes of options
		frames = append(frames, b)
		from = to
	}
	return frames
}

// narrow6 is the least MTU that IPv6 has.
const narrow6 = 1280

var (
	farPrefix6  = netip.MustParsePrefix("fd00:8::/64")
	farClient6  = netip.MustParsePrefix("fd00:8::2/64")
	farRouter6  = netip.MustParsePrefix("fd00:8::1/64")
	nearRouter6 = netip.MustParseAddr("fd00:9::254")
)

// beyond6 is beyond by IPv6.
func (f *farm) beyond6() (router, client *node) {
	f.t.Helper()
	router, client = newNode(f.t, "router"), newNode(f.t, "far")
	router.plug(f.bridge, nearRouter)
	router.add6(nearRouter6)
	router.do(func() error {
		a := netlink.NewLinkAttrs()
		a.Name, a.MTU = "eth1", narrow6
		v := &netlink.Veth{LinkAttrs: a, PeerName: "eth0", PeerNamespace: netlink.NsFd(client.ns), PeerMTU: 1500}
		if err := netlink.LinkAdd(v); err != nil {
			return fmt.Errorf("add line: %w", err)
		}
		if err := sysctl("ipv6/conf/all/forwarding", "1"); err != nil {
			return err
		}
		return up("eth1")
	})
	client.do(func() error { return up("eth0") })
	for n, line := range map[*node]struct {
		name string
		a    netip.Prefix
	}{router: {"eth1", farRouter6}, client: {"eth0", farClient6}} {
		n.do(func() error { return address(line.name, line.a) })
	}
	client.settled("eth0")
	router.settled("eth1")
	client.do(func() error { return route(netip.MustParsePrefix("::/0"), farRouter6.Addr()) })
	for _, h := range f.hosts {
		h.do(func() error { return route(farPrefix6, nearRouter6) })
	}
	return router, client
}

// TestPathMTUThroughAnIPv6VIP: no router cuts IPv6 packets, so a download hangs at once unless "packet too big" reaches the host that sends it.
func TestPathMTUThroughAnIPv6VIP(t *testing.T) {
	const size, tries = 1 << 18, 14
	ways(t, func(t *testing.T, all bool) {
		f := odd6(t, 2, all)
		for _, h := range f.hosts {
			h.listen6(testPort+1, func(c net.Conn, name string) {
				defer c.Close()
				_, _ = io.WriteString(c, name+"\n")
				_, _ = c.Write(make([]byte, size))
			})
		}
		router, client := f.beyond6()
		if all {
			router.fix6(vip6, multiMAC)
		}
		split := map[string]int{}
		for range tries {
			host, n, err := download6(client)
			if err != nil || n != size {
				t.Errorf("from %s: %d of %d bytes: %v", host, n, size, err)
			}
			split[host]++
			if t.Failed() {
				break // each would take seconds
			}
		}
		if split["h0"] == 0 || split["h1"] == 0 {
			t.Errorf("split %v: want both hosts", split)
		}
		for i, h := range f.hosts {
			if n := h.tooBig(); n == 0 {
				t.Errorf("h%d was never told that a packet is too big: the line was not narrow", i)
			}
		}
	})
}

// tooBig is how often the node's kernel was told so.
func (n *node) tooBig() (count uint64) {
	n.t.Helper()
	n.do(func() error {
		text, err := readProcNet("snmp6")
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			if number, is := strings.CutPrefix(line, "Icmp6InPktTooBigs"); is {
				count, err = strconv.ParseUint(strings.TrimSpace(number), 10, 64)
			}
		}
		return err
	})
	return count
}

// download6 reads a blob from the IPv6 VIP.
func download6(client *node) (host string, n int, err error) {
	var c net.Conn
	err = client.try(func() (err error) {
		c, err = net.DialTimeout("tcp6", netip.AddrPortFrom(vip6, testPort+1).String(), 3*time.Second)
		return err
	})
	if err != nil {
		return "", 0, err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", 0, err
	}
	if _, err := fmt.Fscanln(c, &host); err != nil {
		return "", 0, err
	}
	all, err := io.Copy(io.Discard, c)
	return host, int(all), err
}

// TestIPv6EchoIsAnsweredOnce counts the answers to each ping: small ones, and such that come in fragments.
func TestIPv6EchoIsAnsweredOnce(t *testing.T) {
	const questions = 20
	for _, c := range []struct {
		name   string
		all    bool
		size   int
		change func(f *farm)
	}{
		{"directed", false, 56, func(*farm) {}},
		{"seen by all", true, 56, func(*farm) {}},
		{"in fragments", false, largeDatagram, func(*farm) {}},
		{"in fragments seen by all", true, largeDatagram, func(*farm) {}},
		{"the neighbour knows the director before", false, 56, func(f *farm) {
			f.client.fix6(vip6, f.hosts[0].mac)
			f.direct(1)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := odd6(t, 3, c.all)
			c.change(f)
			answers := f.ask6(questions, c.size)
			for n := range uint16(questions) {
				if answers[n] != 1 {
					t.Errorf("question %d was answered %d times", n, answers[n])
				}
			}
		})
	}
}

// ask6 pings the IPv6 VIP from an ordinary socket and counts the answers to each question, also for a while after the last.
func (f *farm) ask6(n, size int) map[uint16]int {
	f.t.Helper()
	const reply, after = 129, 200 * time.Millisecond
	var c *net.IPConn
	f.client.do(func() (err error) {
		c, err = net.DialIP("ip6:ipv6-icmp", nil, &net.IPAddr{IP: vip6.AsSlice()})
		return err
	})
	defer c.Close()
	for i := range n {
		b := make([]byte, 8+size)
		b[0] = 128
		binary.BigEndian.PutUint16(b[4:], 0x4d55)
		binary.BigEndian.PutUint16(b[6:], uint16(i))
		if _, err := c.Write(b); err != nil { // the kernel sums up what a socket for ICMPv6 sends
			f.t.Fatal(err)
		}
	}
	answers, b, end := map[uint16]int{}, make([]byte, 65536), time.Now().Add(3*time.Second)
	for {
		if err := c.SetReadDeadline(end); err != nil {
			f.t.Fatal(err)
		}
		size, err := c.Read(b)
		if err != nil {
			return answers
		}
		if size >= 8 && b[0] == reply && binary.BigEndian.Uint16(b[4:]) == 0x4d55 {
			answers[binary.BigEndian.Uint16(b[6:])]++
		}
		if len(answers) == n && time.Until(end) > after {
			end = time.Now().Add(after)
		}
	}
}
