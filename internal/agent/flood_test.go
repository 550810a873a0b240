package agent_test

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/lab"
)

// flood sends SYNs for the VIP's web port from the first client, as fast as two threads can, and says how many.
func flood(t *testing.T, l *lab.Lab, how time.Duration) uint64 {
	t.Helper()
	if _, err := greeting(l, 0, target(7)); err != nil { // now the client knows where the VIP is
		t.Fatal(err)
	}
	text, err := neighbour(l, lab.VIP().Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	to, err := net.ParseMAC(text)
	if err != nil {
		t.Fatal(err)
	}
	var sent atomic.Uint64
	var group sync.WaitGroup
	for range 2 {
		var socket int
		var at unix.SockaddrLinklayer
		err := l.Client(1).Do(func() error {
			card, err := net.InterfaceByName("eth0")
			if err != nil {
				return err
			}
			at = unix.SockaddrLinklayer{Ifindex: card.Index, Halen: 6}
			socket, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		group.Go(func() {
			defer unix.Close(socket)
			for end := time.Now().Add(how); time.Now().Before(end); {
				for range 64 {
					if unix.Sendto(socket, syn(to), 0, &at) == nil {
						sent.Add(1)
					}
				}
			}
		})
	}
	group.Wait()
	return sent.Load()
}

// syn is a frame with a SYN for port 80 of the VIP, from anywhere.
func syn(to net.HardwareAddr) []byte {
	const ethernet, ip, tcp = 14, 20, 20
	f := make([]byte, ethernet+ip+tcp)
	copy(f, to)
	copy(f[6:], []byte{0x02, 0x4d, 0xee, 0, 0, 1})
	binary.BigEndian.PutUint16(f[12:], unix.ETH_P_IP)
	h := f[ethernet:]
	h[0], h[8], h[9] = 0x45, 64, unix.IPPROTO_TCP
	binary.BigEndian.PutUint16(h[2:], ip+tcp)
	binary.BigEndian.PutUint32(h[12:], 10<<24|rand.Uint32()>>8) // 10.0.0.0/8
	vip := lab.VIP().Addr().As4()
	copy(h[16:], vip[:])
	binary.BigEndian.PutUint16(h[10:], ^fold(sum(h[:ip])))
	s := h[ip:]
	binary.BigEndian.PutUint16(s, uint16(1024+rand.IntN(60000)))
	binary.BigEndian.PutUint16(s[2:], 80)
	binary.BigEndian.PutUint32(s[4:], rand.Uint32())
	s[12], s[13] = 5<<4, 2 // SYN
	binary.BigEndian.PutUint16(s[14:], 65535)
	binary.BigEndian.PutUint16(s[16:], ^fold(sum(h[12:20])+unix.IPPROTO_TCP+tcp+sum(s)))
	return f
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
