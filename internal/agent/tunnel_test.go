package agent_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/internal/lab/load"
	"github.com/muster-ha/muster/internal/tunnel"
)

// tunnelled is the usual farm, for hosts of which some are behind a router.
func tunnelled() string {
	return strings.Replace(lab.DefaultConfig, "    delivery: directed\n", "    delivery: directed\n    tunnel: vxlan\n", 1)
}

// farFarm is hosts a and b on the clients' network, c and d behind a router.
func farFarm(t *testing.T) *lab.Lab {
	t.Helper()
	l := machines(t, lab.Options{Hosts: 4, Far: 2, Clients: 2, Config: tunnelled()})
	if err := l.StartWeb(); err != nil {
		t.Fatal(err)
	}
	if err := l.StartAll(); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
	return l
}

// counterOf is one of the counters of a host's filter.
func counterOf(t *testing.T, h *lab.Host, name string) uint64 {
	t.Helper()
	n, ok := status(t, h).Filter.Counters[name]
	if !ok {
		t.Fatalf("host %s counts no %s", h.Name(), name)
	}
	return n
}

// TestItem9HostsBehindARouterServe: hosts that are not on the VIP's network serve through the tunnel, and connections live through everything planned.
func TestItem9HostsBehindARouterServe(t *testing.T) {
	l := farFarm(t)
	a := l.Host("a")
	conns := echoes(t, l, 200)
	told := 0
	for _, event := range []struct {
		name string
		do   func(t *testing.T)
	}{
		{"far host drained", func(t *testing.T) { muster(t, a, "host", "drain", "c"); drained(t, a, "c") }},
		{"and back", func(t *testing.T) { muster(t, a, "host", "resume", "c"); ready(t, l) }},
		{"near host drained", func(t *testing.T) { muster(t, a, "host", "drain", "b"); drained(t, a, "b") }},
		{"and back", func(t *testing.T) { muster(t, a, "host", "resume", "b"); ready(t, l) }},
		{"director moves", func(t *testing.T) { moveDirector(t, l) }},
		{"far agent killed", func(t *testing.T) { kill(t, l.Host("d")); members(t, a, "a", "b", "c") }},
		{"and started again", func(t *testing.T) { start(t, l, "d") }},
	} {
		t.Run(event.name, func(t *testing.T) {
			event.do(t)
			work(t)
			bad := broken(conns.all())
			for _, r := range bad[told:] {
				t.Errorf("%s of connection %d to %s: %s", r.Kind, r.Conn, r.Host, r.Class)
			}
			told = len(bad)
		})
	}
	split := perHost(conns.stop(t), load.Open)
	for _, h := range l.Hosts() {
		if split[h.Name()] == 0 {
			t.Errorf("connections were opened to %v, want some to every host", split)
		}
		if n := counterOf(t, h, "tunnel_stranger"); n != 0 {
			t.Errorf("host %s took %d packets of other hosts for strangers'", h.Name(), n)
		}
	}
	for _, v := range status(t, a).VIPs {
		if v.Director != "a" && v.Director != "b" {
			t.Errorf("host %q directs %s: it is not on its network", v.Director, v.Name)
		}
	}
}

// TestItem9UploadThroughTheTunnel: ten megabytes in segments as large as fit arrive as they were sent, on a way of the usual width, and on one that
// is narrower than any host's link, which the hosts find out.
func TestItem9UploadThroughTheTunnel(t *testing.T) {
	l := farFarm(t)
	for _, way := range []struct {
		name string
		mtu  int
		fits int
	}{
		{"1500 bytes", 1500, 1450},
		{"1400 bytes, not known yet", 1400, 0}, // packets are cut and put together again
		{"1400 bytes", 1400, 1350},
	} {
		t.Run(way.name, func(t *testing.T) {
			if err := l.Narrow(way.mtu); err != nil {
				t.Fatal(err)
			}
			if way.fits != 0 {
				eventually(t, 2*patience, "hosts know what fits", func() error { return fitting(t, l, way.fits) })
			}
			clamped := counterOf(t, l.Host("c"), "tunnel_clamped")
			for _, host := range []string{"a", "c"} {
				segment := upload(t, l, host)
				if most := way.fits - 40; way.fits != 0 && (segment > most || segment < most-20) { // TCP's timestamps take 12
					t.Errorf("segments to %s have %d bytes, %d fit", host, segment, most)
				}
			}
			if n := counterOf(t, l.Host("c"), "tunnel_clamped"); n == clamped {
				t.Error("host c told no client how large its segments may be")
			}
		})
	}
}

