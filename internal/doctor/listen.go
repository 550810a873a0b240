package doctor

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	pkt "github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/vip"
)

const (
	// maxForeign bounds the wait for a frame from the cluster's MAC: who has it usually says something within seconds.
	maxForeign = 5 * time.Second
	// beforeLeaving is how long a membership lasts that is only there to be left: a querier must have heard of it.
	beforeLeaving = 300 * time.Millisecond
	maxFrames     = 10_000 // read in one wait, whatever comes
	frameSize     = 128    // enough for every header that is looked at
)

// awaitQuerier waits until an IGMP query comes in on an interface.
func awaitQuerier(ctx context.Context, link vip.Interface, d time.Duration) Querier {
	// Fetch the protocol of IPv4 (offset 9 of its header) and keep IGMP: the rest of the traffic is not copied.
	conn, err := capture(link, unix.ETH_P_IP, []bpf.Instruction{
		bpf.LoadAbsolute{Off: 14 + 9, Size: 1}, bpf.JumpIf{Cond: bpf.JumpEqual, Val: 2, SkipFalse: 1}, bpf.RetConstant{Val: frameSize}, bpf.RetConstant{},
	})
	if err != nil {
		return Querier{Err: err}
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	go provoke(ctx, link)
	var q Querier
	frames(ctx, conn, func(frame []byte) bool {
		from, ok := query(frame)
		if ok {
			q.Address = from
		}
		return ok
	})
	return q
}

// provoke joins a group and leaves it: a querier then asks at once whether others are left (RFC 2236, 3; RFC 3376, 6.6.3.1).
func provoke(ctx context.Context, link vip.Interface) {
	group := net.IPv4(239, 255, 191, byte(1+rand.IntN(250))) // of no cluster's heartbeats for long, whatever it is
	conn, err := net.ListenMulticastUDP("udp4", &net.Interface{Index: link.Index, Name: link.Name}, &net.UDPAddr{IP: group})
	if err != nil {
		return // the querier's own interval is waited for
	}
	defer conn.Close()
	select {
	case <-ctx.Done():
	case <-time.After(beforeLeaving):
	}
}

// query reads the source of an IGMP query out of an Ethernet frame. 0.0.0.0 is that of a switch that asks for want of a router.
func query(frame []byte) (netip.Addr, bool) {
	const ethernet, header, membershipQuery = 14, 20, 0x11
	if len(frame) < ethernet+header {
		return netip.Addr{}, false
	}
	ip := frame[ethernet:]
	length := int(ip[0]&15) * 4
	if ip[0]>>4 != 4 || length < header || len(ip) < length+8 || ip[9] != 2 || ip[length] != membershipQuery {
		return netip.Addr{}, false
	}
	return netip.AddrFrom4([4]byte(ip[12:16])), true
}

// heardFrom reports whether somebody sends frames from a MAC.
func heardFrom(ctx context.Context, link vip.Interface, mac net.HardwareAddr, d time.Duration) bool {
	high := uint32(mac[0])<<24 | uint32(mac[1])<<16 | uint32(mac[2])<<8 | uint32(mac[3])
	conn, err := capture(link, unix.ETH_P_ALL, []bpf.Instruction{
		bpf.LoadAbsolute{Off: 6, Size: 4}, bpf.JumpIf{Cond: bpf.JumpEqual, Val: high, SkipFalse: 3},
		bpf.LoadAbsolute{Off: 10, Size: 2}, bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(mac[4])<<8 | uint32(mac[5]), SkipFalse: 1},
		bpf.RetConstant{Val: frameSize}, bpf.RetConstant{},
	})
	if err != nil {
		return false
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	heard := false
	frames(ctx, conn, func([]byte) bool { heard = true; return true })
	return heard
}

// capture opens a socket that hears what a program of the classic kind lets through.
func capture(link vip.Interface, protocol int, program []bpf.Instruction) (*pkt.Conn, error) {
	filter, err := bpf.Assemble(program)
	if err != nil {
		return nil, fmt.Errorf("make socket filter: %w", err)
	}
	conn, err := pkt.Listen(&net.Interface{Name: link.Name, Index: link.Index, HardwareAddr: link.MAC}, pkt.Raw, protocol, &pkt.Config{Filter: filter})
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", link.Name, err)
	}
	return conn, nil
}

// frames gives each frame to f until it is content, or ctx ends.
func frames(ctx context.Context, conn *pkt.Conn, f func(frame []byte) (enough bool)) {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	buffer := make([]byte, frameSize)
	for range maxFrames {
		n, _, err := conn.ReadFrom(buffer)
		if err != nil || f(buffer[:n]) {
			return
		}
	}
}
