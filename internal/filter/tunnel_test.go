package filter

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"testing"
)

// tunnelBench is the usual bench, with a second stub that stands for the tunnel.
func tunnelBench(t testing.TB) (*bench, Tunnel) {
	t.Helper()
	b := newBench(t)
	end := Tunnel{Interface: b.stub("d1", strangeMAC), MAC: strangeMAC, VNI: 7, Local: netip.MustParseAddr("10.9.0.1"), MTU: 1450}
	b.tunnel(end)
	return b, end
}

func (b *bench) tunnel(end Tunnel) {
	b.t.Helper()
	err := b.f.Configure(Setup{VIPs: []VIP{{Address: testVIP, Interface: b.ifindex, MAC: ownMAC, Tunnel: end.Interface != 0}}, Tunnel: end,
		Rules: []Rule{tcpRule(0, PortRange{testPort, testPort}), {Ports: []PortRange{{53, 53}}, Protocol: ProtocolUDP}}})
	if err != nil {
		b.t.Fatal(err)
	}
}

// gives runs a program and wants a verdict and what it counts.
func (b *bench) gives(t *testing.T, d direction, frame []byte, want uint32, why ...Reason) (out []byte) {
	t.Helper()
	verdict, counted, out := b.run(d, frame)
	if verdict != want || !slices.Equal(counted, why) {
		t.Errorf("verdict %d, counted %v; want %d, %v", int32(verdict), counted, int32(want), why)
	}
	return out
}

// answer is what the VIP says to a SYN, with options behind its header.
func answer(flags uint8, options ...byte) packet {
	return fromClient(func(p *packet) {
		p.src, p.dst = p.dst, p.src
		p.sport, p.dport = p.dport, p.sport
		p.flags = flags
		p.edit = func(frame []byte) []byte {
			frame = append(frame, options...)
			frame[14+20+12] = byte(20+len(options)) / 4 << 4
			binary.BigEndian.PutUint16(frame[16:], uint16(len(frame)-14))
			return resum(frame)
		}
	})
}

// resum gives a frame the checksums that belong to its bytes.
func resum(frame []byte) []byte {
	ip, tcp := frame[14:34], frame[34:]
	binary.BigEndian.PutUint16(ip[10:], 0)
	binary.BigEndian.PutUint16(ip[10:], checksum(ip))
	binary.BigEndian.PutUint16(tcp[16:], 0)
	binary.BigEndian.PutUint16(tcp[16:], tcpSum(frame))
	return frame
}

func tcpSum(frame []byte) uint16 {
	pseudo := append(append([]byte{}, frame[26:34]...), 0, ProtocolTCP)
	pseudo = binary.BigEndian.AppendUint16(pseudo, uint16(len(frame)-34))
	return checksum(append(pseudo, frame[34:]...))
}

// TestSegmentsAreMadeToFitTheTunnel: only the answer to a SYN of a VIP with a tunnel is changed, only downwards, and its checksum stays right.
func TestSegmentsAreMadeToFitTheTunnel(t *testing.T) {
	b, _ := tunnelBench(t)
	const synAck = syn | ack
	mss := func(n int) []byte { return []byte{2, 4, byte(n >> 8), byte(n)} }
	for _, tc := range []struct {
		name    string
		packet  packet
		mtu     int
		want    int
		clamped bool
	}{
		{"too large", answer(synAck, mss(1460)...), 1450, 1410, true},
		{"other options behind it", answer(synAck, append(mss(1460), 1, 3, 3, 7)...), 1450, 1410, true},
		{"a narrow way", answer(synAck, mss(1460)...), 1350, 1310, true},
		{"it fits", answer(synAck, mss(1410)...), 1450, 1410, false},
		{"smaller than needed", answer(synAck, mss(536)...), 1450, 536, false},
		{"no answer: a SYN of this host", answer(syn, mss(1460)...), 1450, 1460, false},
		{"another option first", answer(synAck, append([]byte{4, 2, 1, 1}, mss(1460)...)...), 1450, -1, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := b.f.SetTunnelMTU(tc.mtu); err != nil {
				t.Fatal(err)
			}
			frame := tc.packet.frame()
			var counted []Reason
			if tc.clamped {
				counted = []Reason{TunnelClamped}
			}
			out := b.gives(t, egress, frame, passed, counted...)
			if tc.want < 0 {
				return
			}
			if got := int(binary.BigEndian.Uint16(out[14+40+2:])); got != tc.want {
				t.Errorf("segments of %d bytes, want %d", got, tc.want)
			}
			if tcpSum(out) != 0 {
				t.Error("the checksum is wrong")
			}
		})
	}
	b.tunnel(Tunnel{})
	b.gives(t, egress, answer(synAck, mss(1460)...).frame(), passed)
}

