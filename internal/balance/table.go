package balance

import "github.com/muster-ha/muster/internal/member"

// Eligible is the hosts that may own buckets of a rule: in the view, with a weight, the rule's checks good.
func Eligible(v member.View, rule int) member.Set {
	var s member.Set
	for _, m := range v.Members {
		if m.Weight > 0 && m.Ready>>rule&1 != 0 {
			s = s.With(m.ID)
		}
	}
	return s
}

// Table gives each bucket to an eligible host, by the configured weights exactly within one bucket: to the first eligible host in
// its ranking, and then from those with too many to those with too few.
func (r *Rankings) Table(eligible member.Set) *Table {
	eligible &= member.First(len(r.weights))
	t := new(Table)
	weights, sum := r.shares(eligible)
	settle(t[:], eligible, weights, sum, r.ranking)
	return t
}

// settle fills owners: each place to the first eligible host of its ranking, then exact quotas.
func settle(owners []uint8, eligible member.Set, weights [member.MaxHosts]int64, sum int64, ranking func(int) []uint8) {
	if eligible == 0 {
		for b := range owners {
			owners[b] = Nobody
		}
		return
	}
	var has [member.MaxHosts]int
	for b := range owners {
		owners[b] = firstOf(ranking(b), eligible)
		has[owners[b]]++
	}
	quota := quotas(len(owners), eligible, weights, sum, has)
	for b, owner := range owners {
		if has[owner] <= quota[owner] {
			continue
		}
		next := firstOf(ranking(b), lacking(eligible, has, quota))
		has[owner]--
		has[next]++
		owners[b] = next
	}
}

// firstOf is the first host in a ranking that is in hosts. Every ranking has every host.
func firstOf(ranking []uint8, hosts member.Set) uint8 {
	for _, id := range ranking {
		if hosts.Has(member.ID(id)) {
			return id
		}
	}
	return Nobody
}

// lacking is the hosts that have less than their quota. As the quotas add up to what there is, somebody lacks some as
// long as somebody has too many.
func lacking(hosts member.Set, has, quota [member.MaxHosts]int) member.Set {
	var s member.Set
	for id := range hosts.All() {
		if has[id] < quota[id] {
			s = s.With(id)
		}
	}
	return s
}

// quotas divides n by weight, the rest to the largest remainders, then to those who already have more, then to the lowest
// index.
func quotas(n int, hosts member.Set, weights [member.MaxHosts]int64, sum int64, has [member.MaxHosts]int) [member.MaxHosts]int {
	var quota [member.MaxHosts]int
	var rest [member.MaxHosts]int64
	left := n
	for id := range hosts.All() {
		share := int64(n) * weights[id]
		quota[id], rest[id] = int(share/sum), share%sum
		left -= quota[id]
	}
	for candidates := hosts; left > 0; left-- {
		best := candidates.Lowest()
		for id := range candidates.All() {
			if rest[id] > rest[best] || rest[id] == rest[best] && has[id] > has[best] {
				best = id
			}
		}
		quota[best]++
		candidates = candidates.Without(best)
	}
	return quota
}
