package vip

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	pkt "github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

const (
	// tapBuffer holds what 32 hosts send for 64 VIPs between two looks. The kernel counts a frame with what a card's driver took for it.
	tapBuffer = 1 << 20

	// tapFrames bounds what one look reads, whatever somebody sends.
	tapFrames = 2048

	tapFrame = 128 // bytes of a frame that are copied: a probe is shorter
)

// Tap hears the probes that come in on an interface, and none of its own. It waits for nothing: what has come is there to be read.
type Tap struct {
	conn   *pkt.Conn
	raw    syscall.RawConn
	buffer [tapFrame]byte
}

// OpenTap opens a Tap. One is enough for all VIPs of an interface: each costs every frame that comes in a look.
func OpenTap(i Interface) (*Tap, error) {
	filter, err := bpf.Assemble(tapFilter())
	if err != nil {
		return nil, fmt.Errorf("make socket filter: %w", err)
	}
	// For every protocol: where sockets ask for one, the kernel hands its own stack a copy of each packet.
	conn, err := pkt.Listen(&net.Interface{Index: i.Index, Name: i.Name, HardwareAddr: i.MAC}, pkt.Raw, unix.ETH_P_ALL, &pkt.Config{Filter: filter})
	if err != nil {
		return nil, fmt.Errorf("listen for probes on %s: %w", i.Name, err)
	}
	t := &Tap{conn: conn}
	if err := t.setUp(); err != nil {
		conn.Close()
		return nil, fmt.Errorf("listen for probes on %s: %w", i.Name, err)
	}
	return t, nil
}

// setUp keeps what leaves the interface from the tap, for which the kernel would copy all of it, and gives it its buffer.
func (t *Tap) setUp() (err error) {
	if t.raw, err = t.conn.SyscallConn(); err != nil {
		return err
	}
	failed := t.raw.Control(func(fd uintptr) {
		err = errors.Join(unix.SetsockoptInt(int(fd), unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1),
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, tapBuffer))
	})
	return errors.Join(failed, err)
}

// tapFilter lets probes of this network through: those of another have its tag.
func tapFilter() []bpf.Instruction {
	var program []bpf.Instruction
	for _, family := range []struct{ ethernet, protocol, payload uint32 }{{etherIPv4, 14 + 9, 14 + ipv4Len}, {etherIPv6, 14 + 6, 14 + ipv6Len}} {
		name := []byte(probeName)
		program = append(program,
			bpf.LoadAbsolute{Off: 12, Size: 2}, bpf.JumpIf{Cond: bpf.JumpEqual, Val: family.ethernet, SkipFalse: 10},
			bpf.LoadAbsolute{Off: family.protocol, Size: 1}, bpf.JumpIf{Cond: bpf.JumpEqual, Val: protocolProbe, SkipFalse: 7},
			bpf.LoadAbsolute{Off: family.payload, Size: 4}, bpf.JumpIf{Cond: bpf.JumpEqual, Val: word(name[:4]), SkipFalse: 5},
			bpf.LoadAbsolute{Off: family.payload + 4, Size: 2}, bpf.JumpIf{Cond: bpf.JumpEqual, Val: word(name[4:]), SkipFalse: 3},
			bpf.LoadExtension{Num: bpf.ExtVLANTag}, bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: 0xfff, SkipFalse: 1},
			bpf.RetConstant{Val: tapFrame}, bpf.RetConstant{},
		)
	}
	return append(program, bpf.RetConstant{})
}

// word is some bytes as the kernel loads them.
func word(b []byte) (w uint32) {
	for _, each := range b {
		w = w<<8 | uint32(each)
	}
	return w
}

// Read hands over every probe that has come since the last time. whole is false if there were others, which are lost: then nothing can be said about
// whoever was not heard.
func (t *Tap) Read(take func(Probe)) (whole bool) {
	rest := true
	failed := t.raw.Read(func(fd uintptr) bool {
		for range tapFrames {
			n, err := unix.Read(int(fd), t.buffer[:])
			if err != nil {
				rest = err != unix.EAGAIN // a link that is down says so once
				break
			}
			if p, ok := ReadProbe(t.buffer[:n]); ok {
				take(p)
			}
		}
		return true
	})
	stats, err := t.conn.Stats()
	return failed == nil && err == nil && !rest && stats.Drops == 0
}

// Close closes the socket.
func (t *Tap) Close() error { return t.conn.Close() }
