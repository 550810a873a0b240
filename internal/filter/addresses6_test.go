package filter

import (
	"encoding/binary"
	"errors"
	"maps"
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// TestAddress6TableIsAMap puts addresses in and takes them out in any order and compares with a map. The addresses are few enough to come back
// and to crowd each other.
func TestAddress6TableIsAMap(t *testing.T) {
	crowd := crowded(t)
	rapid.Check(t, func(t *rapid.T) {
		var table address6Table
		want := map[netip.Addr]int{}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			a := rapid.SampledFrom(crowd).Draw(t, "address")
			if rapid.Bool().Draw(t, "remove") {
				table.remove(a)
				delete(want, a)
				continue
			}
			place := rapid.IntRange(0, maxVIPs-1).Draw(t, "place")
			err := table.put(a, place)
			if _, has := want[a]; !has && len(want) == addressProbes {
				if !errors.Is(err, ErrSetup) {
					t.Fatalf("a fifth in one window: %v, want ErrSetup", err)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			want[a] = place
		}
		if got := table.list(); !maps.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

// crowded finds addresses whose search begins in one place.
func crowded(t *testing.T) (all []netip.Addr) {
	t.Helper()
	for i := uint64(0); len(all) < addressProbes+2; i++ {
		if a := addr6(i, 1); addressPlace(a) == addressPlace(addr6(0, 1)) {
			all = append(all, a)
		}
	}
	return all
}

// TestAddressesOfOneWindowAreToldApart asks the program for each of as many addresses as have one place to begin with.
func TestAddressesOfOneWindowAreToldApart(t *testing.T) {
	b := newBench(t)
	all := crowded(t)
	var s Setup
	for _, a := range all[:addressProbes] {
		s.VIPs = append(s.VIPs, VIP{Address: a, Interface: b.ifindex, MAC: ownMAC})
	}
	if err := b.f.Configure(s); err != nil {
		t.Fatal(err)
	}
	to := func(a netip.Addr) []byte { return fromClient6(func(p *packet) { p.dst = a }).frame() }
	for _, a := range all[:addressProbes] {
		b.expect(t, ingress, to(a), dropped, []Reason{DropNoRule}, nil)
	}
	b.expect(t, ingress, to(all[addressProbes]), passed, nil, nil)
	s.VIPs = append(s.VIPs, VIP{Address: all[addressProbes], Interface: b.ifindex, MAC: ownMAC})
	if err := b.f.Configure(s); !errors.Is(err, ErrSetup) {
		t.Errorf("a fifth: %v, want ErrSetup", err)
	}
	s.VIPs = s.VIPs[1:addressProbes]
	if err := b.f.Configure(s); err != nil {
		t.Fatal(err)
	}
	b.expect(t, ingress, to(all[0]), passed, nil, nil)
	b.expect(t, ingress, to(all[1]), dropped, []Reason{DropNoRule}, nil)
}

// TestBothFamiliesShareTheTables: an address of one family comes and goes, and the other's keeps its place and slots.
func TestBothFamiliesShareTheTables(t *testing.T) {
	b := newBench(t)
	four, six := VIP{Address: testVIP, Interface: b.ifindex, MAC: ownMAC}, VIP{Address: vip6, Interface: b.ifindex, MAC: ownMAC}
	rule := []PortRange{{testPort, testPort}}
	b.slot(word(0, no, no, slotOwn))
	for _, c := range []struct {
		name    string
		s       Setup
		has4    bool
		has6    bool
		arrived int // rule that is new, or -1
	}{
		{"IPv6 beside it", Setup{VIPs: []VIP{six, four}, Rules: []Rule{tcpRule(0, rule...), tcpRule(1, rule...)}}, true, true, 0},
		{"IPv6 alone", Setup{VIPs: []VIP{six}, Rules: []Rule{tcpRule(0, rule...)}}, false, true, -1},
		{"IPv4 beside it", Setup{VIPs: []VIP{four, six}, Rules: []Rule{tcpRule(0, rule...), tcpRule(1, rule...)}}, true, true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := b.f.Configure(c.s); err != nil {
				t.Fatal(err)
			}
			if c.arrived >= 0 {
				var words [buckets]uint32
				for i := range words {
					words[i] = word(0, no, no, slotOwn)
				}
				b.f.SetSlots(c.arrived, &words)
			}
			for p, has := range map[*packet]bool{new(fromClient(flags(syn))): c.has4, new(fromClient6(flags(syn))): c.has6} {
				why := []Reason{AcceptNew}
				if !has {
					why = nil
				}
				b.expect(t, ingress, p.frame(), passed, why, nil)
			}
		})
	}
}

// TestAnAddressThatChangesIsNoOther: while an address goes and another comes in the same entry, packets to either are found or not, and never
// take the place of the other.
func TestAnAddressThatChangesIsNoOther(t *testing.T) {
	b := newBench(t)
	all := crowded(t)
	with := func(a netip.Addr) Setup {
		return Setup{VIPs: []VIP{{Address: testVIP, Interface: b.ifindex, MAC: ownMAC}, {Address: a, Interface: b.ifindex, MAC: ownMAC}}}
	}
	stop, done := make(chan bool), make(chan int)
	go func() {
		defer close(done)
		for n := 0; ; n++ {
			select {
			case <-stop:
				done <- n
				return
			default:
				a := all[n%2].As16()
				binary.BigEndian.PutUint16(a[6:], 2) // nobody has this network
				b.time(b.f.programs[ingress], ingress, fromClient6(func(p *packet) { p.dst = netip.AddrFrom16(a) }).frame())
			}
		}
	}()
	for i := range 200 {
		if err := b.f.Configure(with(all[i%2])); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	if rounds := <-done; rounds == 0 {
		t.Error("no packet met a change")
	}
	c, err := b.f.Counters()
	if err != nil {
		t.Fatal(err)
	}
	if c != (Counters{}) {
		t.Errorf("packets to an address that nobody has were decided: %v", c)
	}
}
