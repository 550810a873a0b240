package balance

import (
	"slices"

	"github.com/muster-ha/muster/internal/member"
)

// Directors gives each VIP the host that answers for it. near has for each VIP the hosts that are on its network. VIPs of one network are
// spread over the members that may direct, moving as little as exact spreading allows when one comes or goes. Nobody when none may.
func Directors(v member.View, near []member.Set) []uint8 {
	var may member.Set
	for _, m := range v.Members {
		if m.Director {
			may = may.With(m.ID)
		}
	}
	networks := map[member.Set][]int{}
	for vip, hosts := range near {
		networks[hosts] = append(networks[hosts], vip)
	}
	owners := make([]uint8, len(near))
	for hosts, vips := range networks { // each is settled for itself: the order does not matter
		for i, owner := range directorsOf(vips, may&hosts) {
			owners[vips[i]] = owner
		}
	}
	return owners
}

// directorsOf spreads some VIPs over hosts.
func directorsOf(vips []int, may member.Set) []uint8 {
	var weights [member.MaxHosts]int64
	for id := range may.All() {
		weights[id] = 1
	}
	rankings := make([][]uint8, len(vips))
	for i, vip := range vips {
		rankings[i] = vipRanking(vip)
	}
	owners := make([]uint8, len(vips))
	settle(owners, may, weights, int64(may.Len()), func(i int) []uint8 { return rankings[i] })
	return owners
}

// vipRanking is a VIP's own order of all possible hosts, so that the loss of one changes nothing between the others.
func vipRanking(vip int) []uint8 {
	order := make([]uint8, member.MaxHosts)
	for i := range order {
		order[i] = uint8(i)
	}
	slices.SortFunc(order, func(a, b uint8) int {
		if score(vip, a) < score(vip, b) {
			return -1
		}
		return 1
	})
	return order
}

// score mixes VIP and host well (the finaliser of splitmix64, a bijection: no two pairs are equal).
func score(vip int, host uint8) uint64 {
	x := uint64(vip)*member.MaxHosts + uint64(host) + 1
	x *= 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
