package filter

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

var testVIP = netip.MustParseAddr("10.9.0.100")

const (
	testPort   = 80
	spreadPort = 54 // UDP, by the client's port
)

// farm is hosts that share a VIP, and a client, on one bridge.
type farm struct {
	t      testing.TB
	bridge *node
	client *node
	hosts  []*farmHost
}

type farmHost struct {
	*node
	f        *Filter
	listener net.Listener
}

type farmOptions struct {
	hosts   int
	shared  bool // every host takes in multiMAC, and ARP names it
	options func(host int) Options
}

// newFarm makes hosts whose filters know each other, with a lease, host 0 as director, and an echo server on each that
// answers with its host's name. Nobody owns anything yet.
func newFarm(t testing.TB, o farmOptions) *farm {
	t.Helper()
	f := &farm{t: t, bridge: newBridge(t), client: newNode(t, "client")}
	f.client.plug(f.bridge, "10.9.0.200/24")
	for i := range o.hosts {
		h := &farmHost{node: newNode(t, fmt.Sprintf("h%d", i))}
		h.plug(f.bridge, fmt.Sprintf("10.9.0.%d/24", i+1))
		h.bearVIP(testVIP)
		f.hosts = append(f.hosts, h)
	}
	for i, h := range f.hosts {
		var options Options
		if o.options != nil {
			options = o.options(i)
		}
		h.open(i, options, o.shared)
		h.meet(f.hosts)
		h.do(func() error { return h.f.Attach(h.ifindex) })
		h.serve()
	}
	return f
}

func (h *farmHost) open(self int, o Options, shared bool) {
	h.t.Helper()
	f, err := Open(o)
	if err != nil {
		h.t.Fatalf("%+v", err)
	}
	h.t.Cleanup(func() { _ = h.try(f.Close) })
	h.f = f
	h.configure(self, shared)
	f.SetLease(BootTime() + time.Hour)
}

func (h *farmHost) configure(self int, shared bool) {
	h.t.Helper()
	vip := VIP{Address: testVIP, Interface: h.ifindex, MAC: h.mac}
	if shared {
		vip.Answer, vip.Taken = multiMAC, []net.HardwareAddr{multiMAC}
	}
	err := h.f.Configure(Setup{
		Self: uint8(self),
		VIPs: []VIP{vip},
		Rules: []Rule{
			{VIP: 0, Ports: []PortRange{{testPort, testPort + 1}}, Protocol: ProtocolTCP, Hash: Hash{ByPort: true}},
			{VIP: 0, Ports: []PortRange{{53, 53}}, Protocol: ProtocolUDP},
			{VIP: 0, Ports: []PortRange{{spreadPort, spreadPort}}, Protocol: ProtocolUDP, Hash: Hash{ByPort: true}},
		},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	if err := h.f.SetDirector(0, self == 0); err != nil {
		h.t.Fatal(err)
	}
}

func (h *farmHost) meet(all []*farmHost) {
	h.t.Helper()
	for id, peer := range all {
		if peer == h {
			continue
		}
		if err := h.f.SetPeer(h.ifindex, uint8(id), peer.mac); err != nil {
			h.t.Fatal(err)
		}
	}
}

// serve answers each line with the host's name and the line.
func (h *farmHost) serve() {
	h.t.Helper()
	var l net.Listener
	h.do(func() (err error) {
		l, err = net.Listen("tcp4", fmt.Sprintf(":%d", testPort))
		return err
	})
	h.t.Cleanup(func() { l.Close() })
	h.listener = l
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go echo(c, h.name)
		}
	}()
}

func echo(c net.Conn, name string) {
	defer c.Close()
	lines := bufio.NewScanner(c)
	for lines.Scan() {
		if lines.Text() == "bye" {
			return
		}
		if lines.Text() == "abort" {
			_ = c.(*net.TCPConn).SetLinger(0)
			return
		}
		fmt.Fprintf(c, "%s %s\n", name, lines.Text())
	}
}

