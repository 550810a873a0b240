package syn

import (
	"encoding/binary"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Places in a frame whose IP header has no options.
const (
	ethernetSize = 14
	ipSize       = 20
	tcpSize      = 20
	ipAt         = ethernetSize
	tcpAt        = ipAt + ipSize
	frameSize    = tcpAt + tcpSize
)

// Flags of a TCP header.
const (
	flagFIN = 1 << iota
	flagSYN
	flagRST
	flagPSH
	flagACK
)

// segment is a TCP segment without options or data.
type segment struct {
	from, to              netip.AddrPort // IPv4
	sequence, acknowledge uint32
	flags                 byte
}

// frame is an Ethernet frame that is written once and then changed in its source and sequence numbers only: their sums are all that has to
// be added to those of the rest.
type frame struct {
	b             [frameSize]byte
	ipSum, tcpSum uint32 // of all that does not change
}

// newFrame makes the frame for segments to one place. The source of s may be left out.
func newFrame(to, from net.HardwareAddr, s segment) *frame {
	f := &frame{}
	copy(f.b[:], to)
	copy(f.b[6:], from)
	binary.BigEndian.PutUint16(f.b[12:], unix.ETH_P_IP)
	ip := f.b[ipAt:]
	ip[0], ip[8], ip[9] = 0x45, 64, unix.IPPROTO_TCP
	binary.BigEndian.PutUint16(ip[2:], ipSize+tcpSize)
	vip := s.to.Addr().As4()
	copy(ip[16:], vip[:])
	tcp := f.b[tcpAt:]
	binary.BigEndian.PutUint16(tcp[2:], s.to.Port())
	binary.BigEndian.PutUint32(tcp[8:], s.acknowledge)
	tcp[12], tcp[13] = tcpSize/4<<4, s.flags
	binary.BigEndian.PutUint16(tcp[14:], 65535) // window
	f.ipSum = sum(ip[:ipSize])
	f.tcpSum = sum(tcp) + sum(ip[16:20]) + unix.IPPROTO_TCP + tcpSize
	return f
}

// set gives the frame a source and a sequence number.
func (f *frame) set(address uint32, port uint16, sequence uint32) {
	ip, tcp := f.b[ipAt:], f.b[tcpAt:]
	from := address>>16 + address&0xffff
	binary.BigEndian.PutUint32(ip[12:], address)
	binary.BigEndian.PutUint16(ip[10:], ^fold(f.ipSum+from))
	binary.BigEndian.PutUint16(tcp, port)
	binary.BigEndian.PutUint32(tcp[4:], sequence)
	binary.BigEndian.PutUint16(tcp[16:], ^fold(f.tcpSum+from+uint32(port)+sequence>>16+sequence&0xffff))
}

// bytes is the whole frame of one segment.
func (s segment) bytes(to, from net.HardwareAddr) []byte {
	f := newFrame(to, from, s)
	a := s.from.Addr().As4()
	f.set(binary.BigEndian.Uint32(a[:]), s.from.Port(), s.sequence)
	return f.b[:]
}

// answer is what a caller wants to know of a segment that it got.
type answer struct {
	port                  uint16 // of the caller
	flags                 byte
	sequence, acknowledge uint32
	data                  int // bytes
}

// parse reads a frame with a TCP segment from a VIP to a caller; anything else is not ok.
func parse(b []byte, vip netip.AddrPort, caller netip.Addr) (a answer, ok bool) {
	if len(b) < frameSize || binary.BigEndian.Uint16(b[12:]) != unix.ETH_P_IP || b[ipAt] != 0x45 || b[ipAt+9] != unix.IPPROTO_TCP {
		return a, false
	}
	ip, tcp := b[ipAt:], b[tcpAt:]
	if netip.AddrFrom4([4]byte(ip[12:16])) != vip.Addr() || netip.AddrFrom4([4]byte(ip[16:20])) != caller || binary.BigEndian.Uint16(tcp) != vip.Port() {
		return a, false
	}
	total, header := int(binary.BigEndian.Uint16(ip[2:])), int(tcp[12]>>4)*4
	if header < tcpSize || total < ipSize+header || total > len(ip) {
		return a, false
	}
	return answer{port: binary.BigEndian.Uint16(tcp[2:]), flags: tcp[13], sequence: binary.BigEndian.Uint32(tcp[4:]),
		acknowledge: binary.BigEndian.Uint32(tcp[8:]), data: total - ipSize - header}, true
}

func sum(b []byte) (total uint32) {
	for ; len(b) > 1; b = b[2:] {
		total += uint32(binary.BigEndian.Uint16(b))
	}
	return total
}

func fold(total uint32) uint16 {
	for total > 0xffff {
		total = total>>16 + total&0xffff
	}
	return uint16(total)
}
