package vip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	pkt "github.com/mdlayher/packet"
	"golang.org/x/sys/unix"
)

// A Probe asks this often, this far apart, and listens for as long again after the last.
const (
	probes     = 3
	probeEvery = 100 * time.Millisecond
)

// maxProbeFrames bounds what a Probe reads: a link full of ARP must not keep it busy.
const maxProbeFrames = 10_000

// Probe asks the link whether a stranger has the address: anyone whose MAC is neither ours nor known (the other hosts of the
// cluster). It takes 300 ms if nobody answers. A stranger comes with an error that wraps ErrTaken and says what to do.
func Probe(ctx context.Context, i Interface, addr netip.Addr, known func(net.HardwareAddr) bool) (stranger net.HardwareAddr, err error) {
	ask, err := question(addr, i.MAC)
	if err != nil {
		return nil, err
	}
	conn, err := pkt.Listen(&net.Interface{Name: i.Name, Index: i.Index, HardwareAddr: i.MAC}, pkt.Raw, unix.ETH_P_ARP, nil)
	if err != nil {
		return nil, fmt.Errorf("probe %s on %s: %w", addr, i.Name, err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	for range probes {
		if _, err := conn.WriteTo(ask, everybody()); err != nil {
			return nil, fmt.Errorf("probe %s on %s: %w (is the interface up?)", addr, i.Name, err)
		}
		stranger, err := listen(ctx, conn, addr, func(mac net.HardwareAddr) bool { return string(mac) == string(i.MAC) || known(mac) })
		if err != nil {
			return nil, fmt.Errorf("probe %s on %s: %w", addr, i.Name, err)
		}
		if stranger != nil {
			return stranger, fmt.Errorf("%w: %s is at %s on %s, which is no host of this cluster: find that machine and change its address, or choose another for the VIP",
				ErrTaken, addr, stranger, i.Name)
		}
	}
	return nil, nil
}

// listen waits one interval for a stranger's claim.
func listen(ctx context.Context, conn net.PacketConn, addr netip.Addr, known func(net.HardwareAddr) bool) (net.HardwareAddr, error) {
	if err := conn.SetReadDeadline(time.Now().Add(probeEvery)); err != nil {
		return nil, err
	}
	buf := make([]byte, 128) // more than an ARP frame with its padding; the rest of a longer one is cut off
	for range maxProbeFrames {
		if ctx.Err() != nil {
			return nil, ctx.Err() // also when SetReadDeadline above came after the one that ctx set
		}
		n, _, err := conn.ReadFrom(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		if mac := claims(buf[:n], addr, known); mac != nil {
			return mac, nil
		}
	}
	return nil, errors.New("the link is full of ARP: find out what sends it")
}

// claims gives the MAC of a stranger who says that the address is his. A question about it claims nothing: the other hosts ask
// at the same time as we do, and may not be known yet.
func claims(frame []byte, addr netip.Addr, known func(net.HardwareAddr) bool) net.HardwareAddr {
	p, ok := parse(frame)
	if !ok || p.sender != addr {
		return nil
	}
	for _, mac := range [][6]byte{p.senderMAC, p.source} {
		if known(mac[:]) {
			return nil
		}
	}
	return p.senderMAC[:]
}
