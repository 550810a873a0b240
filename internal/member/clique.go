package member

// cliqueEffort bounds the search for the largest clique. With the colouring bound below, no graph of 32 hosts that was
// tried comes near it; a graph that did would get the best clique found so far, which is the same on every host that
// sees the same graph.
const cliqueEffort = 20000

// complete reports whether all of nodes are linked with each other.
func (g *graph) complete(nodes Set) bool {
	for id := range nodes.All() {
		if nodes&^g[id] != Of(id) {
			return false
		}
	}
	return true
}

// linkedTo is everyone who is linked with one of nodes, except nodes themselves.
func (g *graph) linkedTo(nodes Set) Set {
	var s Set
	for id := range nodes.All() {
		s |= g[id]
	}
	return s &^ nodes
}

// largestClique is the subset of nodes, all linked with each other, that has the most hosts that serve, then the most witnesses;
// among equals the one with the lowest indexes. A healthy cluster is one clique and costs one look at each host.
func (g *graph) largestClique(nodes, witnesses Set) Set {
	if g.complete(nodes) {
		return nodes
	}
	s := cliqueSearch{graph: g, effort: cliqueEffort, witnesses: witnesses}
	s.extend(0, nodes)
	return s.best
}

// cliqueSearch is branch and bound in the order of indexes: the first clique found of each size is the one with the
// lowest indexes, so only a larger one replaces it.
type cliqueSearch struct {
	graph     *graph
	best      Set
	effort    int
	witnesses Set
}

func (s *cliqueSearch) extend(chosen, candidates Set) {
	if candidates == 0 {
		if size(chosen, s.witnesses) > size(s.best, s.witnesses) {
			s.best = chosen
		}
		return
	}
	for candidates != 0 && s.effort > 0 {
		s.effort--
		if size(chosen, s.witnesses)+s.graph.colours(candidates, s.witnesses) <= size(s.best, s.witnesses) {
			return
		}
		next := candidates.Lowest()
		s.extend(chosen.With(next), candidates&s.graph[next])
		candidates = candidates.Without(next)
	}
}

// colours is an upper bound for the size of the largest clique of nodes: hosts that are not linked may share a colour, those of a
// clique may not.
func (g *graph) colours(nodes, witnesses Set) int {
	n := 0
	for nodes != 0 {
		var colour Set
		for free := nodes; free != 0; {
			id := free.Lowest()
			colour = colour.With(id)
			nodes = nodes.Without(id)
			free = free.Without(id) &^ g[id]
		}
		n += size(Of(heaviest(colour, witnesses)), witnesses)
	}
	return n
}

// heaviest is a host of a set that serves, if there is one.
func heaviest(hosts, witnesses Set) ID {
	if serving := hosts &^ witnesses; serving != 0 {
		return serving.Lowest()
	}
	return hosts.Lowest()
}

// size orders sets of hosts: one that serves counts for more than all witnesses together.
func size(hosts, witnesses Set) int {
	return (hosts&^witnesses).Len()*(MaxHosts+1) + (hosts & witnesses).Len()
}
