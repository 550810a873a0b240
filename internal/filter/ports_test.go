package filter

import (
	"testing"
)

func TestARuleForTheRest(t *testing.T) {
	b := newBench(t)
	v := VIP{Address: testVIP, Interface: b.ifindex, MAC: ownMAC}
	named := Rule{Ports: []PortRange{{testPort, testPort}}, Protocol: ProtocolTCP, Hash: Hash{ByPort: true}}
	rest := Rule{Protocol: ProtocolBoth, Hash: Hash{ByPort: true}}
	if err := b.f.Configure(Setup{VIPs: []VIP{v}, Rules: []Rule{named, rest}}); err != nil {
		t.Fatal(err)
	}
	b.slot(word(1, no, no, 0)) // both
	var own [buckets]uint32
	for i := range own {
		own[i] = word(0, no, no, slotOwn)
	}
	b.f.SetSlots(1, &own)
	for _, c := range []struct {
		name string
		p    packet
		want uint32
		why  Reason
	}{
		{"TCP, named", fromClient(flags(syn)), redirected, ForwardNew},
		{"TCP, the port before", fromClient(flags(syn), dport(testPort-1)), passed, AcceptNew},
		{"TCP, the port after", fromClient(flags(syn), dport(testPort+1)), passed, AcceptNew},
		{"TCP, the last port", fromClient(flags(syn), dport(65535)), passed, AcceptNew},
		{"TCP, port 0", fromClient(flags(syn), dport(0)), dropped, DropNoRule},
		{"UDP, the port that the other rule has for TCP", fromClient(udp, dport(testPort)), passed, AcceptNew},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, counted, _ := b.run(ingress, c.p.frame())
			if len(counted) != 1 || counted[0] != c.why {
				t.Errorf("counted %v, want %v", counted, c.why)
			}
		})
	}
	if err := b.f.Configure(Setup{VIPs: []VIP{v}, Rules: []Rule{rest, rest}}); err == nil {
		t.Error("two rules for the rest were taken")
	}
}

// By the old slots of the rule that gains a port, its owner would reset connections of that port which another host has.
func TestAPortThatChangesItsRuleIsNobodysUntilItsSlotsAreThere(t *testing.T) {
	b := newBench(t)
	v := VIP{Address: testVIP, Interface: b.ifindex, MAC: ownMAC}
	rules := func(first, second PortRange) []Rule { return []Rule{tcpRule(0, first), tcpRule(0, second)} }
	if err := b.f.Configure(Setup{VIPs: []VIP{v}, Rules: rules(PortRange{80, 81}, PortRange{90, 90})}); err != nil {
		t.Fatal(err)
	}
	b.slot(word(0, no, no, slotOwn))
	if err := b.f.Configure(Setup{VIPs: []VIP{v}, Rules: rules(PortRange{80, 80}, PortRange{81, 90})}); err != nil {
		t.Fatal(err)
	}
	b.expect(t, ingress, fromClient(dport(81)).frame(), dropped, []Reason{DropNoSocket}, nil)
	b.expect(t, ingress, fromClient(dport(90)).frame(), dropped, []Reason{DropNoSocket}, nil)
	b.expect(t, ingress, fromClient(dport(80)).frame(), passed, []Reason{AcceptOwner}, nil) // gained nothing
	b.slot(word(0, no, no, slotOwn))
	b.expect(t, ingress, fromClient(dport(81)).frame(), passed, []Reason{AcceptOwner}, nil)
}

func TestRefusedIsCountedAsThat(t *testing.T) {
	b := newBench(t)
	b.slot(word(no, no, no, 1<<5))
	b.expect(t, ingress, fromClient(flags(syn)).frame(), dropped, []Reason{DropRefused}, nil)
	b.slot(word(1, no, no, slotAsk|1<<5|1<<6)) // host 1 may hold connections
	b.expect(t, ingress, fromClient(flags(syn)).frame(), dropped, []Reason{DropRefused}, nil)
	b.expect(t, ingress, fromClient().frame(), redirected, []Reason{ForwardOwner}, peer1MAC)
	b.slot(word(1, no, no, slotAsk|1<<6))
	b.expect(t, ingress, fromClient(flags(syn)).frame(), dropped, []Reason{DropNobody}, nil)
}
