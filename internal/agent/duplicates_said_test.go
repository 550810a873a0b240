package agent_test

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	pkt "github.com/mdlayher/packet"
	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/lab"
)

// saidBy counts, until the test ends, what hosts say to a client of where an address is. Questions of who looks for duplicates do not count.
func saidBy(t *testing.T, at *lab.Node, a netip.Addr, hosts ...*lab.Host) *atomic.Int64 {
	t.Helper()
	var macs []string
	for _, h := range hosts {
		macs = append(macs, macOf(t, h))
	}
	protocol := unix.ETH_P_ARP
	if a.Is6() {
		protocol = unix.ETH_P_IPV6
	}
	var conn *pkt.Conn
	err := at.Do(func() error {
		eth, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		conn, err = pkt.Listen(eth, pkt.Raw, protocol, nil)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	said := new(atomic.Int64)
	go func() {
		for buffer := make([]byte, 2048); ; {
			n, _, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			if slices.Contains(macs, net.HardwareAddr(buffer[6:12]).String()) && saysWhere(buffer[:n], a) {
				said.Add(1)
			}
		}
	}()
	return said
}

// saysWhere says whether a frame is an ARP message whose sender has the address, or an advertisement of it.
func saysWhere(frame []byte, a netip.Addr) bool {
	const arpSender, icmp, ndTarget, advertisement = 28, 14 + 40, 14 + 40 + 8, 136
	if a.Is4() {
		return len(frame) >= 42 && bytes.Equal(frame[arpSender:arpSender+4], a.AsSlice())
	}
	return len(frame) >= ndTarget+16 && frame[icmp] == advertisement && bytes.Equal(frame[ndTarget:ndTarget+16], a.AsSlice())
}

// fellSilent waits until a director has said what it says at first: it then is silent for half a minute, if nobody contradicts it.
func fellSilent(t *testing.T, said *atomic.Int64) {
	t.Helper()
	last, since := said.Load(), time.Now()
	eventually(t, patience, "the first announcements are over", func() error {
		if now := said.Load(); now != last {
			last, since = now, time.Now()
		}
		if last == 0 || time.Since(since) < 1500*time.Millisecond { // the last of them comes 800 ms after the one before
			return errors.New("they are not")
		}
		return nil
	})
}
