package syn

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/lab"
)

const (
	card    = "eth0" // of every node, on the first network
	threads = 2      // more find no more processor time beside the hosts on a small machine
	burst   = 64     // frames between two looks at whether it is over

	// Sources of a flood: 10.128.0.0/9, which no lab uses.
	firstSource = 10<<24 | 128<<16
	sourceBits  = 23
)

// Options say what is attacked.
type Options struct {
	To     net.HardwareAddr // where the frames go: the director, or the cluster's address
	Target netip.AddrPort   // the VIP and a port with a rule
}

// Flood sends SYNs from random sources, as many as two threads can, until the context ends, and says how many were sent.
func Flood(ctx context.Context, from *lab.Node, o Options) (uint64, error) {
	var sent atomic.Uint64
	var group sync.WaitGroup
	defer group.Wait()
	for range threads {
		s, err := openSender(from)
		if err != nil {
			return 0, err
		}
		group.Go(func() { defer s.close(); sent.Add(s.flood(ctx, o)) })
	}
	group.Wait()
	return sent.Load(), nil
}

// sender sends frames from a node's card.
type sender struct {
	fd  int
	at  unix.SockaddrLinklayer
	mac net.HardwareAddr
}

func openSender(n *lab.Node) (s *sender, err error) {
	s = &sender{fd: -1}
	err = n.Do(func() error {
		c, err := net.InterfaceByName(card)
		if err != nil {
			return err
		}
		s.at, s.mac = unix.SockaddrLinklayer{Ifindex: c.Index, Halen: 6}, c.HardwareAddr
		s.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open raw socket on %s: %w", n.Name(), err)
	}
	return s, nil
}

func (s *sender) close() { unix.Close(s.fd) }

func (s *sender) send(frame []byte) error {
	if err := unix.Sendto(s.fd, frame, 0, &s.at); err != nil {
		return fmt.Errorf("send frame: %w", err)
	}
	return nil
}

func (s *sender) flood(ctx context.Context, o Options) (sent uint64) {
	f := newFrame(o.To, s.mac, segment{to: o.Target, flags: flagSYN})
	for ctx.Err() == nil {
		for range burst {
			r := rand.Uint64()
			f.set(firstSource|uint32(r)>>(32-sourceBits), uint16(r>>32)|1024, uint32(r>>16))
			if s.send(f.b[:]) == nil {
				sent++
			}
		}
	}
	return sent
}

// ReturnPath makes the hosts send what is for strangers to the first client, which drops it. A host that knows no way to a caller answers
// nothing and remembers nothing: no flood would ever fill its tables.
func ReturnPath(l *lab.Lab) error {
	via := l.Client(1).Address()
	for _, h := range l.Hosts() {
		err := h.Do(func() error {
			return netlink.RouteReplace(&netlink.Route{Dst: &net.IPNet{IP: net.IPv4zero, Mask: net.CIDRMask(0, 32)}, Gw: via.AsSlice()})
		})
		if err != nil {
			return fmt.Errorf("add route of %s: %w", h.Name(), err)
		}
	}
	return nil
}
