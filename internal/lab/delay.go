package lab

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"github.com/cilium/ebpf/asm"
	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Delay makes heartbeats by IPv4 late on their way to a node, each by a time and, at random, up to jitter more, so that they overtake each other too. It does
// without netem, which a kernel may lack: a filter on the node's port leads them to this process, which sends them on when they are due. So
// it ends with the process, after which none arrive, or with the function that is returned.
func (n *Node) Delay(by, jitter time.Duration) (end func() error, err error) {
	line := &delayLine{port: n.name, by: by, jitter: jitter}
	if err := n.lab.sw.do(line.open); err != nil {
		return nil, errors.Join(fmt.Errorf("delay heartbeats to %s: %w", n.name, err), n.lab.sw.do(line.close))
	}
	go line.run()
	return func() error { return n.lab.sw.do(line.close) }, nil
}

// delayLine holds frames that are on their way to a port.
type delayLine struct {
	port       string
	by, jitter time.Duration
	in, out    *packet.Conn
}

// The ends of the cable on which frames come to this process.
func (l *delayLine) head() string { return "late" + l.port }
func (l *delayLine) tail() string { return "due" + l.port }

// open makes everything, the filter last. Call it in the switch's namespace, as close.
func (l *delayLine) open() error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = l.head()
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: l.tail()}); err != nil {
		return fmt.Errorf("make a cable for them: %w", err)
	}
	for _, name := range []string{l.head(), l.tail()} {
		link, err := netlink.LinkByName(name)
		if err != nil {
			return fmt.Errorf("find %s: %w", name, err)
		}
		if err := netlink.LinkSetUp(link); err != nil {
			return fmt.Errorf("switch %s on: %w", name, err)
		}
	}
	var err error
	if l.in, err = listenOn(l.tail(), unix.ETH_P_ALL); err != nil {
		return err
	}
	if l.out, err = listenOn(l.port, 0); err != nil {
		return err
	}
	if err := bypass(l.out); err != nil {
		return fmt.Errorf("send past the filters of %s: %w", l.port, err)
	}
	head, err := netlink.LinkByName(l.head())
	if err != nil {
		return fmt.Errorf("find %s: %w", l.head(), err)
	}
	return addFilter(l.port, Received, delayPriority, redirect(HeartbeatPort, head.Attrs().Index))
}

// close undoes what open did, as far as it came and is still there. Frames that are not yet due are lost.
func (l *delayLine) close() error {
	var err error
	if _, missing := netlink.LinkByName(l.port); missing == nil {
		err = removeDrop(l.port, Received, delayPriority)
	}
	for _, conn := range []*packet.Conn{l.in, l.out} {
		if conn != nil {
			err = errors.Join(err, conn.Close())
		}
	}
	head, missing := netlink.LinkByName(l.head())
	if missing != nil {
		return err
	}
	return errors.Join(err, netlink.LinkDel(head))
}

// run sends frames on until the line is closed.
func (l *delayLine) run() {
	for buffer := make([]byte, 1<<16); ; {
		n, _, err := l.in.ReadFrom(buffer)
		if err != nil {
			return
		}
		frame := bytes.Clone(buffer[:n])
		if !dropChecksum(frame) {
			continue
		}
		time.AfterFunc(l.by+rand.N(l.jitter+1), func() {
			_, _ = l.out.WriteTo(frame, &packet.Addr{HardwareAddr: net.HardwareAddr(frame[:6])}) // lost, if the line is closed
		})
	}
}

// dropChecksum says of a UDP frame that it has no checksum (RFC 768): a sender leaves it to its card, and here was none.
func dropChecksum(frame []byte) bool {
	const ethernet, udp = 14, 8
	if len(frame) < ethernet+1 {
		return false
	}
	at := ethernet + int(frame[ethernet]&0x0f)*4
	if len(frame) < at+udp {
		return false
	}
	frame[at+6], frame[at+7] = 0, 0
	return true
}

func listenOn(name string, protocol int) (*packet.Conn, error) {
	link, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", name, err)
	}
	conn, err := packet.Listen(link, packet.Raw, protocol, nil)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", name, err)
	}
	return conn, nil
}

// bypass makes what a socket sends go past the filters that stand at the way out of its interface.
func bypass(conn *packet.Conn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var refused error
	if err := raw.Control(func(fd uintptr) {
		refused = unix.SetsockoptInt(int(fd), unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1)
	}); err != nil {
		return err
	}
	return refused
}

// redirect is a program that leads UDP over IPv4 of a port out of another interface.
func redirect(udpPort uint16, to int) asm.Instructions {
	const next = -1
	code := append(asm.Instructions{asm.Mov.Reg(asm.R6, asm.R1)}, drop{udpPort: udpPort}.matchUDP()...)
	return append(code,
		asm.Mov.Imm(asm.R1, int32(to)), asm.Mov.Imm(asm.R2, 0), asm.FnRedirect.Call(), asm.Return(),
		asm.Mov.Imm(asm.R0, next).WithSymbol("pass"), asm.Return())
}
