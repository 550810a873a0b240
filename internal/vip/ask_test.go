package vip

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"time"

	pkt "github.com/mdlayher/packet"
	"golang.org/x/sys/unix"
)

// ask asks the link who has an address and returns the MAC of the first who answers, or nil: it is what a client would do.
func ask(i Interface, addr netip.Addr) (net.HardwareAddr, error) {
	question, err := Question(addr, i.MAC)
	if err != nil {
		return nil, err
	}
	conn, err := pkt.Listen(&net.Interface{Name: i.Name, Index: i.Index, HardwareAddr: i.MAC}, pkt.Raw, unix.ETH_P_ARP, nil)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
		return nil, err
	}
	if _, err := conn.WriteTo(question, everybody()); err != nil {
		return nil, err
	}
	for buf := make([]byte, 128); ; {
		n, _, err := conn.ReadFrom(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if p, ok := parse(buf[:n]); ok && p.sender == addr {
			return p.senderMAC[:], nil
		}
	}
}

// parse reads an Ethernet frame with ARP for IPv4 in it; ok is false for all else. Bytes after the packet are padding.
func parse(b []byte) (p packet, ok bool) {
	if len(b) < frameLen || binary.BigEndian.Uint16(b[12:]) != etherARP || [6]byte(b[14:20]) != [6]byte{0, 1, 0x08, 0, 6, 4} {
		return packet{}, false
	}
	p.source = [6]byte(b[6:12])
	p.operation = binary.BigEndian.Uint16(b[20:])
	p.senderMAC = [6]byte(b[22:28])
	p.sender = netip.AddrFrom4([4]byte(b[28:32]))
	p.targetMAC = [6]byte(b[32:38])
	p.target = netip.AddrFrom4([4]byte(b[38:42]))
	return p, p.operation == opRequest || p.operation == opReply
}
