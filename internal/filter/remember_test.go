package filter

import (
	"net"
	"net/netip"
	"testing"
	"time"
)

// remembering sets the bench up with rules that remember clients for a minute: of TCP by networks of 24 and 64 bits, of UDP by address.
func (b *bench) remembering(vip netip.Addr, taken ...net.HardwareAddr) {
	b.t.Helper()
	v := VIP{Address: vip, Interface: b.ifindex, MAC: ownMAC, Taken: taken}
	err := b.f.Configure(Setup{VIPs: []VIP{v}, Rules: []Rule{
		{Ports: []PortRange{{testPort, testPort}}, Protocol: ProtocolTCP, Hash: Hash{Net4: 24, Net6: 64}, Remember: time.Minute},
		{Ports: []PortRange{{53, 53}}, Protocol: ProtocolUDP, Remember: time.Minute},
	}})
	if err != nil {
		b.t.Fatal(err)
	}
	b.f.SetRemembers(0, true)
	b.f.SetRemembers(1, true)
}

// chain gives all buckets of both rules one chain.
func (b *bench) chain(first, next uint8) {
	var words [buckets]uint16
	for i := range words {
		words[i] = uint16(first) | uint16(next)<<8
	}
	b.f.SetChains(0, &words)
	b.f.SetChains(1, &words)
}

// know has the host remember clients in both rules.
func (b *bench) know(clients ...netip.Addr) {
	b.t.Helper()
	for rule := range 2 {
		if err := b.f.Remember(rule, clients); err != nil {
			b.t.Fatal(err)
		}
	}
}

// forget empties the table of clients.
func (b *bench) forget() {
	b.t.Helper()
	var keys []clientKey
	if err := b.f.eachClient(func(key clientKey, _ uint64) { keys = append(keys, key) }); err != nil {
		b.t.Fatal(err)
	}
	for _, key := range keys {
		if err := b.f.maps[filterMapClients].Delete(key); err != nil {
			b.t.Fatal(err)
		}
	}
}

func TestFirstPacketsOfClientsThatMayBeRemembered(t *testing.T) {
	const me, one, two, nobodyID = 0, 1, 2, 255
	own, other := word(me, no, no, slotOwn), word(one, no, no, 0)
	for _, family := range []struct {
		name   string
		vip    netip.Addr
		client func(...func(*packet)) packet
	}{{"IPv4", testVIP, fromClient}, {"IPv6", vip6, fromClient6}} {
		neighbour := family.client().src.Next() // of the client's network
		b := newBench(t)
		b.remembering(family.vip)
		for _, c := range []struct {
			name        string
			slot        uint32
			first, next uint8
			known       bool
			p           packet
			want        uint32
			why         Reason
			to          net.HardwareAddr
		}{
			{"owned here, alone", own, me, nobodyID, false, family.client(flags(syn)), passed, AcceptNew, nil},
			{"remembered here, owned elsewhere", other, me, one, true, family.client(flags(syn)), passed, AcceptRemembered, nil},
			{"not remembered here, owned elsewhere", other, me, one, false, family.client(flags(syn)), redirected, ForwardNew, peer1MAC},
			{"another is asked first", own, two, nobodyID, true, family.client(flags(syn)), redirected, ForwardNew, peer2MAC},
			{"from that one, not remembered", own, two, nobodyID, false, family.client(flags(syn), from(peer2MAC)), passed, AcceptNew, nil},
			{"forwarded, remembered", other, two, one, true, family.client(flags(syn), from(peer2MAC)), passed, AcceptRemembered, nil},
			{"forwarded, on to the next", other, two, one, false, family.client(flags(syn), from(peer2MAC)), redirected, ForwardNew, peer1MAC},
			{"owner, but not yet", word(me, no, no, 0), me, nobodyID, false, family.client(flags(syn)), dropped, DropNotOwned, nil},
			{"nobody's", word(no, no, no, 0), nobodyID, nobodyID, true, family.client(flags(syn)), dropped, DropNobody, nil},
			{"nobody's, at the end of the chain", word(no, no, no, 0), me, nobodyID, false, family.client(flags(syn)), dropped, DropNobody, nil},
			{"UDP, remembered", other, me, one, true, family.client(udp), passed, AcceptRemembered, nil},
			{"UDP, not remembered", other, me, one, false, family.client(udp), redirected, ForwardNew, peer1MAC},
		} {
			t.Run(family.name+", "+c.name, func(t *testing.T) {
				b.forget()
				b.slot(c.slot)
				b.chain(c.first, c.next)
				if c.known {
					b.know(c.p.src)
				}
				b.expect(t, ingress, c.p.frame(), c.want, []Reason{c.why}, c.to)
			})
		}
		t.Run(family.name+", a network is remembered as one client", func(t *testing.T) {
			b.forget()
			b.slot(other)
			b.chain(me, one)
			b.know(neighbour)
			b.expect(t, ingress, family.client(flags(syn)).frame(), passed, []Reason{AcceptRemembered}, nil)
			b.expect(t, ingress, family.client(udp).frame(), redirected, []Reason{ForwardNew}, peer1MAC) // its rule goes by addresses
		})
	}
}

// With a cluster MAC every host has the frame: one acts, and passes it on to the next although that one has dropped its own.
func TestFirstPacketsThatAllHave(t *testing.T) {
	b := newBench(t)
	b.remembering(testVIP, multiMAC)
	b.slot(word(1, no, no, 0))
	frame := fromClient(flags(syn), to(multiMAC)).frame()
	b.chain(2, 1)
	b.expect(t, ingress, frame, dropped, []Reason{DropSeenByOthers}, nil)
	b.chain(0, 1)
	b.expect(t, ingress, frame, redirected, []Reason{ForwardNew}, peer1MAC)
	b.know(clientIP)
	b.expect(t, ingress, frame, passed, []Reason{AcceptRemembered}, nil)
}

// Who is remembered is accepted as all that is new: while the lease lasts, and the quorum that the rule needs.
func TestRememberedClientsNeedLeaseAndQuorum(t *testing.T) {
	const needsMajority = 1 << 3
	b := newBench(t)
	b.remembering(testVIP)
	b.slot(word(1, no, no, needsMajority))
	b.chain(0, 1)
	b.know(clientIP)
	frame := fromClient(flags(syn)).frame()
	b.expect(t, ingress, frame, dropped, []Reason{DropLease}, nil)
	b.f.SetQuorum(1, BootTime()+time.Hour)
	b.expect(t, ingress, frame, passed, []Reason{AcceptRemembered}, nil)
	b.f.SetLease(0)
	b.expect(t, ingress, frame, dropped, []Reason{DropLease}, nil)
	b.chain(1, 1)
	b.expect(t, ingress, frame, dropped, []Reason{DropLease}, nil) // it does not pass it on either
}

func TestWhatIsRememberedIsVoid(t *testing.T) {
	b := newBench(t)
	b.remembering(testVIP)
	b.slot(word(1, no, no, 0))
	b.chain(0, 1)
	seen := func(ago time.Duration) {
		t.Helper()
		network := netip.MustParseAddr("10.9.0.0").As16()
		key := clientKey{Page: uint32(b.f.pages[0]), Address: network}
		if err := b.f.maps[filterMapClients].Put(key, uint64(BootTime()-ago)); err != nil {
			t.Fatal(err)
		}
	}
	since := &b.f.slots.items[b.f.pages[0]].rule.since
	*since = uint64(max(BootTime()-time.Hour, 0)) // a machine may have been up for less
	for _, c := range []struct {
		name string
		do   func()
		kept bool
	}{
		{"seen now", func() { seen(0) }, true},
		{"seen before the timeout", func() { seen(61 * time.Second) }, false},
		{"seen just within it", func() { seen(50 * time.Second) }, true},
		{"this host may not serve", func() { b.f.SetRemembers(0, false) }, false},
		{"it may again: it begins anew", func() { b.f.SetRemembers(0, true) }, false},
		{"said again: nothing changes", func() { seen(0); b.f.SetRemembers(0, true) }, true},
	} {
		c.do()
		want, why, peer := uint32(redirected), ForwardNew, peer1MAC
		if c.kept {
			want, why, peer = passed, AcceptRemembered, nil
		}
		t.Run(c.name, func(t *testing.T) {
			b.expect(t, ingress, fromClient(flags(syn)).frame(), want, []Reason{why}, peer)
			list, err := b.f.Clients()
			if err != nil || (len(list) == 1) != c.kept {
				t.Errorf("clients %v, %v", list, err)
			}
		})
	}
}

// noted is the clients that the host remembers.
func (b *bench) noted(t *testing.T) []Client {
	t.Helper()
	list, err := b.f.Clients()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// A client is noted for a connection that the stack has established: neither SYNs nor stray segments fill the table.
func TestOnlyWhoIsServedIsNoted(t *testing.T) {
	b := newBench(t)
	b.remembering(testVIP)
	b.slot(word(0, no, no, slotOwn))
	b.chain(0, 255)
	b.expect(t, ingress, fromClient(flags(syn)).frame(), passed, []Reason{AcceptNew}, nil)
	b.expect(t, ingress, fromClient().frame(), passed, []Reason{AcceptOwner}, nil)
	if list := b.noted(t); len(list) > 0 {
		t.Fatalf("noted %v for a SYN and a stray segment", list)
	}
	port := b.connect(testVIP, clientIP)
	known := fromClient(func(p *packet) { p.sport = port }).frame()
	b.expect(t, ingress, known, passed, []Reason{AcceptOwner}, nil)
	if list := b.noted(t); len(list) != 1 || list[0] != (Client{0, netip.MustParseAddr("10.9.0.0")}) {
		t.Fatalf("noted %v for a connection, want its network in rule 0", list)
	}
	key := clientKey{Page: uint32(b.f.pages[0]), Address: netip.MustParseAddr("10.9.0.0").As16()}
	for _, ago := range []time.Duration{0, 1100 * time.Millisecond} {
		then, now := uint64(BootTime()-ago), uint64(0)
		if err := b.f.maps[filterMapClients].Put(key, then); err != nil {
			t.Fatal(err)
		}
		b.run(ingress, known)
		if err := b.f.maps[filterMapClients].Lookup(key, &now); err != nil {
			t.Fatal(err)
		}
		if ago > time.Second && now == then {
			t.Errorf("noted %v ago, and not again", ago)
		}
		if ago == 0 && now != then && uint64(BootTime())-then < uint64(time.Second) {
			t.Error("noted twice within a second")
		}
	}
	b.slot(word(1, no, no, 0))
	b.expect(t, ingress, fromClient(udp, from(peer1MAC)).frame(), dropped, []Reason{DropNobody}, nil)
	if list := b.noted(t); len(list) != 1 {
		t.Errorf("noted %v for a datagram that was dropped", list)
	}
	b.slot(word(0, no, no, slotOwn))
	b.expect(t, ingress, fromClient(udp).frame(), passed, []Reason{AcceptNew}, nil)
	if list := b.noted(t); len(list) != 2 {
		t.Errorf("noted %v, want one of each rule", list)
	}
}

func TestMemoryOfClientsIsBounded(t *testing.T) {
	const most = 65536
	b := newBench(t)
	b.remembering(testVIP)
	for n := range uint32(most + most/8) {
		if err := b.f.Remember(1, []netip.Addr{addr4(0x0b000000 + n)}); err != nil {
			t.Fatal(err)
		}
	}
	list := b.noted(t)
	last := false
	for _, c := range list {
		last = last || c.Address == addr4(0x0b000000+most+most/8-1)
	}
	if len(list) > most || len(list) < most/2 || !last {
		t.Errorf("%d of %d clients are remembered (the last one: %v), want the newest, at most %d", len(list), most+most/8, last, most)
	}
}

// BenchmarkRemembering measures packets of a rule that remembers clients as BenchmarkFilter does those of others.
func BenchmarkRemembering(b *testing.B) {
	for _, c := range []struct {
		name string
		slot uint32
		p    func(connected uint16) packet
	}{
		{"established", word(0, no, no, slotOwn), func(port uint16) packet { return fromClient(func(p *packet) { p.sport = port }) }},
		{"new", word(0, no, no, slotOwn), func(uint16) packet { return fromClient(flags(syn)) }},
		{"remembered", word(1, no, no, 0), func(uint16) packet { return fromClient(flags(syn)) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			h := newBench(b)
			h.remembering(testVIP)
			h.slot(c.slot)
			h.chain(0, 255)
			frame := c.p(h.connect(testVIP, clientIP)).frame()
			h.know(clientIP)
			empty := emptyProgram(b, h.f.programs[ingress].Type())
			best, floor := time.Hour, time.Hour
			for b.Loop() {
				best = min(best, h.time(h.f.programs[ingress], ingress, frame))
				floor = min(floor, h.time(empty, ingress, frame))
			}
			b.ReportMetric(float64(best-floor), "added-ns")
		})
	}
}

func BenchmarkClients(b *testing.B) {
	bench := newBench(b)
	bench.remembering(testVIP)
	for n := range uint32(60_000) {
		if err := bench.f.Remember(1, []netip.Addr{addr4(0x0b000000 + n)}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if list, err := bench.f.Clients(); err != nil || len(list) < 50_000 {
			b.Fatal(len(list), err)
		}
	}
}
