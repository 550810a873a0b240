package filter

import (
	"bufio"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// newFarm6 is a farm whose VIP is the IPv6 one. all: every host takes in multiMAC, and the client knows the VIP by it.
func newFarm6(t *testing.T, hosts int, all bool) *farm {
	t.Helper()
	f := newFarm(t, farmOptions{hosts: hosts})
	f.client.add6(client6)
	for i, h := range f.hosts {
		h.add6(addr6(uint64(i+1), 9<<32)) // fd00:9::1 and so on
		h.bearVIP(vip6)
		v := VIP{Address: vip6, Interface: h.ifindex, MAC: h.mac}
		if all {
			v.Answer, v.Taken = multiMAC, []net.HardwareAddr{multiMAC}
		}
		h.do(func() error {
			return h.f.Configure(Setup{Self: uint8(i), VIPs: []VIP{v},
				Rules: []Rule{
					{VIP: 0, Ports: []PortRange{{testPort, testPort + 1}}, Protocol: ProtocolTCP, Hash: Hash{ByPort: true}},
					{VIP: 0, Ports: []PortRange{{spreadPort, spreadPort}}, Protocol: ProtocolUDP, Hash: Hash{ByPort: true}},
				}})
		})
		h.do(func() error { return h.f.SetDirector(0, i == 0) })
		h.listen6(testPort, echo)
	}
	if all {
		f.client.fix6(vip6, multiMAC)
	}
	return f
}

// fix6 makes a node send to a MAC whatever neighbours say.
func (n *node) fix6(a netip.Addr, mac net.HardwareAddr) {
	n.t.Helper()
	n.do(func() error {
		return netlink.NeighSet(&netlink.Neigh{LinkIndex: n.ifindex, Family: netlink.FAMILY_V6, IP: a.AsSlice(), HardwareAddr: mac, State: netlink.NUD_PERMANENT})
	})
}

// own6 is own for the two rules of newFarm6.
func (f *farm) own6(slot func(host, bucket int) uint32) {
	for i, h := range f.hosts {
		var words [buckets]uint32
		for b := range words {
			words[b] = slot(i, b)
		}
		h.f.SetSlots(0, &words)
		h.f.SetSlots(1, &words)
	}
}

// add6 gives a node an address that it can use when the function returns.
func (n *node) add6(a netip.Addr) {
	n.t.Helper()
	n.do(func() error { return address("eth0", netip.PrefixFrom(a, 64)) })
	n.settled("eth0")
}

// settled waits until an interface has an address of its own making, without which the kernel does not ask for neighbours, and can use all that it
// has.
func (n *node) settled(name string) {
	n.t.Helper()
	waitFor(n.t, "link-local address on "+name, func() (ready bool) {
		n.do(func() error {
			l, err := netlink.LinkByName(name)
			if err != nil {
				return err
			}
			list, err := netlink.AddrList(l, netlink.FAMILY_V6)
			tentative := slices.ContainsFunc(list, func(a netlink.Addr) bool { return a.Flags&unix.IFA_F_TENTATIVE != 0 })
			ready = !tentative && slices.ContainsFunc(list, func(a netlink.Addr) bool { return a.IP.IsLinkLocalUnicast() })
			return err
		})
		return ready
	})
}

// listen6 has whoever connects to a port of the VIP served, with the host's name.
func (h *farmHost) listen6(port uint16, serve func(net.Conn, string)) {
	h.t.Helper()
	var l net.Listener
	h.do(func() (err error) {
		l, err = net.Listen("tcp6", netip.AddrPortFrom(vip6, port).String())
		return err
	})
	h.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c, h.name)
		}
	}()
}

// raw6 is a packet from nobody to the director.
func (f *farm) raw6(edits ...func(*packet)) []byte {
	p := fromClient6(func(p *packet) { p.src, p.from, p.to = nobody6IP, f.client.mac, f.hosts[0].mac })
	for _, e := range edits {
		e(&p)
	}
	return p.frame()
}

