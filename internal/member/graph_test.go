package member

import (
	"testing"

	"pgregory.net/rapid"
)

func TestTurnedGraphHasEveryLinkTheOtherWayRound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var g graph
		for id := range g {
			g[id] = Set(rapid.Uint32().Draw(t, "links"))
		}
		turned := g.turned()
		for id := range ID(MaxHosts) {
			for other := range ID(MaxHosts) {
				if turned[id].Has(other) != g[other].Has(id) {
					t.Fatalf("%d is said to be linked with %d: %v; turned round: %v", other, id, g[other].Has(id), turned[id].Has(other))
				}
			}
		}
	})
}