// fitting wants every host to have found out the same.
func fitting(t *testing.T, l *lab.Lab, bytes int) error {
	for _, h := range l.Hosts() {
		for _, v := range status(t, h).VIPs {
			if v.TunnelFits != bytes {
				return fmt.Errorf("host %s thinks that %d fit", h.Name(), v.TunnelFits)
			}
		}
	}
	return nil
}

// upload sends ten megabytes to the echo on one host and wants them back. It gives the size of the segments that went.
func upload(t *testing.T, l *lab.Lab, host string) (segment int) {
	t.Helper()
	const size = 10 << 20
	conn := connectionTo(t, l, host)
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	data := make([]byte, size)
	random := rand.NewChaCha8(sha256.Sum256([]byte(t.Name() + host)))
	_, _ = random.Read(data) // never fails
	sent := make(chan error, 1)
	go func() {
		_, err := conn.Write(data)
		sent <- err
	}()
	back := make([]byte, size)
	if _, err := io.ReadFull(conn, back); err != nil {
		t.Fatalf("upload to %s: %v", host, err)
	}
	if err := <-sent; err != nil {
		t.Fatalf("upload to %s: %v", host, err)
	}
	if !bytes.Equal(data, back) {
		t.Errorf("upload to %s: other bytes came back", host)
	}
	return segmentOf(t, conn)
}

// connectionTo opens connections to the echo until one is with the host wanted.
func connectionTo(t *testing.T, l *lab.Lab, host string) net.Conn {
	t.Helper()
	for range 200 {
		var conn net.Conn
		if err := l.Client(1).Do(func() (err error) { conn, err = net.DialTimeout("tcp4", target(7), 3*time.Second); return err }); err != nil {
			t.Fatal(err)
		}
		line, err := readLine(conn)
		if err != nil {
			t.Fatal(err)
		}
		if line == host {
			return conn
		}
		conn.Close()
	}
	t.Fatalf("200 connections, and none to %s", host)
	return nil
}

func readLine(conn net.Conn) (string, error) {
	var line []byte
	for one := make([]byte, 1); ; {
		if _, err := conn.Read(one); err != nil {
			return "", err
		}
		if one[0] == '\n' {
			return string(line), nil
		}
		line = append(line, one[0])
	}
}

// segmentOf is how many bytes this end sends in a segment.
func segmentOf(t *testing.T, conn net.Conn) (n int) {
	t.Helper()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) { n, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_MAXSEG) }); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestItem9PowerCutOfAFarHostResetsItsClients: they learn at once, as those of a neighbour do.
func TestItem9PowerCutOfAFarHostResetsItsClients(t *testing.T) {
	l := farFarm(t)
	conns := echoes(t, l, 200)
	had := perHost(conns.all(), load.Open)["d"]
	if had == 0 {
		t.Fatal("no connection is at d")
	}
	if _, err := l.Host("d").PowerCut(); err != nil {
		t.Fatal(err)
	}
	eventually(t, patience, "its clients know", func() error {
		if n := len(broken(conns.all())); n < had {
			return fmt.Errorf("%d of %d", n, had)
		}
		return nil
	})
	all := conns.stop(t)
	if other := broken(all, "d"); len(other) > 0 {
		t.Errorf("%d connections to other hosts broke: %+v", len(other), other)
	}
	for _, r := range broken(all) {
		if r.Class != load.Reset {
			t.Errorf("connection %d ended by %s, want a reset", r.Conn, r.Class)
		}
	}
	if err := l.Host("d").PowerOn(); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
	connectionTo(t, l, "d").Close()
}

