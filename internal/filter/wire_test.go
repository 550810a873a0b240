package filter

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// These tests put frames on a real wire, for what BPF_PROG_TEST_RUN cannot make: tags that the kernel has taken off, packets whose
// headers are not in one piece, and handshakes that stop half way.

// nobodys is an address that no host has; frames to it go to the client's MAC.
var nobodys = netip.MustParseAddr("10.9.0.77")

func (f *farm) answerTo(a netip.Addr) {
	f.t.Helper()
	for _, h := range f.hosts {
		h.do(func() error {
			return netlink.NeighSet(&netlink.Neigh{
				LinkIndex: h.ifindex, IP: a.AsSlice(), HardwareAddr: f.client.mac, State: netlink.NUD_PERMANENT,
			})
		})
	}
}

// raw is a packet from nobody to the director.
func (f *farm) raw(edits ...func(*packet)) []byte {
	p := fromClient(func(p *packet) { p.src, p.from, p.to = nobodys, f.client.mac, f.hosts[0].mac })
	for _, e := range edits {
		e(&p)
	}
	return p.frame()
}

// counts waits until a host has counted n for a reason.
func (f *farm) counts(host int, r Reason, n uint64) {
	f.t.Helper()
	var got uint64
	for deadline := time.Now().Add(3 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if got = f.counters(host).Of(r); got == n {
			return
		}
	}
	f.t.Errorf("h%d: %v counted %d times, want %d: %v", host, r, got, n, f.counters(host))
}

func TestTagsThatTheKernelTookOff(t *testing.T) {
	f := newFarm(t, farmOptions{hosts: 1})
	f.own(shared(1, 0))
	f.answerTo(nobodys)
	vlan := func(id byte) func(*packet) {
		return edit(func(b []byte) []byte {
			b = tag(b)
			b[15] = id
			return b
		})
	}
	f.client.send(f.raw(flags(syn), vlan(5)))
	f.client.send(f.raw(flags(syn), vlan(0), func(p *packet) { p.sport++ }))
	f.counts(0, AcceptNew, 1) // the second: only a priority
	if all := f.counters(0); all != (Counters{AcceptNew: 1}) {
		t.Errorf("counted %v, want one new connection", all)
	}
}

func TestHeadersInPieces(t *testing.T) {
	f := newFarm(t, farmOptions{hosts: 2})
	const mtu = 9000
	f.bridge.do(func() error { return setMTU("br0", mtu) })
	for _, n := range []*node{f.client, f.hosts[0].node, f.hosts[1].node} {
		f.bridge.do(func() error { return setMTU("p-"+n.name, mtu) })
		n.do(func() error { return setMTU("eth0", mtu) })
	}
	f.own(func(host, _ int) uint32 {
		if host == 1 {
			return word(1, no, no, slotOwn)
		}
		return word(1, no, no, 0)
	})
	f.answerTo(nobodys)
	// Packet sockets put all but the Ethernet header of a frame above a page into fragments.
	large := func(p *packet) { p.payload = make([]byte, 6000) }
	f.client.send(f.raw(flags(syn), large))
	f.client.send(f.raw(udp, large))
	f.counts(0, ForwardNew, 2)
	f.counts(1, AcceptNew, 2)
	f.client.send(f.raw(icmpError(quoted(func(p *packet) { p.dst = nobodys })), func(p *packet) {
		p.payload = append(p.payload, make([]byte, 6000)...)
	}))
	f.counts(1, AcceptOwner, 1)
}

func setMTU(name string, mtu int) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return netlink.LinkSetMTU(l, mtu)
}

// TestCookieOfTheOldOwner: a handshake that began with a cookie is in no table, and only the host that made the cookie can tell.
func TestCookieOfTheOldOwner(t *testing.T) {
	f := newFarm(t, farmOptions{hosts: 2})
	h := f.hosts[0]
	h.do(func() error { return sysctl("ipv4/tcp_syncookies", "2") })
	f.own(func(host, _ int) uint32 {
		if host == 0 {
			return word(0, no, no, slotOwn)
		}
		return word(0, no, no, 0)
	})
	f.answerTo(nobodys)
	cookie := f.sequenceOfAnswer(f.raw(flags(syn)))
	h.do(func() error {
		sent, err := SyncookiesSent()
		if sent != 1 {
			t.Errorf("%d cookies sent, want 1", sent)
		}
		return err
	})
	f.own(func(host, _ int) uint32 { // all moved to h1
		if host == 1 {
			return word(1, 0, no, slotOwn|slotAsk)
		}
		return word(1, no, no, slotAsk|slotLast)
	})
	guess := func(p *packet) { p.ackSeq, p.sequence = cookie+12345, 1 }
	right := func(p *packet) { p.ackSeq, p.sequence = cookie+1, 1 }
	f.client.send(f.raw(guess))
	f.counts(0, ForwardOwner, 1)
	f.client.send(f.raw(right))
	f.counts(0, AcceptCookie, 1)
	var got []Conn
	h.do(func() (err error) {
		got, err = Connections([]netip.Addr{testVIP})
		return err
	})
	if len(got) != 1 || got[0].State != Established {
		t.Errorf("connections %v, want one established", got)
	}
}

// sequenceOfAnswer sends a SYN and returns the sequence number of the SYN+ACK.
func (f *farm) sequenceOfAnswer(frame []byte) (sequence uint32) {
	f.t.Helper()
	protocol, offProtocol, offTCP := uint16(unix.ETH_P_IP), offIP+9, offTCP
	if binary.BigEndian.Uint16(frame[12:]) == unix.ETH_P_IPV6 {
		protocol, offProtocol, offTCP = unix.ETH_P_IPV6, offIP6+6, offTCP6
	}
	f.client.do(func() error {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, int(htons(protocol)))
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 3}); err != nil {
			return err
		}
		if err := unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: f.client.ifindex}); err != nil {
			return err
		}
		b := make([]byte, 2048)
		for {
			n, _, err := unix.Recvfrom(fd, b, 0)
			if err != nil {
				return err
			}
			if n >= offTCP+20 && b[offProtocol] == ProtocolTCP && b[offTCP+13] == syn|ack {
				sequence = binary.BigEndian.Uint32(b[offTCP+4:])
				return nil
			}
		}
	})
	return sequence
}

func htons(n uint16) uint16 { return n<<8 | n>>8 }
