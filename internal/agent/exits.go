package agent

import (
	"fmt"
	"slices"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/vip"
)

// exits is what the loop knows of the routes by which answers leave. They are somebody else's: what is gone is said, and not put back.
type exits struct {
	seen   map[string]vip.Exit // that were there since the agent started
	missed map[string]bool     // at the last look
	lost   []vip.Exit          // to be listed as problems
	told   drifts
}

// lookAtExits looks up the routes once for each interface and family that VIPs have.
func (h *host) lookAtExits(cfg *config.Config, links []vip.Interface) (found []vip.Exit) {
	type pair struct {
		link int
		six  bool
	}
	looked := map[pair]bool{}
	for i, v := range cfg.VIPs {
		at := pair{links[i].Index, v.Address.Addr().Is6()}
		if looked[at] {
			continue
		}
		looked[at] = true
		some, err := vip.Exits(links[i], at.six)
		if err != nil {
			h.log.Debug("cannot look by which routes answers leave", "interface", links[i].Name, "err", err)
		}
		found = append(found, some...)
	}
	return found
}

// judge says which routes are gone since the last call. Two looks in a row must miss one: who replaces a route may take it away first. A default
// route is missed only if it was there; many networks have none.
func (e *exits) judge(found []vip.Exit) (gone []vip.Exit) {
	before, was := e.missed, e.lost
	e.missed, e.lost = map[string]bool{}, nil
	for _, each := range found {
		key := each.To.String() + " " + each.Link
		if each.There {
			e.remember(key, each)
			continue
		}
		past, known := e.seen[key]
		if !known && !each.Due {
			continue
		}
		e.missed[key] = true
		if known {
			each.Command = past.Command
		}
		if before[key] {
			e.lost = append(e.lost, each)
		}
		if before[key] && !slices.Contains(was, each) {
			gone = append(gone, each)
		}
	}
	return gone
}

// remember notes a route that is there. Addresses may come and go for years.
func (e *exits) remember(key string, each vip.Exit) {
	if e.seen == nil || len(e.seen) >= keptDrift {
		e.seen = map[string]vip.Exit{}
	}
	e.seen[key] = each
}

// watchExits tells of routes that are gone, the first, second, fourth, eighth time.
func (h *host) watchExits(found []vip.Exit, now time.Time) {
	for _, e := range h.exits.judge(found) {
		what, remedy := e.Loss()
		if h.exits.told.note(what, what, now) {
			h.log.Warn("a route was taken away, and is not put back", "what", what, "do", remedy)
			h.record(api.Event{At: now, Kind: "drift", Host: h.opt.Host, Text: fmt.Sprintf("route taken away: %s; not put back", what)})
		}
	}
}

// exitProblems are the routes that are missed now.
func (h *host) exitProblems() (list []api.Problem) {
	for _, e := range h.exits.lost {
		what, remedy := e.Loss()
		list = append(list, api.Problem{About: "interface " + e.Link, What: what, Remedy: remedy})
	}
	return list
}
