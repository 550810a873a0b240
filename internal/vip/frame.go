package vip

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
)

// Sizes and numbers of ARP on Ethernet (RFC 826).
const (
	frameLen  = 14 + 28
	etherARP  = 0x0806
	opRequest = 1
	opReply   = 2
)

// packet is an ARP packet with its Ethernet source. Both are said to be the sender's, and a stranger may say otherwise.
type packet struct {
	source    [6]byte // Ethernet header
	operation uint16
	senderMAC [6]byte
	sender    netip.Addr
	targetMAC [6]byte
	target    netip.Addr
}

// broadcast is where all our frames go.
func broadcast() [6]byte { return [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff} }

// frame lays the packet out as a broadcast Ethernet frame. Drivers pad it to the 60 bytes that Ethernet asks for.
func (p packet) frame() []byte {
	to := broadcast()
	b := make([]byte, 0, frameLen)
	b = append(b, to[:]...)
	b = append(b, p.source[:]...)
	b = binary.BigEndian.AppendUint16(b, etherARP)
	b = append(b, 0, 1, 0x08, 0, 6, 4) // Ethernet, IPv4, and the lengths of their addresses
	b = binary.BigEndian.AppendUint16(b, p.operation)
	b = append(b, p.senderMAC[:]...)
	b = append(b, p.sender.AsSlice()...)
	b = append(b, p.targetMAC[:]...)
	return append(b, p.target.AsSlice()...)
}

// Announcements gives the forms of "addr is at mac", sent from the card's own MAC so that no switch learns the cluster's: by neighbour discovery
// one, by ARP two. Which of those updates a neighbour's table differs by its maker.
func Announcements(addr netip.Addr, mac, card net.HardwareAddr) ([][]byte, error) {
	if !addr.IsValid() || addr.Is4In6() || len(mac) != 6 || len(card) != 6 {
		return nil, fmt.Errorf("announce %s at %q from %q: not an IP and two Ethernet addresses", addr, mac.String(), card.String())
	}
	at, source := [6]byte(mac), [6]byte(card)
	if addr.Is6() {
		return [][]byte{advertisement(addr, at, source)}, nil
	}
	request := packet{source: source, operation: opRequest, senderMAC: at, sender: addr, target: addr} // RFC 5227, 2.3
	reply := packet{source: source, operation: opReply, senderMAC: at, sender: addr, targetMAC: at, target: addr}
	return [][]byte{request.frame(), reply.frame()}, nil
}