// own gives every host the slots that slot says.
func (f *farm) own(slot func(host, bucket int) uint32) {
	for i, h := range f.hosts {
		var words [buckets]uint32
		for b := range words {
			words[b] = slot(i, b)
		}
		for rule := range 3 {
			h.f.SetSlots(rule, &words)
		}
	}
}

// word is balance.Slot.Word.
func word(owner, second, third, flags uint32) uint32 {
	return owner | second<<8 | third<<16 | flags<<24
}

const (
	slotOwn  = 1
	slotAsk  = 2
	slotLast = 4
	no       = 255
)

// shared is the steady state: bucket b belongs to host (b+shift)%n.
func shared(n, shift int) func(host, bucket int) uint32 {
	return func(host, bucket int) uint32 {
		owner := (bucket + shift) % n
		if owner == host {
			return word(uint32(owner), no, no, slotOwn)
		}
		return word(uint32(owner), no, no, 0)
	}
}

// conn is a client's connection.
type conn struct {
	net.Conn
	in   *bufio.Reader
	host string // who answered first
}

func (f *farm) dial(port int, timeout time.Duration) (*conn, error) {
	var c net.Conn
	err := f.client.try(func() (err error) {
		d := net.Dialer{Timeout: timeout}
		c, err = d.Dial("tcp4", netip.AddrPortFrom(testVIP, uint16(port)).String())
		return err
	})
	if err != nil {
		return nil, err
	}
	f.t.Cleanup(func() { c.Close() })
	return &conn{Conn: c, in: bufio.NewReader(c)}, nil
}

// exchange sends a line and checks the answer, which must come from the host that answered before.
func (c *conn) exchange(line string) error {
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(c, line); err != nil {
		return err
	}
	var host, back string
	if _, err := fmt.Fscanln(c.in, &host, &back); err != nil {
		return err
	}
	if c.host == "" {
		c.host = host
	}
	if back != line || host != c.host {
		return fmt.Errorf("sent %q to %s, got %q from %s", line, c.host, back, host)
	}
	return nil
}

// open makes n connections and has each exchange a line.
func (f *farm) open(n int) (good []*conn, split map[string]int) {
	f.t.Helper()
	split = map[string]int{}
	for range n {
		c, err := f.dial(testPort, 3*time.Second)
		if err != nil {
			f.t.Fatalf("connect: %v", err)
		}
		if err := c.exchange("hello"); err != nil {
			f.t.Fatalf("first exchange: %v", err)
		}
		good = append(good, c)
		split[c.host]++
	}
	return good, split
}

func broken(all []*conn, line string) (n int, last error) {
	for _, c := range all {
		if err := c.exchange(line); err != nil {
			n, last = n+1, err
		}
	}
	return n, last
}

func (f *farm) counters(host int) Counters {
	f.t.Helper()
	c, err := f.hosts[host].f.Counters()
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

// forgetVIP empties the client's ARP cache: it asks anew.
func (f *farm) forgetVIP() {
	f.t.Helper()
	f.client.do(func() error {
		return netlink.NeighDel(&netlink.Neigh{LinkIndex: f.client.ifindex, IP: testVIP.AsSlice()})
	})
}

// fixVIP makes the client send to a MAC whatever ARP says.
func (f *farm) fixVIP(mac net.HardwareAddr) {
	f.t.Helper()
	f.client.do(func() error {
		return netlink.NeighSet(&netlink.Neigh{
			LinkIndex: f.client.ifindex, IP: testVIP.AsSlice(), HardwareAddr: mac, State: netlink.NUD_PERMANENT,
		})
	})
}

// send puts frames on the wire.
func (n *node) send(frames ...[]byte) {
	n.t.Helper()
	n.do(func() error {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		for _, frame := range frames {
			if err := unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: n.ifindex}); err != nil {
				return err
			}
		}
		return nil
	})
}
