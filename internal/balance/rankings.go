package balance

import "github.com/muster-ha/muster/internal/member"

// Rankings is an order of all configured hosts for each bucket. It depends on nothing but their weights, and is made once a
// configuration.
//
// The first places are exact by weight. The buckets of each first are split among the others just as exactly for the second
// place, and so on. Where a part is too small to be split exactly, what a host got too little or too much is carried to
// the next part that is split among the same hosts.
type Rankings struct {
	weights []int64
	order   []uint8 // of bucket b: order[b*n : (b+1)*n]
}

// NewRankings ranks hosts by their configured weights, index = host. A weight below one ranks last.
func NewRankings(weights []int) *Rankings {
	r := &Rankings{weights: make([]int64, len(weights)), order: make([]uint8, Buckets*len(weights))}
	for i, w := range weights {
		r.weights[i] = int64(max(w, 0))
	}
	buckets := make([]int, Buckets)
	for b := range buckets {
		buckets[b] = b
	}
	s := splitter{rankings: r, carried: map[member.Set][]int64{}}
	s.split(buckets, member.First(len(weights)), 0)
	return r
}

// ranking is a bucket's order of hosts.
func (r *Rankings) ranking(bucket int) []uint8 {
	n := len(r.weights)
	return r.order[bucket*n : (bucket+1)*n]
}

// shares is the weights of hosts, each at its index, and their sum. Hosts without any weight count as equal.
func (r *Rankings) shares(hosts member.Set) (weights [member.MaxHosts]int64, sum int64) {
	for id := range hosts.All() {
		weights[id] = r.weights[id]
		sum += r.weights[id]
	}
	if sum > 0 {
		return weights, sum
	}
	for id := range hosts.All() {
		weights[id] = 1
	}
	return weights, int64(hosts.Len())
}

// splitter fills in the rankings place by place.
type splitter struct {
	rankings *Rankings
	carried  map[member.Set][]int64 // by the hosts to split among: what each is owed, in parts of the sum of their weights
}

// split gives the place-th place of buckets to hosts by their weights, and goes on with each host's part.
func (s *splitter) split(buckets []int, hosts member.Set, place int) {
	if len(buckets) == 0 || hosts == 0 {
		return
	}
	counts := s.counts(len(buckets), hosts)
	for id := range hosts.All() {
		part := buckets[:counts[id]]
		buckets = buckets[counts[id]:]
		for _, b := range part {
			s.rankings.ranking(b)[place] = uint8(id)
		}
		s.split(part, hosts.Without(id), place+1)
	}
}

// counts divides n buckets among hosts and carries the rest.
func (s *splitter) counts(n int, hosts member.Set) [member.MaxHosts]int {
	weights, sum := s.rankings.shares(hosts)
	owed := s.carried[hosts]
	if owed == nil {
		owed = make([]int64, member.MaxHosts)
		s.carried[hosts] = owed
	}
	var counts [member.MaxHosts]int
	left := n
	for id := range hosts.All() {
		owed[id] += int64(n) * weights[id]
		counts[id] = min(int(max(owed[id], 0)/sum), left)
		owed[id] -= int64(counts[id]) * sum
		left -= counts[id]
	}
	for ; left > 0; left-- {
		id := mostOwed(hosts, owed)
		counts[id]++
		owed[id] -= sum
	}
	return counts
}

// mostOwed is the host that is owed most, the lowest among equals.
func mostOwed(hosts member.Set, owed []int64) member.ID {
	best := hosts.Lowest()
	for id := range hosts.All() {
		if owed[id] > owed[best] {
			best = id
		}
	}
	return best
}
