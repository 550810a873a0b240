package filter

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// bucketsOfC marks each bucket by the pair of hosts that it forwards to, and reads from the forwarded frame which one the program used.
func bucketsOfC(t *testing.T, b *bench) func(rule int, p packet) uint16 {
	var words [buckets]uint32
	high, low := words, words
	for i := range words {
		high[i] = word(uint32(i)>>6+3, no, no, 0)
		low[i] = word(uint32(i)&63+3, no, no, 0)
	}
	for id := range 64 {
		if err := b.f.SetPeer(b.ifindex, uint8(id+3), []byte{2, 2, 2, 2, 2, byte(id)}); err != nil {
			t.Fatal(err)
		}
	}
	return func(rule int, p packet) uint16 {
		b.f.SetSlots(rule, &high)
		_, _, out := b.run(ingress, p.frame())
		n := uint16(out[5]) << 6
		b.f.SetSlots(rule, &low)
		_, _, out = b.run(ingress, p.frame())
		return n | uint16(out[5])
	}
}

func TestBucketIsTheSameInC(t *testing.T) {
	b := newBench(t)
	b.bucketsAgree(t, fromClient, 4)
}

func TestIPv6BucketIsTheSameInC(t *testing.T) {
	b := newBench6(t)
	b.bucketsAgree(t, fromClient6, 16)
}

// bucketsAgree draws clients with addresses of so many bytes.
func (b *bench) bucketsAgree(t *testing.T, packetOf func(...func(*packet)) packet, size int) {
	ask := bucketsOfC(t, b)
	rapid.Check(t, func(t *rapid.T) {
		a, _ := netip.AddrFromSlice(rapid.SliceOfN(rapid.Byte(), size, size).Draw(t, "address"))
		port := rapid.Uint16().Draw(t, "port")
		client := func(p *packet) { p.src, p.sport = a, port }
		if got, want := ask(0, packetOf(client, flags(syn))), (Hash{ByPort: true}).Bucket(a, port); got != want {
			t.Errorf("by port: C says %d, Go %d", got, want)
		}
		if got, want := ask(1, packetOf(udp, client)), (Hash{}).Bucket(a, port); got != want {
			t.Errorf("by address: C says %d, Go %d", got, want)
		}
	})
}

func TestBucketOfANetworkIsTheSameInC(t *testing.T) {
	b := newBench(t)
	ask := bucketsOfC(t, b)
	vips := []VIP{{Address: testVIP, Interface: b.ifindex, MAC: ownMAC}, {Address: vip6, Interface: b.ifindex, MAC: ownMAC}}
	rapid.Check(t, func(t *rapid.T) {
		h := Hash{Net4: rapid.IntRange(1, 32).Draw(t, "bits of IPv4"), Net6: rapid.IntRange(1, 128).Draw(t, "bits of IPv6")}
		rules := []Rule{{VIP: 0, Ports: []PortRange{{testPort, testPort}}, Protocol: ProtocolBoth, Hash: h}, {VIP: 1, Ports: []PortRange{{testPort, testPort}}, Protocol: ProtocolBoth, Hash: h}}
		if err := b.f.Configure(Setup{VIPs: vips, Rules: rules}); err != nil {
			t.Fatal(err)
		}
		a4 := netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "IPv4")))
		a6 := netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "IPv6")))
		for rule, p := range []packet{fromClient(func(p *packet) { p.src = a4 }, flags(syn)), fromClient6(func(p *packet) { p.src = a6 }, flags(syn))} {
			if got, want := ask(rule, p), h.Bucket(p.src, p.sport); got != want {
				t.Errorf("%v: C says %d, Go %d", p.src, got, want)
			}
			bits := h.Net4
			if rule == 1 {
				bits = h.Net6
			}
			network, _ := p.src.Prefix(bits)
			if got, want := h.Bucket(p.src, 1), h.Bucket(network.Addr(), 2); got != want {
				t.Errorf("%v is in bucket %d, its network %v in %d", p.src, got, network, want)
			}
		}
	})
}

