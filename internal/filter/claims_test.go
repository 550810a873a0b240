package filter

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// heard collects what the programs tell of claims, until wanted many are there or time has passed.
func heard(t *testing.T, f *Filter, wanted int) (all []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+min(wanted, 1)*19)*100*time.Millisecond) // for nothing it need not take long
	defer cancel()
	err := f.ReadClaims(ctx, func(c Claim) {
		all = append(all, fmt.Sprintf("%s at %s from %s", c.Address, c.MAC, c.Source))
		if len(all) == wanted {
			cancel()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

func TestClaimsOfStrangersAreTold(t *testing.T) {
	four, six := newBench(t), newBench6(t)
	own := netip.MustParseAddr("10.9.0.1")
	for _, b := range []*bench{four, six} {
		if err := b.f.writeOwn([]netip.Addr{own, host6}); err != nil {
			t.Fatal(err)
		}
	}
	other := net.HardwareAddr{2, 0, 0, 0, 9, 10}
	says := func(a netip.Addr, mac, source net.HardwareAddr) []string {
		return []string{fmt.Sprintf("%s at %s from %s", a, mac, source)}
	}
	disguised := arpFrame(everyone, other, 1, testVIP, testVIP)
	copy(disguised[6:], peer2MAC)
	for _, tt := range []struct {
		name  string
		frame []byte
		want  []string
	}{
		{"announcement of the VIP", arpFrame(everyone, strangeMAC, 1, testVIP, testVIP), says(testVIP, strangeMAC, strangeMAC)},
		{"the same within a second", arpFrame(everyone, strangeMAC, 1, testVIP, testVIP), nil},
		{"as if from a host of the cluster", disguised, says(testVIP, other, peer2MAC)},
		{"this host's address", arpFrame(everyone, strangeMAC, 1, own, own), says(own, strangeMAC, strangeMAC)},
		{"another address", arpFrame(everyone, strangeMAC, 1, clientIP, clientIP), nil},
		{"a host of the cluster", arpFrame(everyone, peer1MAC, 1, testVIP, testVIP), nil},
		{"a question", arpFrame(everyone, strangeMAC, 1, clientIP, testVIP), nil},
		{"IPv6, the VIP", advertisement(), says(vip6, strangeMAC, strangeMAC)},
		{"IPv6, this host's address", advertisement(func(m *nd) { m.target = host6 }), says(host6, strangeMAC, strangeMAC)},
		{"IPv6, a host of the cluster", advertisement(func(m *nd) { m.from, m.options = peer1MAC, macOption(2, peer1MAC) }), nil},
		{"IPv6, forged from beyond the link", advertisement(func(m *nd) { m.target, m.hops, m.options = vip6, 64, macOption(2, other) }), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := four
			if strings.HasPrefix(tt.name, "IPv6") {
				b = six
			}
			b.run(ingress, tt.frame)
			if got := heard(t, b.f, len(tt.want)); !slices.Equal(got, tt.want) {
				t.Errorf("told %q, want %q", got, tt.want)
			}
		})
	}
}

func TestClusterMACIsNoStrangers(t *testing.T) {
	b := newBench(t)
	b.setup(multiMAC)
	byHost := arpFrame(everyone, multiMAC, 1, testVIP, testVIP)
	copy(byHost[6:], peer1MAC)
	byStranger := arpFrame(everyone, multiMAC, 1, testVIP, testVIP)
	copy(byStranger[6:], strangeMAC)
	b.run(ingress, byHost)
	b.run(ingress, byStranger)
	want := []string{fmt.Sprintf("%s at %s from %s", testVIP, multiMAC, strangeMAC)}
	if got := heard(t, b.f, 1); !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

func TestAFloodOfClaimsIsBounded(t *testing.T) {
	b := newBench(t)
	const flood = 2000
	for i := range flood {
		b.run(ingress, arpFrame(everyone, net.HardwareAddr{2, 9, 9, 9, byte(i >> 8), byte(i)}, 1, testVIP, testVIP))
	}
	told := heard(t, b.f, flood)
	c, err := b.f.Counters()
	if err != nil {
		t.Fatal(err)
	}
	if c.Of(ARPConflict) < flood || len(told) == 0 || len(told) > flood/2 {
		t.Errorf("%d claims counted, %d told; want all counted and what fits into the ring told", c.Of(ARPConflict), len(told))
	}
}

func FuzzClaim(f *testing.F) {
	f.Add(make([]byte, claimLen))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, ok := parseClaim(b)
		if ok != (len(b) >= claimLen) || ok && (len(c.MAC) != 6 || len(c.Source) != 6 || !c.Address.IsValid()) {
			t.Errorf("%x is %+v, %v", b, c, ok)
		}
	})
}
