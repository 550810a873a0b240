package vip

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// ProbeEvery is how often a host sends a probe for a VIP: seldom enough to cost nothing, often enough that whoever has just changed a switch reads what
// that did before he has turned to something else.
const ProbeEvery = 3 * time.Second

// A probe is of a protocol for experiments (RFC 3692, RFC 4727), which no kernel takes for anything else. Its time to live is a client's: what a switch
// may treat otherwise has no place in it.
const (
	etherIPv4     = 0x0800
	ipv4Len       = 20
	protocolProbe = 253
	probeTTL      = 64
	dontFragment  = 0x40 // of the flags
)

// The payload: a name, by which others that make experiments see whose this is, the version of what follows, and the host.
const (
	probeName    = "muster"
	probeVersion = 1
	probeLen     = len(probeName) + 2
)

// Probe asks the wire whether what clients send to a VIP's cluster MAC gets to the other hosts: a frame that looks to a switch like theirs, with
// the VIP's own address in it, which is what switches trip over that look groups up by IP address. Nobody answers it: no kernel answers a packet of an
// unknown protocol that came to a group's MAC (RFC 1812, 4.3.2.7; RFC 4443, 2.4) or to one that is not its card's (docs/design/0021-probe.md).
type Probe struct {
	Card   [6]byte    // the sender's own MAC: no switch learns the cluster's
	To     [6]byte    // the cluster's MAC
	Source netip.Addr // an address of the sender
	VIP    netip.Addr
	Host   uint8 // index of the sender in the configuration
}

// NewProbe makes the probe that a host sends for a VIP.
func NewProbe(source, vip netip.Addr, card, to net.HardwareAddr, host uint8) (Probe, error) {
	if source.BitLen() != vip.BitLen() || !vip.IsValid() || vip.Is4In6() || source.Is4In6() || len(card) != 6 || len(to) != 6 {
		return Probe{}, fmt.Errorf("probe %s at %q from %s at %q: not two IPs of a family and two Ethernet addresses", vip, to.String(), source, card.String())
	}
	return Probe{Card: [6]byte(card), To: [6]byte(to), Source: source.WithZone(""), VIP: vip.WithZone(""), Host: host}, nil
}

// Frame lays the probe out. Drivers pad it to the 60 bytes that Ethernet asks for.
func (p Probe) Frame() []byte {
	b := make([]byte, 0, 14+ipv6Len+probeLen)
	b = append(b, p.To[:]...)
	b = append(b, p.Card[:]...)
	if p.VIP.Is6() {
		b = binary.BigEndian.AppendUint16(b, etherIPv6)
		b = append(b, 6<<4, 0, 0, 0, 0, byte(probeLen), protocolProbe, probeTTL)
	} else {
		b = binary.BigEndian.AppendUint16(b, etherIPv4)
		b = append(b, 4<<4|ipv4Len/4, 0, 0, byte(ipv4Len+probeLen), 0, 0, dontFragment, 0, probeTTL, protocolProbe, 0, 0)
	}
	b = append(b, p.Source.AsSlice()...)
	b = append(b, p.VIP.AsSlice()...)
	if p.VIP.Is4() {
		header := b[14 : 14+ipv4Len]
		binary.BigEndian.PutUint16(header[10:], ^fold(sum16(0, header)))
	}
	b = append(b, probeName...)
	return append(b, probeVersion, p.Host)
}

// ReadProbe reads a frame; false: it is no probe of this version, whatever else it is. Who sent it is for the caller to judge.
func ReadProbe(frame []byte) (p Probe, ok bool) {
	if len(frame) < 14 {
		return p, false
	}
	copy(p.To[:], frame)
	copy(p.Card[:], frame[6:])
	var payload []byte
	switch packet := frame[14:]; binary.BigEndian.Uint16(frame[12:]) {
	case etherIPv4:
		payload = p.readIPv4(packet)
	case etherIPv6:
		payload = p.readIPv6(packet)
	}
	if len(payload) != probeLen || !bytes.HasPrefix(payload, []byte(probeName)) || payload[len(probeName)] != probeVersion {
		return Probe{}, false
	}
	p.Host = payload[probeLen-1]
	return p, true
}

// readIPv4 takes the addresses and gives the payload, without padding; empty: it can be no probe's.
func (p *Probe) readIPv4(b []byte) []byte {
	if len(b) < ipv4Len+probeLen || b[0] != 4<<4|ipv4Len/4 || b[9] != protocolProbe || fold(sum16(0, b[:ipv4Len])) != 0xffff {
		return nil
	}
	fragment := binary.BigEndian.Uint16(b[6:]) &^ (dontFragment << 8)
	if fragment != 0 || int(binary.BigEndian.Uint16(b[2:])) != ipv4Len+probeLen {
		return nil
	}
	p.Source, p.VIP = netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:]))
	return b[ipv4Len : ipv4Len+probeLen]
}

// readIPv6 does the same.
func (p *Probe) readIPv6(b []byte) []byte {
	if len(b) < ipv6Len+probeLen || b[0]>>4 != 6 || b[6] != protocolProbe || int(binary.BigEndian.Uint16(b[4:])) != probeLen {
		return nil
	}
	p.Source, p.VIP = netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:]))
	if p.Source.Is4In6() || p.VIP.Is4In6() {
		return nil
	}
	return b[ipv6Len : ipv6Len+probeLen]
}
