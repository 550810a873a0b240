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

// largestClique is the largest subset of nodes whose hosts are all linked with each other; among equals the one with the
// lowest indexes. A healthy cluster is one clique and costs one look at each host.
func (g *graph) largestClique(nodes Set) Set {
	if g.complete(nodes) {
		return nodes
	}
	s := cliqueSearch{graph: g, effort: cliqueEffort}
	s.extend(0, nodes)
	return s.best
}

// cliqueSearch is branch and bound in the order of indexes: the first clique found of each size is the one with the
// lowest indexes, so only a larger one replaces it.
type cliqueSearch struct {
	graph  *graph
	best   Set
	effort int
}

func (s *cliqueSearch) extend(chosen, candidates Set) {
	if candidates == 0 {
		if chosen.Len() > s.best.Len() {
			s.best = chosen
		}
		return
	}
	for candidates != 0 && s.effort > 0 {
		s.effort--
		if chosen.Len()+s.graph.colours(candidates) <= s.best.Len() {
			return
		}
		next := candidates.Lowest()
		s.extend(chosen.With(next), candidates&s.graph[next])
		candidates = candidates.Without(next)
	}
}

// colours is an upper bound for the largest clique of nodes: hosts that are not linked may share a colour, those of a clique
// may not.
func (g *graph) colours(nodes Set) int {
	n := 0
	for ; nodes != 0; n++ {
		for free := nodes; free != 0; {
			id := free.Lowest()
			nodes = nodes.Without(id)
			free = free.Without(id) &^ g[id]
		}
	}
	return n
}
