package filter

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
)

func readProcNet(file string) ([]byte, error) { return os.ReadFile("/proc/thread-self/net/" + file) }

// Where a client beyond a router is, and how narrow its last line is. Its own card knows nothing of that.
var (
	farPrefix  = netip.MustParsePrefix("10.8.0.0/24")
	farClient  = netip.MustParsePrefix("10.8.0.2/24")
	farRouter  = netip.MustParsePrefix("10.8.0.1/24")
	nearRouter = "10.9.0.254/24"
)

const narrow = 1000 // MTU

// beyond adds a router to the farm's network and a client behind it, whose line from the router is narrow.
func (f *farm) beyond() (router, client *node) {
	f.t.Helper()
	router, client = newNode(f.t, "router"), newNode(f.t, "far")
	router.plug(f.bridge, nearRouter)
	router.do(func() error {
		a := netlink.NewLinkAttrs()
		a.Name, a.MTU = "eth1", narrow
		v := &netlink.Veth{LinkAttrs: a, PeerName: "eth0", PeerNamespace: netlink.NsFd(client.ns), PeerMTU: 1500}
		if err := netlink.LinkAdd(v); err != nil {
			return fmt.Errorf("add line: %w", err)
		}
		if err := sysctl("ipv4/ip_forward", "1"); err != nil {
			return err
		}
		return address("eth1", farRouter)
	})
	client.do(func() error {
		if err := address("eth0", farClient); err != nil {
			return err
		}
		return route(netip.MustParsePrefix("0.0.0.0/0"), farRouter.Addr())
	})
	for _, h := range f.hosts {
		h.do(func() error { return route(farPrefix, router.address) })
	}
	return router, client
}

func address(link string, a netip.Prefix) error {
	l, err := netlink.LinkByName(link)
	if err != nil {
		return err
	}
	if err := netlink.AddrAdd(l, &netlink.Addr{IPNet: ipNet(a)}); err != nil {
		return err
	}
	return netlink.LinkSetUp(l)
}

func route(to netip.Prefix, via netip.Addr) error {
	return netlink.RouteAdd(&netlink.Route{Dst: ipNet(to), Gw: via.AsSlice()})
}

// serveBlobs sends so many bytes, behind the host's name in a line, to whoever connects to the second port.
func (f *farm) serveBlobs(size int) {
	f.t.Helper()
	for _, h := range f.hosts {
		var l net.Listener
		h.do(func() (err error) {
			l, err = net.Listen("tcp4", netip.AddrPortFrom(testVIP, testPort+1).String())
			return err
		})
		f.t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					_, _ = io.WriteString(c, h.name+"\n")
					_, _ = c.Write(make([]byte, size))
				}()
			}
		}()
	}
}

// TestPathMTUThroughTheVIP: a download to a client whose last line is narrow. The router asks the sender for smaller segments, at the VIP: the
// message reaches the director, and it means the host that has the connection. Without decide_icmp's look at what is quoted every
// download from a host that is not the director hangs after its first small segments.
func TestPathMTUThroughTheVIP(t *testing.T) {
	const size, tries = 1 << 20, 24
	ways(t, func(t *testing.T, all bool) {
		f := oddFarm(t, 2, all)
		f.serveBlobs(size)
		router, client := f.beyond()
		if all {
			router.do(func() error {
				return netlink.NeighSet(&netlink.Neigh{LinkIndex: router.ifindex, IP: testVIP.AsSlice(), HardwareAddr: multiMAC, State: netlink.NUD_PERMANENT})
			})
		}
		split := map[string]int{}
		for range tries {
			host, n, err := download(client)
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
		if n := router.statistic("Icmp", "OutDestUnreachs"); n < 2 {
			t.Errorf("the router has complained %d times: the line was not narrow", n)
		}
	})
}

// download reads a blob from the VIP.
func download(client *node) (host string, n int, err error) {
	var c net.Conn
	err = client.try(func() (err error) {
		c, err = net.DialTimeout("tcp4", netip.AddrPortFrom(testVIP, testPort+1).String(), 3*time.Second)
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

// TestEchoIsAnsweredOnce counts the answers to each ping, and to the other question that kernels answer, the time. Without decide_query
// every host that sees a question answers it, a director that has lost its lease beside its successor too; or nobody does
// while a neighbour has not heard of a new director.
func TestEchoIsAnsweredOnce(t *testing.T) {
	const echo, stamp = 8, 13
	for _, c := range []struct {
		name   string
		all    bool
		kind   byte
		size   int
		change func(f *farm)
	}{
		{"directed", false, echo, 56, func(*farm) {}},
		{"seen by all", true, echo, 56, func(*farm) {}},
		{"in fragments", false, echo, largeDatagram, func(*farm) {}},
		{"in fragments seen by all", true, echo, largeDatagram, func(*farm) {}},
		{"time", false, stamp, 12, func(*farm) {}},
		{"time, seen by all", true, stamp, 12, func(*farm) {}},
		{"the neighbour knows the director before", false, echo, 56, func(f *farm) {
			f.fixVIP(f.hosts[0].mac)
			f.direct(1)
		}},
		{"the director before is dead and does not know", true, echo, 56, func(f *farm) {
			f.direct(1)
			if err := f.hosts[0].f.SetDirector(0, true); err != nil {
				f.t.Fatal(err)
			}
			f.hosts[0].f.SetLease(0)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			const questions = 20
			f := oddFarm(t, 3, c.all)
			c.change(f)
			answers := f.ask(questions, c.kind, c.size)
			for n := range uint16(questions) {
				if answers[n] != 1 {
					t.Errorf("question %d was answered %d times", n, answers[n])
				}
			}
		})
	}
}

// direct makes a host the director.
func (f *farm) direct(host int) {
	f.t.Helper()
	for i, h := range f.hosts {
		if err := h.f.SetDirector(0, i == host); err != nil {
			f.t.Fatal(err)
		}
	}
}

// ask sends ICMP questions of a kind to the VIP from an ordinary socket and counts the answers to each.
func (f *farm) ask(n int, kind byte, size int) map[uint16]int {
	f.t.Helper()
	const id = 0x4d55
	var c *net.IPConn
	f.client.do(func() (err error) {
		c, err = net.DialIP("ip4:icmp", nil, &net.IPAddr{IP: testVIP.AsSlice()})
		return err
	})
	defer c.Close()
	for i := range n {
		b := make([]byte, 8+size)
		b[0] = kind
		binary.BigEndian.PutUint16(b[4:], id)
		binary.BigEndian.PutUint16(b[6:], uint16(i))
		binary.BigEndian.PutUint16(b[2:], checksum(b))
		if _, err := c.Write(b); err != nil {
			f.t.Fatal(err)
		}
	}
	answers := map[uint16]int{}
	limit, after := 3*time.Second, 100*time.Millisecond // until all are answered once, and to see that none is twice
	end := time.Now().Add(limit)
	b := make([]byte, 65536)
	for {
		if err := c.SetReadDeadline(end); err != nil {
			f.t.Fatal(err)
		}
		size, _, err := c.ReadFromIP(b) // Read would keep the IP header
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return answers
		}
		if err != nil {
			f.t.Fatal(err)
		}
		if size < 8 || b[0] != 0 && b[0] != kind+1 || binary.BigEndian.Uint16(b[4:]) != id {
			continue
		}
		answers[binary.BigEndian.Uint16(b[6:])]++
		if len(answers) == n {
			end = time.Now().Add(after)
		}
	}
}
