package member

import (
	"testing"

	"pgregory.net/rapid"
)

func (g *graph) link(a, b ID) {
	if a != b {
		g[a], g[b] = g[a].With(b), g[b].With(a)
	}
}

// plainClique tries every subset.
func plainClique(g *graph, n int) Set {
	var best Set
	for s := Set(1); s < 1<<n; s++ {
		if g.complete(s) && (s.Len() > best.Len() || s.Len() == best.Len() && s.before(best)) {
			best = s
		}
	}
	return best
}

func TestLargestCliqueIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 10).Draw(t, "hosts")
		var g graph
		for range rapid.IntRange(0, 40).Draw(t, "links") {
			g.link(ID(rapid.IntRange(0, n-1).Draw(t, "a")), ID(rapid.IntRange(0, n-1).Draw(t, "b")))
		}
		if got, want := g.largestClique(First(n), 0), plainClique(&g, n); got != want {
			t.Fatalf("got %b, want %b", got, want)
		}
	})
}

// TestCliqueEffort keeps the search far from its bound: for random graphs of every density, and for the graph with the most
// maximal cliques there are, ten groups of three and one of two with all links but those inside a group.
func TestCliqueEffort(t *testing.T) {
	var groups graph
	for a := range ID(MaxHosts) {
		for b := range a {
			if a/3 != b/3 {
				groups.link(a, b)
			}
		}
	}
	least := cliqueEffort
	look := func(g *graph) Set {
		s := cliqueSearch{graph: g, effort: cliqueEffort}
		s.extend(0, First(MaxHosts))
		least = min(least, s.effort)
		return s.best
	}
	if got := look(&groups); got.Len() != 11 || !got.Has(0) || !got.Has(3) {
		t.Errorf("groups of three: %b", got)
	}
	x := uint64(1)
	for density := uint64(5); density < 100; density += 5 {
		for range 20 {
			var g graph
			for a := range ID(MaxHosts) {
				for b := range a {
					x = x*6364136223846793005 + 1442695040888963407
					if x>>33%100 < density {
						g.link(a, b)
					}
				}
			}
			look(&g)
		}
	}
	if used := cliqueEffort - least; used > cliqueEffort/4 {
		t.Errorf("the hardest graph took %d of %d steps", used, cliqueEffort)
	} else {
		t.Logf("the hardest graph took %d of %d steps", used, cliqueEffort)
	}
}

func TestChoose(t *testing.T) {
	type links [][2]ID
	tests := []struct {
		name   string
		self   ID
		links  links
		offers []offer
		want   choice
	}{
		{"all linked", 2, links{{0, 1}, {0, 2}, {1, 2}}, []offer{{1, 0}, {1, 0}, {1, 0}}, choice{1, 0b111, true}},
		{"a tie goes to the lowest", 1, links{{0, 1}, {1, 2}}, []offer{{1, 0}, {1, 0}, {1, 0}}, choice{1, 0b011, true}},
		{"linked to the clique but not of it", 2, links{{0, 1}, {1, 2}}, []offer{{1, 0}, {1, 0}, {1, 0}}, choice{1, 0b011, false}},
		{"out of reach", 3, links{{0, 1}, {0, 2}, {1, 2}, {3, 4}}, []offer{{1, 0}, {1, 0}, {1, 0}, {1, 0}, {1, 0}}, choice{1, 0b11000, true}},
		{"out of reach, with one who is not", 3, links{{0, 1}, {1, 2}, {2, 3}}, []offer{{1, 0}, {1, 0}, {1, 0}, {1, 0}}, choice{1, 0b1000, true}},
		{"a strange file", 0, links{{0, 1}, {0, 2}, {1, 2}}, []offer{{9, 0}, {1, 0}, {1, 0}}, choice{1, 0b110, false}},
		{"a file not yet everywhere", 0, links{{0, 1}, {0, 2}, {1, 2}}, []offer{{1, 2}, {1, 2}, {1, 0}}, choice{1, 0b111, true}},
		{"a file now everywhere", 0, links{{0, 1}, {0, 2}, {1, 2}}, []offer{{1, 2}, {1, 2}, {1, 2}}, choice{2, 0b111, true}},
		{"equal sizes, equal votes: the lower digest", 1, links{{0, 1}}, []offer{{9, 0}, {1, 0}}, choice{1, 0b10, true}},
		{"alone", 0, nil, []offer{{1, 0}}, choice{1, 0b1, true}},
		{"no configuration at all", 0, nil, []offer{{0, 0}}, choice{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := surroundings{self: test.self, known: First(len(test.offers))}
			copy(s.offers[:], test.offers)
			for _, l := range test.links {
				s.links.link(l[0], l[1])
			}
			if got := s.choose(); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func BenchmarkChooseComplete32(b *testing.B) {
	s := surroundings{known: First(MaxHosts)}
	for i := range s.links {
		s.links[i], s.offers[i] = First(MaxHosts).Without(ID(i)), offer{inUse: 1}
	}
	for b.Loop() {
		s.choose()
	}
}
