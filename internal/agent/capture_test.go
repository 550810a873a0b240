package agent_test

import (
	"net"
	"testing"

	"github.com/mdlayher/packet"

	"github.com/muster-ha/muster/internal/lab"
)

// capture is a socket that gets the frames of a protocol at a node's card (unix.ETH_P_ALL: every one, sent ones too) until the test ends. It
// joins no group.
func capture(t *testing.T, n *lab.Node, protocol int) *packet.Conn {
	t.Helper()
	var conn *packet.Conn
	err := n.Do(func() error {
		eth, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		conn, err = packet.Listen(eth, packet.Raw, protocol, nil)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// eachFrame hands over the frames that a socket gets until it is closed. A frame is good until the next one.
func eachFrame(conn *packet.Conn, f func(frame []byte)) {
	for buffer := make([]byte, 2048); ; {
		n, _, err := conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		f(buffer[:n])
	}
}