// TestNothingWithoutProofComesThroughTheTunnel: what a host sends comes with the outer header that the kernel took off, which is missing here.
func TestNothingWithoutProofComesThroughTheTunnel(t *testing.T) {
	b, end := tunnelBench(t)
	b.slot(word(0, no, no, slotOwn))
	if err := b.f.SetRemote(1, peer1MAC, netip.MustParseAddr("10.8.0.2")); err != nil {
		t.Fatal(err)
	}
	frames := map[string][]byte{
		"of a stranger": fromClient(flags(syn)).frame(),
		"of a host":     fromClient(flags(syn), func(p *packet) { p.from = peer1MAC }).frame(),
		"not IP":        arpFrame(ownMAC, peer1MAC, 1, clientIP, testVIP),
	}
	b.ifindex = end.Interface
	for name, frame := range frames {
		t.Run(name, func(t *testing.T) {
			b.gives(t, tunnelled, frame, dropped, TunnelStranger)
		})
	}
	b.tunnel(Tunnel{})
	b.gives(t, tunnelled, frames["of a stranger"], dropped, TunnelStranger)
}

// TestForwardingThroughTheTunnel: a host that is known on the network gets a frame, another that is known in the tunnel is sent there.
func TestForwardingThroughTheTunnel(t *testing.T) {
	b, _ := tunnelBench(t)
	far := netip.MustParseAddr("10.8.0.4")
	to := func(id uint32) {
		b.slot(word(id, no, no, 0))
	}
	frame := fromClient(flags(syn)).frame()
	to(1)
	out := b.gives(t, ingress, frame, redirected, ForwardNew)
	if string(out[:6]) != string(peer1MAC) || string(out[6:12]) != string(ownMAC) {
		t.Errorf("to a neighbour: % x", out[:12])
	}
	to(3)
	b.gives(t, ingress, frame, dropped, DropNoPeer)
	mac := multiMAC
	if err := b.f.SetRemote(3, mac, far); err != nil {
		t.Fatal(err)
	}
	out = b.gives(t, ingress, frame, redirected, ForwardNew)
	if string(out[:6]) != string(mac) || string(out[6:12]) != string(strangeMAC) {
		t.Errorf("into the tunnel: % x", out[:12])
	}
	if err := b.f.SetRemote(3, nil, netip.Addr{}); err != nil {
		t.Fatal(err)
	}
	b.gives(t, ingress, frame, dropped, DropNoPeer)
}

func TestImpossibleTunnels(t *testing.T) {
	b, end := tunnelBench(t)
	for _, tc := range []struct {
		name   string
		change func(*Tunnel)
	}{
		{"no MAC", func(e *Tunnel) { e.MAC = nil }},
		{"number too large", func(e *Tunnel) { e.VNI = 1 << 24 }},
		{"no address", func(e *Tunnel) { e.Local = netip.Addr{} }},
		{"nothing fits", func(e *Tunnel) { e.MTU = 0 }},
		{"no device for an address that needs one", func(e *Tunnel) { *e = Tunnel{} }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bad := end
			tc.change(&bad)
			err := b.f.Configure(Setup{VIPs: []VIP{{Address: testVIP, Interface: b.ifindex, MAC: ownMAC, Tunnel: true}}, Tunnel: bad})
			if !errors.Is(err, ErrSetup) {
				t.Errorf("got %v", err)
			}
		})
	}
	if err := b.f.SetRemote(1, peer1MAC, netip.MustParseAddr("fd00::2")); !errors.Is(err, ErrSetup) {
		t.Errorf("a host of the other family: %v", err)
	}
	if err := b.f.SetTunnelMTU(0); !errors.Is(err, ErrSetup) {
		t.Errorf("nothing fits: %v", err)
	}
	b.tunnel(Tunnel{})
	if err := b.f.SetRemote(1, peer1MAC, netip.MustParseAddr("10.8.0.2")); !errors.Is(err, ErrSetup) {
		t.Errorf("a host in no tunnel: %v", err)
	}
}

// TestAnotherDeviceForgetsTheHosts: entries of a device that is gone would fill the table.
func TestAnotherDeviceForgetsTheHosts(t *testing.T) {
	b, end := tunnelBench(t)
	if err := b.f.SetRemote(3, multiMAC, netip.MustParseAddr("10.8.0.4")); err != nil {
		t.Fatal(err)
	}
	end.Interface = b.stub("d2", strangeMAC)
	b.tunnel(end)
	b.slot(word(3, no, no, 0))
	b.gives(t, ingress, fromClient(flags(syn)).frame(), dropped, DropNoPeer)
	var key macKey
	var value macRecord
	for all := b.f.maps[filterMapMacs].Iterate(); all.Next(&key, &value); {
		if int(key.Interface) != b.ifindex {
			t.Errorf("host %d is still known on interface %d", key.ID, key.Interface)
		}
	}
}