func TestBucketSpreadsClients(t *testing.T) {
	for _, c := range []struct {
		name   string
		byPort bool
		client func(i uint32) (netip.Addr, uint16)
	}{
		{"ports of one address", true, func(i uint32) (netip.Addr, uint16) { return clientIP, uint16(i) }},
		{"even ports of one address", true, func(i uint32) (netip.Addr, uint16) { return clientIP, uint16(i * 2) }},
		{"neighbouring addresses", false, func(i uint32) (netip.Addr, uint16) { return addr4(0x0a000000 + i), 0 }},
		{"neighbouring IPv6 addresses", false, func(i uint32) (netip.Addr, uint16) { return addr6(uint64(i), 1), 0 }},
		{"one address of each /64", false, func(i uint32) (netip.Addr, uint16) { return addr6(1, uint64(i)), 0 }},
		{"one address of each /24", false, func(i uint32) (netip.Addr, uint16) { return addr4(0x0a000001 + i<<8), 0 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			const clients, parts = 1 << 15, 16
			var n [parts]int
			for i := range uint32(clients) {
				n[(Hash{ByPort: c.byPort}).Bucket(first(c.client(i)), second(c.client(i)))/(buckets/parts)]++
			}
			for i, got := range n {
				if want := clients / parts; got < want*85/100 || got > want*115/100 {
					t.Errorf("part %d has %d of %d clients, want about %d", i, got, clients, want)
				}
			}
		})
	}
}

func TestBucketTakesMappedAddressesAsIPv4(t *testing.T) {
	mapped := netip.AddrFrom16(clientIP.As16())
	if got, want := (Hash{ByPort: true}).Bucket(mapped, 7), (Hash{ByPort: true}).Bucket(clientIP, 7); got != want {
		t.Errorf("bucket of %s is %d, of %s %d", mapped, got, clientIP, want)
	}
}

// TestAnyBytesYieldAVerdict throws bytes at both programs that begin like something they look at.
func TestAnyBytesYieldAVerdict(t *testing.T) {
	b := newBench(t)
	b.anyBytes(t, offTCP, [][]byte{
		fromClient().frame(), fromClient(udp).frame(), fromClient(icmp).frame(), fromClient(options(40)).frame(),
		arpFrame(everyone, clientMAC, 1, clientIP, testVIP), fromClient(edit(tag)).frame(),
	})
}

func TestAnyIPv6BytesYieldAVerdict(t *testing.T) {
	b := newBench6(t)
	b.anyBytes(t, offTCP6, [][]byte{
		fromClient6().frame(), fromClient6(udp).frame(), fromClient6(echo6).frame(), fromClient6(icmpError6(quoted6())).frame(),
		fromClient6(with(pad(hopByHop, 8), pad(destination, 24), pad(routing, 24))).frame(),
		fromClient6(func(p *packet) { p.fragment = 0x2000 }).frame(), fromClient6(func(p *packet) { p.fragment = 9 }).frame(),
		solicitation(), advertisement(), solicitation(func(m *nd) { m.options = nil }),
	})
}

// anyBytes edits frames and gives them to both programs, as much as there is after least bytes: the kernel asks for an IP header.
func (b *bench) anyBytes(t *testing.T, least int, seeds [][]byte) {
	b.slot(word(0, 1, 2, slotOwn|slotAsk))
	if err := b.f.SetDirector(0, true); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		frame := append([]byte{}, rapid.SampledFrom(seeds).Draw(t, "seed")...)
		frame = append(frame, rapid.SliceOfN(rapid.Byte(), 0, 64).Draw(t, "more")...)
		for range rapid.IntRange(0, 8).Draw(t, "edits") {
			frame[rapid.IntRange(14, len(frame)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		}
		frame = frame[:rapid.IntRange(least, len(frame)).Draw(t, "length")]
		for _, d := range directions() {
			verdict, counted, _ := b.run(d, frame)
			if verdict != passed && verdict != dropped && verdict != redirected {
				t.Fatalf("%s: verdict %d", d, int32(verdict))
			}
			if len(counted) > 1 || verdict != passed && len(counted) != 1 {
				t.Fatalf("%s: verdict %d counted %v", d, int32(verdict), counted)
			}
		}
	})
}

// addr6 is an address of an interface in a network.
func addr6(iface, network uint64) netip.Addr {
	b := binary.BigEndian.AppendUint64(nil, 0xfd00<<48|network)
	return netip.AddrFrom16([16]byte(binary.BigEndian.AppendUint64(b, iface)))
}

func addr4(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, n)))
}

func first(a netip.Addr, _ uint16) netip.Addr { return a }
func second(_ netip.Addr, p uint16) uint16    { return p }
