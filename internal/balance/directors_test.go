package balance

import (
	"testing"

	"github.com/muster-ha/muster/internal/member"
	"pgregory.net/rapid"
)

func viewOf(may member.Set, mayNot member.Set) member.View {
	var v member.View
	for id := range (may | mayNot).All() {
		v.Members = append(v.Members, member.Member{ID: id, Attributes: member.Attributes{Director: may.Has(id)}})
	}
	return v
}

// everywhere is VIPs on whose network every host is.
func everywhere(vips int) []member.Set {
	near := make([]member.Set, vips)
	for i := range near {
		near[i] = member.First(member.MaxHosts)
	}
	return near
}

// TestOnlyHostsOnTheNetworkDirect: hosts elsewhere serve and never answer, and VIPs of two networks do not count for each other.
func TestOnlyHostsOnTheNetworkDirect(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		may := member.Set(rapid.Uint32().Draw(t, "may"))
		networks := rapid.SliceOfN(rapid.Map(rapid.Uint32(), func(u uint32) member.Set { return member.Set(u) }), 1, 3).Draw(t, "networks")
		near := rapid.SliceOfN(rapid.SampledFrom(networks), 0, 40).Draw(t, "near")
		n := map[member.Set]map[uint8]int{}
		total := map[member.Set]int{}
		for vip, owner := range Directors(viewOf(may, 0), near) {
			able := near[vip] & may
			if able == 0 && owner != Nobody || able != 0 && !able.Has(member.ID(owner)) {
				t.Fatalf("host %d directs VIP %d, and %v can", owner, vip, able)
			}
			if n[near[vip]] == nil {
				n[near[vip]] = map[uint8]int{}
			}
			n[near[vip]][owner]++
			total[near[vip]]++
		}
		for network, hosts := range n {
			able := (network & may).Len()
			for id, has := range hosts {
				if able > 0 && has > (total[network]+able-1)/able {
					t.Fatalf("host %d directs %d of %d VIPs of a network of %d hosts", id, has, total[network], able)
				}
			}
		}
	})
}

func TestDirectorsAreSpread(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		may := member.Set(rapid.Uint32().Draw(t, "may"))
		mayNot := member.Set(rapid.Uint32().Draw(t, "may not")) &^ may
		vips := rapid.IntRange(0, 100).Draw(t, "vips")
		got := Directors(viewOf(may, mayNot), everywhere(vips))
		if len(got) != vips {
			t.Fatalf("%d directors for %d VIPs", len(got), vips)
		}
		n := map[uint8]int{}
		for _, id := range got {
			n[id]++
			if may == 0 && id != Nobody || may != 0 && !may.Has(member.ID(id)) {
				t.Fatalf("%d directs and may not: %v", id, got)
			}
		}
		for id := range may.All() {
			if n[uint8(id)] < vips/may.Len() || n[uint8(id)] > (vips+may.Len()-1)/may.Len() {
				t.Fatalf("host %d directs %d of %d VIPs among %d hosts", id, n[uint8(id)], vips, may.Len())
			}
		}
	})
}

// TestDirectorsStay: with one VIP nothing moves unless its director goes, or one with a better rank comes.
func TestDirectorsStay(t *testing.T) {
	for vip := range 20 {
		all := Directors(viewOf(member.First(5), 0), everywhere(vip+1))[vip:]
		for gone := range member.ID(5) {
			one := func(s member.Set) uint8 {
				return firstOf(vipRanking(vip), s)
			}
			before, after := one(member.First(5)), one(member.First(5).Without(gone))
			if before != uint8(gone) && after != before {
				t.Errorf("VIP %d moved from %d to %d when %d left (%v)", vip, before, after, gone, all)
			}
		}
	}
}
