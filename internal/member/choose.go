package member

import "slices"

// offer is what a host can be used with.
type offer struct {
	inUse, pending ConfigID
}

func (o offer) has(c ConfigID) bool {
	return c != 0 && (c == o.inUse || c == o.pending)
}

// preferred is the configuration that the host would rather use.
func (o offer) preferred() ConfigID {
	if o.pending != 0 {
		return o.pending
	}
	return o.inUse
}

// surroundings is all that a host knows of the cluster: a pure input to the choice of who takes part.
type surroundings struct {
	self   ID
	known  Set   // hosts that may take part, self included
	links  graph // that count
	held   graph // of hosts that hear each other, whether that counts or not
	offers [MaxHosts]offer

	witnesses Set
}

// choice is who should be in a view.
type choice struct {
	config ConfigID
	hosts  Set
	in     bool // self is one of hosts
}

// choose finds the clique for self. A host outside the best clique but linked to one of its hosts stays out and is told
// which clique that is; hosts out of reach of it repeat the same among themselves.
func (s *surroundings) choose() choice {
	for nodes := s.known; nodes.Has(s.self); {
		best := s.best(nodes)
		if best.hosts == 0 {
			break
		}
		best.in = best.hosts.Has(s.self)
		near := s.links.linkedTo(best.hosts) | s.held.linkedTo(best.hosts)
		if best.in || near.Has(s.self) {
			return best
		}
		nodes &^= best.hosts | near
	}
	return choice{}
}

// best is the best clique of nodes over all configurations on offer: the largest, then the one whose configuration more
// hosts prefer, then the lower digest.
func (s *surroundings) best(nodes Set) choice {
	var best choice
	votes := 0
	for _, c := range s.configs(nodes) {
		hosts, v := s.links.largestClique(s.offering(nodes, c), s.witnesses), s.preferring(nodes, c)
		longer := size(hosts, s.witnesses) - size(best.hosts, s.witnesses)
		if longer > 0 || longer == 0 && (v > votes || v == votes && c < best.config) {
			best, votes = choice{config: c, hosts: hosts}, v
		}
	}
	return best
}

// configs lists the configurations on offer, each once.
func (s *surroundings) configs(nodes Set) []ConfigID {
	var list []ConfigID
	for id := range nodes.All() {
		for _, c := range [2]ConfigID{s.offers[id].inUse, s.offers[id].pending} {
			if c != 0 && !slices.Contains(list, c) {
				list = append(list, c)
			}
		}
	}
	return list
}

func (s *surroundings) offering(nodes Set, c ConfigID) Set {
	var hosts Set
	for id := range nodes.All() {
		if s.offers[id].has(c) {
			hosts = hosts.With(id)
		}
	}
	return hosts
}

func (s *surroundings) preferring(nodes Set, c ConfigID) int {
	n := 0
	for id := range nodes.All() {
		if s.offers[id].preferred() == c {
			n++
		}
	}
	return n
}