// TestItem9StrangersInTheTunnel: the port of the tunnel is open to whoever reaches the host. What a stranger puts into it is counted and changes nothing, even
// with the sender, the number of the cluster and the MAC of the device right; only who knows a host's MAC, which travels encrypted, and
// sends from its address as well would be believed.
func TestItem9StrangersInTheTunnel(t *testing.T) {
	l := farFarm(t)
	c := l.Host("c")
	device := macOn(t, c, tunnelDevice)
	own := macOn(t, l.Host("a"), tunnelDevice)
	const guess = "02:00:00:00:00:99"
	vip, client := lab.VIP().Addr(), l.Client(1).Address()
	syn := func(vni uint32, from string, to netip.Addr) []byte {
		return wrapped(vni, synTo(t, device, from, client, to))
	}
	vni := tunnel.VNI("shop")
	before := counterOf(t, c, "accept_new")
	for _, tc := range []struct {
		name   string
		from   *lab.Node
		packet []byte
	}{
		{"SYN to the VIP", l.Client(1), syn(vni, guess, vip)},
		{"SYN to the host itself", l.Client(1), syn(vni, guess, c.Address())},
		{"from a host's address", l.Host("a").Node, syn(vni, guess, vip)},
		{"with a host's MAC from elsewhere", l.Client(1), syn(vni, own, vip)},
		{"with a host's MAC from another host", l.Host("b").Node, syn(vni, own, vip)},
		{"of another cluster", l.Host("a").Node, syn(vni+1, own, vip)},
		{"from a host, and not for the VIP", l.Host("a").Node, syn(vni, own, c.Address())},
		{"no IP inside", l.Client(1), wrapped(vni, make([]byte, 60))},
	} {
		t.Run(tc.name, func(t *testing.T) {
			had := counterOf(t, c, "tunnel_stranger")
			inject(t, tc.from, c, tc.packet)
			eventually(t, patience, "it is counted", func() error {
				if n := counterOf(t, c, "tunnel_stranger") - had; n != 1 {
					return fmt.Errorf("%d", n)
				}
				return nil
			})
		})
	}
	if n := counterOf(t, c, "accept_new") - before; n != 0 {
		t.Errorf("host c accepted %d connections of strangers", n)
	}
	// The one that has everything right shows that the others were refused for what was wrong with them.
	inject(t, l.Host("a").Node, c, syn(vni, own, vip))
	eventually(t, patience, "what a host sends is believed", func() error {
		after := status(t, c).Filter.Counters
		if after["accept_new"]+after["drop_not_owned"] == before {
			return errors.New("it is not")
		}
		return nil
	})
}

// tunnelDevice is the tunnel at the usual port.
const tunnelDevice = "muster-4789"

