package vip

import (
	"encoding/binary"
	"net/netip"
)

// Sizes and numbers of neighbour discovery on Ethernet (RFC 4861, 4.4 and 4.6).
const (
	etherIPv6       = 0x86dd
	ipv6Len         = 40
	ndLen           = 24 // an advertisement without options
	optionLen       = 8
	protocolICMPv6  = 58
	ndHopLimit      = 255 // what a router would have lowered
	ndSolicitation  = 135
	ndAdvertisement = 136
	ndOverride      = 0x20 // the flag that has neighbours replace the MAC that they know
	targetMAC       = 2    // the option with the MAC
)

// allNodes is the group of every node on a link (RFC 4291, 2.7.1), and allNodesMAC the address of its frames (RFC 2464, 7).
func allNodes() netip.Addr { return netip.MustParseAddr("ff02::1") }
func allNodesMAC() [6]byte { return [6]byte{0x33, 0x33, 0, 0, 0, 1} }

// advertisement lays out an unsolicited neighbour advertisement (RFC 4861, 7.2.6): all nodes that know addr have it at mac now. Who does not know it yet
// ignores the frame, and asks when he needs to.
func advertisement(addr netip.Addr, mac, source [6]byte) []byte {
	message := make([]byte, 0, ndLen+optionLen)
	message = append(message, ndAdvertisement, 0, 0, 0, ndOverride, 0, 0, 0)
	message = append(message, addr.AsSlice()...)
	message = append(message, targetMAC, optionLen/8)
	message = append(message, mac[:]...)
	binary.BigEndian.PutUint16(message[2:], checksum(addr, allNodes(), message))

	return overIPv6(allNodesMAC(), source, addr, allNodes(), message)
}

// solicitation lays out the question of who looks for duplicates of an address (RFC 4862, 5.4.2): to the group of those whose address ends
// like it, from nobody.
func solicitation(addr netip.Addr, source [6]byte) []byte {
	message := make([]byte, 0, ndLen)
	message = append(message, ndSolicitation, 0, 0, 0, 0, 0, 0, 0)
	message = append(message, addr.AsSlice()...)
	end := addr.As16()
	group := netip.MustParseAddr("ff02::1:ff00:0").As16()
	copy(group[13:], end[13:])
	to := netip.AddrFrom16(group)
	binary.BigEndian.PutUint16(message[2:], checksum(netip.IPv6Unspecified(), to, message))
	return overIPv6([6]byte{0x33, 0x33, 0xff, end[13], end[14], end[15]}, source, netip.IPv6Unspecified(), to, message)
}

// overIPv6 puts an ICMPv6 message into a frame.
func overIPv6(to, source [6]byte, from, group netip.Addr, message []byte) []byte {
	b := make([]byte, 0, 14+ipv6Len+len(message))
	b = append(b, to[:]...)
	b = append(b, source[:]...)
	b = binary.BigEndian.AppendUint16(b, etherIPv6)
	b = append(b, 6<<4, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(len(message)))
	b = append(b, protocolICMPv6, ndHopLimit)
	b = append(b, from.AsSlice()...)
	b = append(b, group.AsSlice()...)
	return append(b, message...)
}

// checksum is that of an ICMPv6 message of even length between two addresses (RFC 8200, 8.1).
func checksum(from, to netip.Addr, message []byte) uint16 {
	sum := uint32(len(message)) + protocolICMPv6
	for _, part := range [][]byte{from.AsSlice(), to.AsSlice(), message} {
		sum = sum16(sum, part)
	}
	return ^fold(sum)
}

// sum16 adds the words of an even number of bytes to a sum (RFC 1071), and fold brings that into one word.
func sum16(sum uint32, b []byte) uint32 {
	for ; len(b) > 0; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	return sum
}

func fold(sum uint32) uint16 {
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}
