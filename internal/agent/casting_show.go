package agent

import (
	"fmt"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/multicast"
)

// leaseStatus says what is done about a network's lease, and which there is.
func (h *host) leaseStatus(c *casting) (doing string, known *api.LeaseStatus) {
	set := h.settings(c.Name)
	keeper := ""
	if m := h.shares.view.Members; len(m) > 0 {
		keeper = h.name(m[0].ID)
	}
	l := h.leaseOf(c)
	if l.Known() {
		known = &api.LeaseStatus{Address: l.Address.String(), Server: l.Server.String(), Scope: l.Scope.String(), ID: l.ID.String(),
			Obtained: l.Obtained.UTC(), Renewed: l.RenewAt().UTC(), Expires: l.Expires.UTC(), Keeper: keeper}
	}
	switch {
	case !h.wantsLease(set):
		return h.whyNoLease(set), known
	case keeper == "":
		return "nobody sees to a lease without a view", known
	case !h.responsible():
		return fmt.Sprintf("host %s sees to a lease", keeper), known
	}
	return c.lease.doing(l), known
}

// whyNoLease says why none is wanted.
func (h *host) whyNoLease(set config.Multicast) string {
	switch {
	case set.Disabled:
		return "not asked for: multicast is disabled"
	case set.Address.IsValid():
		return "not asked for: the address is manual"
	case set.NoMADCAP:
		return "not asked for: the file says `madcap: false`"
	}
	return fmt.Sprintf("not asked for: with %d hosts multicast is not used", len(h.config.Hosts))
}

// doing says what the responsible host does.
func (l *leasing) doing(have multicast.Lease) string {
	switch {
	case l.errand != nil && l.errand.task == multicast.Renew && have.Known():
		return "renewing since " + clock(l.errand.begun)
	case l.errand != nil:
		return "asking servers since " + clock(l.errand.begun)
	case l.why != "" && have.Known():
		return "not renewed yet: " + l.why
	case l.why != "":
		return fmt.Sprintf("no lease: %s; servers are asked again at %s", l.why, clock(l.failed.Add(multicast.RetryEvery)))
	case have.Known():
		return "renewed at " + clock(have.RenewAt())
	}
	return "servers are asked next"
}

// castProblems are what somebody should do about a network's multicast.
func castProblems(s api.Status) []api.Problem {
	var list []api.Problem
	for _, n := range s.Networks {
		m := n.Multicast
		if m.Stranger && m.How == multicast.Manual.String() {
			list = append(list, api.Problem{About: "network " + n.Name, What: fmt.Sprintf("another cluster uses its multicast group %s; the address is manual, so it is kept", m.Group),
				Remedy: "give one of the two clusters another `address`, or remove it to have one chosen; until then each hears what it cannot use"})
		}
		if m.Warning != "" {
			list = append(list, api.Problem{About: "network " + n.Name, What: m.Warning, Remedy: "correct the network's `multicast` settings; `muster check` shows the place"})
		}
	}
	return list
}

// clock writes a time for people and events.
func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }
