package filter

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

func vip(a string) VIP {
	return VIP{Address: netip.MustParseAddr(a), Interface: 1, MAC: ownMAC}
}

func tcpRule(vip int, ports ...PortRange) Rule {
	return Rule{VIP: vip, Ports: ports, Protocol: ProtocolTCP, Hash: Hash{ByPort: true}}
}

func TestImpossibleSetups(t *testing.T) {
	b := newBench(t)
	many := make([]Rule, 65)
	for i := range many {
		many[i] = tcpRule(0, PortRange{uint16(i), uint16(i)})
	}
	for _, c := range []struct {
		name string
		s    Setup
	}{
		{"IPv4 in disguise", Setup{VIPs: []VIP{vip("::ffff:10.0.0.1")}}},
		{"IPv6 with an interface", Setup{VIPs: []VIP{vip("fe80::1%eth0")}}},
		{"same IPv6 address twice", Setup{VIPs: []VIP{vip("fd00::1"), vip("fd00:0::1")}}},
		{"same address twice", Setup{VIPs: []VIP{vip("10.0.0.1"), vip("10.0.0.1")}}},
		{"no MAC", Setup{VIPs: []VIP{{Address: testVIP, Interface: 1}}}},
		{"no interface", Setup{VIPs: []VIP{{Address: testVIP, MAC: ownMAC}}}},
		{"too many addresses", Setup{VIPs: make([]VIP, maxVIPs+1)}},
		{"too many rules", Setup{VIPs: []VIP{vip("10.0.0.1")}, Rules: many}},
		{"rule without address", Setup{Rules: []Rule{tcpRule(0, PortRange{1, 2})}}},
		{"reversed range", Setup{VIPs: []VIP{vip("10.0.0.1")}, Rules: []Rule{tcpRule(0, PortRange{2, 1})}}},
		{"overlap", Setup{VIPs: []VIP{vip("10.0.0.1")}, Rules: []Rule{tcpRule(0, PortRange{1, 9}), tcpRule(0, PortRange{9, 9})}}},
		{"protocol", Setup{VIPs: []VIP{vip("10.0.0.1")}, Rules: []Rule{{Protocol: 1, Ports: []PortRange{{1, 1}}}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := b.f.Configure(c.s); !errors.Is(err, ErrSetup) {
				t.Errorf("got %v, want ErrSetup", err)
			}
		})
	}
	b.slot(word(0, no, no, slotOwn))
	b.expect(t, ingress, fromClient(flags(syn)).frame(), passed, []Reason{AcceptNew}, nil)
}

func TestOpenBoundsRules(t *testing.T) {
	if _, err := Open(Options{MaxRules: maxPages + 1}); !errors.Is(err, ErrSetup) {
		t.Errorf("got %v, want ErrSetup", err)
	}
	f, err := Open(Options{MaxRules: maxPages})
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}

// TestRulesKeepTheirSlotsWhenOthersCome is about a changed file: indexes shift, slots do not.
func TestRulesKeepTheirSlotsWhenOthersCome(t *testing.T) {
	b := newBench(t)
	v := VIP{Address: testVIP, Interface: b.ifindex, MAC: ownMAC}
	b.slot(word(0, no, no, slotOwn))
	err := b.f.Configure(Setup{Self: 0, VIPs: []VIP{{Address: netip.MustParseAddr("10.9.0.99"), Interface: b.ifindex, MAC: ownMAC}, v},
		Rules: []Rule{tcpRule(0, PortRange{1, 65535}), tcpRule(1, PortRange{443, 443}), tcpRule(1, PortRange{testPort, testPort + 5})}})
	if err != nil {
		t.Fatal(err)
	}
	b.expect(t, ingress, fromClient(flags(syn)).frame(), passed, []Reason{AcceptNew}, nil)
	b.expect(t, ingress, fromClient(flags(syn), dport(testPort+5)).frame(), passed, []Reason{AcceptNew}, nil)
	b.expect(t, ingress, fromClient(flags(syn), dport(443)).frame(), dropped, []Reason{DropNobody}, nil)
	b.expect(t, ingress, fromClient(udp).frame(), dropped, []Reason{DropNoRule}, nil)
	if got := b.f.Slots(2)[0]; got != word(0, no, no, slotOwn) {
		t.Errorf("slot of the rule that stayed is %#x", got)
	}
	// Another affinity means other buckets: nothing of the old slots holds.
	err = b.f.Configure(Setup{Self: 0, VIPs: []VIP{v}, Rules: []Rule{{Ports: []PortRange{{testPort, testPort}}, Protocol: ProtocolTCP}}})
	if err != nil {
		t.Fatal(err)
	}
	b.expect(t, ingress, fromClient(flags(syn)).frame(), dropped, []Reason{DropNobody}, nil)
	b.expect(t, ingress, fromClient(flags(syn), func(p *packet) { p.dst = netip.MustParseAddr("10.9.0.99") }).frame(), passed, nil, nil)
}

// TestWhatStaysIsNeverAbsent changes everything around a rule while packets for it keep coming.
func TestWhatStaysIsNeverAbsent(t *testing.T) {
	b := newBench(t)
	b.slot(word(0, no, no, slotOwn))
	v := VIP{Address: testVIP, Interface: b.ifindex, MAC: ownMAC}
	a := Setup{VIPs: []VIP{v}, Rules: []Rule{tcpRule(0, PortRange{testPort, testPort})}}
	other := Setup{VIPs: []VIP{vip("10.0.0.1"), vip("10.0.0.2"), v},
		Rules: []Rule{tcpRule(0, PortRange{0, 65535}), tcpRule(2, PortRange{testPort, 65535}), tcpRule(1, PortRange{1, 2})}}
	stop, done := make(chan bool), make(chan uint64)
	go func() {
		var n uint64
		for {
			select {
			case <-stop:
				done <- n
				return
			default:
				_ = b.time(b.f.programs[ingress], ingress, fromClient().frame())
				n++
			}
		}
	}()
	for range 100 {
		if err := errors.Join(b.f.Configure(other), b.f.Configure(a)); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	rounds := <-done
	c, err := b.f.Counters()
	if err != nil {
		t.Fatal(err)
	}
	sent := rounds * packetsAtOnce // at least: a round that a signal interrupts begins anew
	if want := (Counters{AcceptOwner: c.Of(AcceptOwner)}); c != want || sent == 0 || c.Of(AcceptOwner) < sent {
		t.Errorf("%d packets counted %v, want all accepted", sent, c)
	}
}

func TestDirectorStaysWhenTheSetupChanges(t *testing.T) {
	b := newBench(t)
	if err := b.f.SetDirector(0, true); err != nil {
		t.Fatal(err)
	}
	b.setup()
	b.expect(t, ingress, fromClient(icmp).frame(), passed, []Reason{AcceptICMP}, nil)
	if err := b.f.SetDirector(1, true); !errors.Is(err, ErrSetup) {
		t.Errorf("director of an address that is not there: %v", err)
	}
}

// TestAnySequenceOfSetups compares the tables with what the last setup says.
func TestAnySequenceOfSetups(t *testing.T) {
	b := newBench(t)
	addresses := []string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"}
	rapid.Check(t, func(t *rapid.T) {
		for range rapid.IntRange(1, 4).Draw(t, "setups") {
			var s Setup
			for _, a := range rapid.Permutation(addresses).Draw(t, "order")[:rapid.IntRange(0, 4).Draw(t, "vips")] {
				s.VIPs = append(s.VIPs, vip(a))
			}
			for v := range s.VIPs {
				low := rapid.IntRange(0, 50).Draw(t, "low")
				high := rapid.IntRange(low, 99).Draw(t, "high")
				r := tcpRule(v, PortRange{uint16(low), uint16(high)})
				r.Hash.ByPort = rapid.Bool().Draw(t, "by port")
				s.Rules = append(s.Rules, r, tcpRule(v, PortRange{uint16(high + 1), uint16(high + 1)}))
			}
			if err := b.f.Configure(s); err != nil {
				t.Fatal(err)
			}
			b.checkTables(t, s)
		}
	})
}

func (b *bench) checkTables(t *rapid.T, s Setup) {
	known := b.f.table.items[0].list()
	if len(known) != len(s.VIPs) {
		t.Fatalf("%d addresses known, want %d", len(known), len(s.VIPs))
	}
	pages := map[int]bool{}
	for i, r := range s.Rules {
		page := b.f.pages[i]
		if pages[page] {
			t.Fatalf("page %d is used twice", page)
		}
		pages[page] = true
		table := b.f.ports.items[known[s.VIPs[r.VIP].Address]][0]
		for n := int(r.Ports[0].First); n <= int(r.Ports[0].Last); n++ {
			if got := table[n]; int(got&portPage) != page+1 || (got&portByPort != 0) != r.Hash.ByPort {
				t.Fatalf("port %d leads to %#x, want page %d", n, got, page)
			}
		}
	}
	for v := range s.VIPs {
		table, n := b.f.ports.items[known[s.VIPs[v].Address]][0], 0
		for _, x := range table {
			if x != 0 {
				n++
			}
		}
		want := 0
		for _, r := range s.Rules {
			if r.VIP == v {
				want += int(r.Ports[0].Last-r.Ports[0].First) + 1
			}
		}
		if n != want {
			t.Fatalf("%d ports lead somewhere, want %d", n, want)
		}
	}
}

func TestAddressTable(t *testing.T) {
	var table addressTable
	// All of one place: the table takes as many as it probes.
	var same []netip.Addr
	for n := uint32(1); len(same) <= addressProbes; n++ {
		if a := addr4(n); addressPlace(a) == 0 {
			same = append(same, a)
		}
	}
	for i, a := range same[:addressProbes] {
		if err := table.put(a, i); err != nil {
			t.Fatal(err)
		}
	}
	if err := table.put(same[addressProbes], 9); !errors.Is(err, ErrSetup) {
		t.Errorf("one too many: %v", err)
	}
	table.remove(same[1])
	if err := table.put(same[addressProbes], 9); err != nil {
		t.Error(err)
	}
	if err := table.put(same[3], 7); err != nil {
		t.Error(err)
	}
	want := map[netip.Addr]int{same[0]: 0, same[2]: 2, same[3]: 7, same[4]: 9}
	got := table.list()
	for a, place := range want {
		if got[a] != place || len(got) != len(want) {
			t.Errorf("table has %v, want %v", got, want)
		}
	}
}

func TestPeersMove(t *testing.T) {
	b := newBench(t)
	b.slot(word(1, no, no, 0))
	steps := []struct {
		name string
		mac  net.HardwareAddr
		want uint32
		why  Reason
	}{
		{"another MAC", strangeMAC, redirected, ForwardOwner},
		{"gone", nil, dropped, DropNoPeer},
		{"gone already", nil, dropped, DropNoPeer},
		{"back", peer1MAC, redirected, ForwardOwner},
	}
	for _, s := range steps {
		if err := b.f.SetPeer(b.ifindex, 1, s.mac); err != nil {
			t.Fatal(err)
		}
		b.expect(t, ingress, fromClient().frame(), s.want, []Reason{s.why}, s.mac)
	}
	// The MAC that host 1 had for a while is a client's again.
	b.expect(t, ingress, fromClient(from(strangeMAC)).frame(), redirected, []Reason{ForwardOwner}, peer1MAC)
	// Hosts that swap MACs are told apart at the end, in whatever order it is said.
	if err := errors.Join(b.f.SetPeer(b.ifindex, 1, peer2MAC), b.f.SetPeer(b.ifindex, 2, peer1MAC)); err != nil {
		t.Fatal(err)
	}
	b.slot(word(0, 1, 2, slotOwn|slotAsk))
	b.expect(t, ingress, fromClient(from(peer2MAC)).frame(), redirected, []Reason{ForwardNext}, peer1MAC)
	if err := b.f.SetPeer(b.ifindex, 1, net.HardwareAddr{1}); !errors.Is(err, ErrSetup) {
		t.Errorf("short MAC: %v", err)
	}
}

func TestReasonsHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for r := range Reasons {
		name := Reason(r).String()
		if name == "" || seen[name] {
			t.Errorf("reason %d is called %q", r, name)
		}
		seen[name] = true
	}
	if got := Reason(Reasons).String(); got != fmt.Sprintf("reason_%d", Reasons) {
		t.Errorf("unknown reason is called %q", got)
	}
}
