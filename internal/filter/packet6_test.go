package filter

import (
	"encoding/binary"
	"net"
	"net/netip"
)

// Where headers of an IPv6 packet without extensions are in a frame, and what they are called.
const (
	offIP6  = 14
	offTCP6 = 54

	protocolICMP6 = 58

	hopByHop     = 0
	routing      = 43
	fragmented   = 44
	authenticate = 51
	noNext       = 59
	destination  = 60
)

var (
	client6   = netip.MustParseAddr("fd00:9::200")
	vip6      = netip.MustParseAddr("fd00:9::100")
	host6     = netip.MustParseAddr("fd00:9::1")
	groupMAC  = net.HardwareAddr{0x33, 0x33, 0xff, 0, 1, 0} // of the VIP's solicited-node group
	groupIP   = netip.MustParseAddr("ff02::1:ff00:100")
	allMAC    = net.HardwareAddr{0x33, 0x33, 0, 0, 0, 1}
	allIP     = netip.MustParseAddr("ff02::1")
	nobody6IP = netip.MustParseAddr("fd00:9::77")
)

// extension is an extension header, its length rounded up to eight bytes.
type extension struct {
	kind uint8
	body []byte // behind the first two bytes
}

// pad makes an extension header of so many bytes, a multiple of eight.
func pad(kind uint8, size int) extension { return extension{kind, make([]byte, size-2)} }

func (p packet) datagram6() []byte {
	chain := p.extensions
	if p.fragment != 0 {
		field := (p.fragment & 0x1fff) << 3
		if p.fragment&0x2000 != 0 {
			field |= 1
		}
		body := binary.BigEndian.AppendUint16(nil, field)
		chain = append(chain[:len(chain):len(chain)], extension{fragmented, binary.BigEndian.AppendUint32(body, uint32(p.id))})
	}
	rest, next := p.segment(), p.protocol
	for i := len(chain) - 1; i >= 0; i-- {
		length := uint8((len(chain[i].body)+2)/8 - 1)
		if chain[i].kind == fragmented {
			length = 0
		}
		rest = append(append([]byte{next, length}, chain[i].body...), rest...)
		next = chain[i].kind
	}
	header := []byte{0x60, 0, 0, 0}
	header = binary.BigEndian.AppendUint16(header, uint16(len(rest)))
	header = append(header, next, p.ttl)
	header = append(append(header, p.src.AsSlice()...), p.dst.AsSlice()...)
	return append(header, rest...)
}

// nd is a message of neighbour discovery.
type nd struct {
	to, from net.HardwareAddr
	src, dst netip.Addr
	kind     uint8
	flags    uint8
	target   netip.Addr
	options  []byte
	hops     uint8
	edit     func(message []byte) // after the checksum
}

func (m nd) frame() []byte {
	message := append([]byte{m.kind, 0, 0, 0, m.flags, 0, 0, 0}, m.target.AsSlice()...)
	message = append(message, m.options...)
	p := packet{to: m.to, from: m.from, etherType: 0x86dd, src: m.src, dst: m.dst, protocol: protocolICMP6, ttl: m.hops}
	binary.BigEndian.PutUint16(message[2:], p.transportChecksum(message))
	if m.edit != nil {
		m.edit(message)
	}
	p.payload = message
	return p.frame()
}

// macOption is the source (1) or target (2) link-layer address.
func macOption(kind uint8, mac net.HardwareAddr) []byte { return append([]byte{kind, 1}, mac...) }

// solicitation asks for the VIP as the client does.
func solicitation(edits ...func(*nd)) []byte {
	m := nd{to: groupMAC, from: clientMAC, src: client6, dst: groupIP, kind: 135, target: vip6, options: macOption(1, clientMAC), hops: 255}
	for _, e := range edits {
		e(&m)
	}
	return m.frame()
}

// advertisement says that the VIP is at a stranger's.
func advertisement(edits ...func(*nd)) []byte {
	m := nd{to: allMAC, from: strangeMAC, src: vip6, dst: allIP, kind: 136, flags: 0x20, target: vip6, options: macOption(2, strangeMAC), hops: 255}
	for _, e := range edits {
		e(&m)
	}
	return m.frame()
}

// fromClient6 is a packet to the VIP, changed by edits.
func fromClient6(edits ...func(*packet)) packet {
	return fromClient(append([]func(*packet){func(p *packet) {
		p.etherType, p.src, p.dst = 0x86dd, client6, vip6
	}}, edits...)...)
}

func echo6(p *packet) {
	p.protocol, p.payload = protocolICMP6, []byte{128, 0, 0, 0, 0, 1, 0, 1}
	binary.BigEndian.PutUint16(p.payload[2:], p.transportChecksum(p.payload))
}

// icmpError6 is what a router says of a packet that the VIP sent to the client: too big, unless edited.
func icmpError6(quote packet) func(*packet) {
	quote.src, quote.dst = vip6, client6
	return func(p *packet) {
		p.src, p.protocol = netip.MustParseAddr("2001:db8::1"), protocolICMP6
		p.payload = append([]byte{2, 0, 0, 0, 0, 0, 5, 0}, quote.datagram()...)
		binary.BigEndian.PutUint16(p.payload[2:], p.transportChecksum(p.payload))
	}
}

func quoted6(edits ...func(*packet)) packet {
	p := fromClient6(edits...)
	p.sport, p.dport = p.dport, p.sport
	return p
}

func with(e ...extension) func(*packet) { return func(p *packet) { p.extensions = e } }