// macOn is the MAC of an interface.
func macOn(t *testing.T, h *lab.Host, name string) (mac string) {
	t.Helper()
	err := h.Do(func() error {
		link, err := net.InterfaceByName(name)
		if err == nil {
			mac = link.HardwareAddr.String()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return mac
}

// synTo is a frame that asks for a connection to the echo.
func synTo(t *testing.T, device, from string, client, to netip.Addr) []byte {
	t.Helper()
	target, err := net.ParseMAC(device)
	if err != nil {
		t.Fatal(err)
	}
	source, err := net.ParseMAC(from)
	if err != nil {
		t.Fatal(err)
	}
	ip := make([]byte, 40)
	ip[0], ip[3], ip[8], ip[9] = 0x45, 40, 64, unix.IPPROTO_TCP
	copy(ip[12:], client.AsSlice())
	copy(ip[16:], to.AsSlice())
	binary.BigEndian.PutUint16(ip[10:], internetSum(ip[:20]))
	tcp := ip[20:]
	binary.BigEndian.PutUint16(tcp, 50000)
	tcp[3], tcp[12], tcp[13], tcp[14] = 7, 5<<4, 2, 0xff // port 7, five words, SYN, a window
	pseudo := slices.Concat(ip[12:20], []byte{0, unix.IPPROTO_TCP, 0, 20}, tcp)
	binary.BigEndian.PutUint16(tcp[16:], internetSum(pseudo))
	return slices.Concat(target, source, []byte{8, 0}, ip)
}

// internetSum is the checksum of RFC 1071 over an even number of bytes.
func internetSum(b []byte) uint16 {
	var sum uint32
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(b[0])<<8 | uint32(b[1])
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// wrapped is what VXLAN makes of a frame (RFC 7348, section 5).
func wrapped(vni uint32, frame []byte) []byte {
	header := []byte{8, 0, 0, 0, byte(vni >> 16), byte(vni >> 8), byte(vni), 0}
	return append(header, frame...)
}

// inject sends a datagram to the port of a host's tunnel.
func inject(t *testing.T, from *lab.Node, to *lab.Host, packet []byte) {
	t.Helper()
	err := from.Do(func() error {
		conn, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to.Address(), 4789)))
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = conn.Write(packet)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestItem9TunnelIsMadeAnew: the device outlives a killed agent and not a stopped one; what somebody deletes is back within a second, guarded, and the
// connections that need it live.
func TestItem9TunnelIsMadeAnew(t *testing.T) {
	l := farFarm(t)
	a, c := l.Host("a"), l.Host("c")
	conns := echoes(t, l, 100)
	for _, h := range []*lab.Host{c, a} {
		old := macOn(t, h, tunnelDevice)
		if err := h.Do(func() error {
			link, err := netlink.LinkByName(tunnelDevice)
			if err != nil {
				return err
			}
			return netlink.LinkDel(link)
		}); err != nil {
			t.Fatal(err)
		}
		eventually(t, patience, "the device is there again, and the others know it", func() error {
			if list := events(t, h, "drift"); len(list) == 0 {
				return errors.New("nobody has noticed")
			}
			return present(h, tunnelDevice)
		})
		if mac := macOn(t, h, tunnelDevice); mac == old {
			t.Errorf("the tunnel of %s has the MAC %s again: it is drawn, not made", h.Name(), mac)
		}
		work(t)
	}
	if bad := broken(conns.stop(t)); len(bad) > 0 {
		t.Errorf("%d connections broke, the first: %+v", len(bad), bad[0])
	}
	connectionTo(t, l, "c").Close()
	kill(t, c)
	if err := present(c, tunnelDevice); err != nil {
		t.Errorf("after kill -9: %v", err)
	}
	start(t, l, "c")
	connectionTo(t, l, "c").Close()
	stop(t, c)
	if present(c, tunnelDevice) == nil {
		t.Error("the tunnel outlives the agent's stop")
	}
}

// present looks for an interface.
func present(h *lab.Host, name string) error {
	return h.Do(func() error { _, err := net.InterfaceByName(name); return err })
}

// tunnelled6 has IPv6 inside and outside: the VIP and the hosts.
const tunnelled6 = `cluster: shop
secret_file: secret.key
hosts:
  a: {address: "fd00:77::1"}
  b: {address: "fd00:77::2"}
  c: {address: "fd00:88::3"}
vips:
  web6: {address: "{{.VIP6}}", tunnel: vxlan, rules: [{ports: [80, 443, 7]}]}
`

// TestItem9ByIPv6: the same with IPv6 addresses all through.
func TestItem9ByIPv6(t *testing.T) {
	l := machines(t, lab.Options{Hosts: 3, Far: 1, Clients: 1, Config: tunnelled6})
	if err := l.StartWeb(); err != nil {
		t.Fatal(err)
	}
	if err := l.StartAll(); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
	a := l.Host("a")
	if err := fitting(t, l, 1430); err != nil { // 70 bytes less than the usual link takes
		t.Error(err)
	}
	conns := echoes6(t, l, 100)
	muster(t, a, "host", "drain", "c")
	drained(t, a, "c")
	work(t)
	muster(t, a, "host", "resume", "c")
	ready(t, l)
	work(t)
	all := conns.stop(t)
	if bad := broken(all); len(bad) > 0 {
		t.Errorf("%d connections broke, the first: %+v", len(bad), bad[0])
	}
	if split := perHost(all, load.Open); split["a"] == 0 || split["b"] == 0 || split["c"] == 0 {
		t.Errorf("connections were opened to %v, want some to every host", split)
	}
	if n := counterOf(t, l.Host("c"), "tunnel_clamped"); n == 0 {
		t.Error("host c told no client how large its segments may be")
	}
	stranger := synTo(t, macOn(t, l.Host("c"), tunnelDevice), macOn(t, a, tunnelDevice), l.Client(1).Address(), lab.VIP().Addr())
	had := counterOf(t, l.Host("c"), "tunnel_stranger")
	inject(t, l.Client(1), l.Host("c"), wrapped(tunnel.VNI("shop"), stranger)) // by IPv4: no host is there
	eventually(t, patience, "a stranger is counted", func() error {
		if n := counterOf(t, l.Host("c"), "tunnel_stranger") - had; n != 1 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
}