func TestIPv6HeadersInPieces(t *testing.T) {
	f := newFarm6(t, 2, false)
	const mtu = 9000
	f.bridge.do(func() error { return setMTU("br0", mtu) })
	for _, n := range []*node{f.client, f.hosts[0].node, f.hosts[1].node} {
		f.bridge.do(func() error { return setMTU("p-"+n.name, mtu) })
		n.do(func() error { return setMTU("eth0", mtu) })
	}
	f.own6(func(host, _ int) uint32 {
		if host == 1 {
			return word(1, no, no, slotOwn)
		}
		return word(1, no, no, 0)
	})
	// Packet sockets put all but the Ethernet header of a frame above a page into fragments.
	large := func(p *packet) { p.payload = make([]byte, 6000) }
	f.client.send(f.raw6(flags(syn), large))
	f.client.send(f.raw6(udp, large, dport(spreadPort)))
	f.client.send(f.raw6(flags(syn), large, with(pad(hopByHop, 200), pad(destination, 200))))
	f.counts(0, ForwardNew, 3)
	f.counts(1, AcceptNew, 3)
	f.client.send(f.raw6(icmpError6(quoted6(func(p *packet) { p.dst = nobody6IP })), func(p *packet) {
		p.payload = append(p.payload, make([]byte, 6000)...)
	}))
	f.counts(1, AcceptOwner, 1)
}

// TestIPv6CookieOfTheOldOwner: as by IPv4, and the segment that ends the handshake comes behind an extension header.
func TestIPv6CookieOfTheOldOwner(t *testing.T) {
	f := newFarm6(t, 2, false)
	h := f.hosts[0]
	h.do(func() error { return sysctl("ipv4/tcp_syncookies", "2") }) // of both families
	f.own6(func(host, _ int) uint32 {
		if host == 0 {
			return word(0, no, no, slotOwn)
		}
		return word(0, no, no, 0)
	})
	for _, each := range f.hosts {
		each.fix6(nobody6IP, f.client.mac)
	}
	cookie := f.sequenceOfAnswer(f.raw6(flags(syn)))
	f.own6(func(host, _ int) uint32 { // all moved to h1
		if host == 1 {
			return word(1, 0, no, slotOwn|slotAsk)
		}
		return word(1, no, no, slotAsk|slotLast)
	})
	f.client.send(f.raw6(func(p *packet) { p.ackSeq, p.sequence = cookie+12345, 1 }))
	f.counts(0, ForwardOwner, 1)
	f.client.send(f.raw6(func(p *packet) { p.ackSeq, p.sequence = cookie+1, 1 }, with(pad(destination, 8))))
	f.counts(0, AcceptCookie, 1)
	waitFor(t, "connection out of the cookie", func() bool {
		var got []Conn
		h.do(func() (err error) {
			got, err = Connections([]netip.Addr{vip6})
			return err
		})
		return len(got) == 1 && got[0].State == Established && got[0].Remote.Addr() == nobody6IP
	})
}

// TestIPv6HostsShareConnections: the client asks the kernel of nobody, is answered by the director's program, and its connections live where they
// are while all buckets go to another host, and the director's place too.
func TestIPv6HostsShareConnections(t *testing.T) {
	f := newFarm6(t, 2, false)
	f.own6(shared(2, 0))
	split := map[string]int{}
	var all []*conn
	for range 40 {
		c := f.dial6(t)
		if err := c.exchange("hello"); err != nil {
			t.Fatal(err)
		}
		split[c.host]++
		all = append(all, c)
	}
	if len(split) != 2 {
		t.Errorf("answered by %v, want both", split)
	}
	for host, h := range f.hosts { // everything to h1, which asks h0 for what it does not know
		h.do(func() error { return h.f.SetDirector(0, host == 1) })
	}
	f.own6(func(host, _ int) uint32 {
		if host == 1 {
			return word(1, 0, no, slotOwn|slotAsk)
		}
		return word(1, no, no, slotAsk|slotLast)
	})
	f.client.do(func() error {
		return netlink.NeighDel(&netlink.Neigh{LinkIndex: f.client.ifindex, Family: netlink.FAMILY_V6, IP: vip6.AsSlice()})
	})
	if n, err := broken(all, "moved"); n > 0 {
		t.Errorf("%d of %d connections broke: %v", n, len(all), err)
	}
	if c := f.dial6(t); c.exchange("new") != nil || c.host != "h1" {
		t.Errorf("a new connection went to %q, want h1", c.host)
	}
	if f.counters(0).Of(NDAnswered) == 0 || f.counters(1).Of(NDAnswered) == 0 {
		t.Errorf("solicitations answered: %d and %d, want some by each director", f.counters(0).Of(NDAnswered), f.counters(1).Of(NDAnswered))
	}
}

func (f *farm) dial6(t *testing.T) *conn {
	t.Helper()
	var c net.Conn
	f.client.do(func() (err error) {
		c, err = net.DialTimeout("tcp6", netip.AddrPortFrom(vip6, testPort).String(), 3*time.Second)
		return err
	})
	t.Cleanup(func() { c.Close() })
	return &conn{Conn: c, in: bufio.NewReader(c)}
}
