package vip

import (
	"fmt"
	"net"

	pkt "github.com/mdlayher/packet"
)

// Port sends frames on an interface. It receives nothing.
type Port struct{ conn *pkt.Conn }

// OpenPort opens a Port. One is enough for all VIPs of an interface.
func OpenPort(i Interface) (*Port, error) {
	// Protocol 0 receives nothing: nobody would read it, and each frame would be copied.
	conn, err := pkt.Listen(&net.Interface{Name: i.Name, Index: i.Index, HardwareAddr: i.MAC}, pkt.Raw, 0, nil)
	if err != nil {
		return nil, fmt.Errorf("open raw socket on %s: %w", i.Name, err)
	}
	return &Port{conn: conn}, nil
}

// Send sends a whole Ethernet frame to every host on the link.
func (p *Port) Send(frame []byte) error {
	if _, err := p.conn.WriteTo(frame, everybody()); err != nil {
		return fmt.Errorf("send frame: %w", err)
	}
	return nil
}

// Close closes the socket.
func (p *Port) Close() error { return p.conn.Close() }

func everybody() *pkt.Addr {
	b := broadcast()
	return &pkt.Addr{HardwareAddr: b[:]}
}
