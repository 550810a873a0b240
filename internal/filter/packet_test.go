package filter

import (
	"encoding/binary"
	"net"
	"net/netip"
)

// Flags of a TCP header.
const (
	fin = 1 << iota
	syn
	rst
	psh
	ack
)

// packet builds a frame. The zero values are a well formed TCP segment from the client to the VIP.
type packet struct {
	from, to     net.HardwareAddr
	etherType    uint16
	src, dst     netip.Addr
	protocol     uint8
	sport, dport uint16
	flags        uint8
	sequence     uint32
	ackSeq       uint32
	options      []byte // of IPv4, multiple of 4
	extensions   []extension
	fragment     uint16 // flags and offset
	id           uint16
	ttl          uint8
	payload      []byte // behind the transport header; the whole of it for other protocols
	edit         func(frame []byte) []byte
}

func (p packet) frame() []byte {
	var b []byte
	b = append(b, p.to...)
	b = append(b, p.from...)
	b = binary.BigEndian.AppendUint16(b, p.etherType)
	b = append(b, p.datagram()...)
	if p.edit != nil {
		b = p.edit(b)
	}
	return b
}

func (p packet) datagram() []byte {
	if p.src.Is6() {
		return p.datagram6()
	}
	l4 := p.segment()
	header := make([]byte, 20+len(p.options))
	header[0] = 0x40 | uint8(len(header)/4)
	binary.BigEndian.PutUint16(header[2:], uint16(len(header)+len(l4)))
	binary.BigEndian.PutUint16(header[4:], p.id)
	binary.BigEndian.PutUint16(header[6:], p.fragment)
	header[8], header[9] = p.ttl, p.protocol
	copy(header[12:], p.src.AsSlice())
	copy(header[16:], p.dst.AsSlice())
	copy(header[20:], p.options)
	binary.BigEndian.PutUint16(header[10:], checksum(header))
	return append(header, l4...)
}

func (p packet) segment() []byte {
	var b []byte
	switch {
	case p.fragment&0x1fff != 0:
	case p.protocol == ProtocolTCP:
		b = make([]byte, 20)
		binary.BigEndian.PutUint16(b, p.sport)
		binary.BigEndian.PutUint16(b[2:], p.dport)
		binary.BigEndian.PutUint32(b[4:], p.sequence)
		binary.BigEndian.PutUint32(b[8:], p.ackSeq)
		b[12], b[13] = 5<<4, p.flags
		binary.BigEndian.PutUint16(b[16:], p.transportChecksum(append(b[:20:20], p.payload...)))
	case p.protocol == ProtocolUDP:
		b = make([]byte, 8)
		binary.BigEndian.PutUint16(b, p.sport)
		binary.BigEndian.PutUint16(b[2:], p.dport)
		binary.BigEndian.PutUint16(b[4:], uint16(8+len(p.payload)))
	}
	return append(b, p.payload...)
}

func (p packet) transportChecksum(segment []byte) uint16 {
	pseudo := append(append([]byte{}, p.src.AsSlice()...), p.dst.AsSlice()...)
	pseudo = binary.BigEndian.AppendUint16(append(pseudo, 0, p.protocol), uint16(len(segment)))
	if len(segment)%2 == 1 {
		segment = append(segment[:len(segment):len(segment)], 0)
	}
	return checksum(append(pseudo, segment...))
}

func checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// arpFrame builds an ARP message.
func arpFrame(to, from net.HardwareAddr, operation uint16, sender, target netip.Addr) []byte {
	var b []byte
	b = append(b, to...)
	b = append(b, from...)
	b = append(b, 8, 6, 0, 1, 8, 0, 6, 4)
	b = binary.BigEndian.AppendUint16(b, operation)
	b = append(b, from...)
	b = append(b, sender.AsSlice()...)
	b = append(b, make([]byte, 6)...)
	return append(b, target.AsSlice()...)
}
