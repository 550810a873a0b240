package agent

import (
	"fmt"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/multicast"
)

// settleTime is how long a host that has become responsible waits for what the others know of leases, if they know anything else.
const settleTime = 2 * time.Second

// leasing is what this host does about the lease of one network. It does nothing while another host is responsible.
type leasing struct {
	set    config.Multicast // of which the rest is true
	since  time.Time        // responsible since; zero: another host is
	errand *errand          // under way; nil: none
	failed time.Time        // see multicast.Keeping
	why    string           // of the last failure
}

// drop forgets everything and ends what is under way: what it still brings is given back.
func (l *leasing) drop() {
	if l.errand != nil {
		l.errand.cancel()
	}
	*l = leasing{}
}

// leaseKey is where the common values have a network's lease.
func leaseKey(network string) string { return "lease/" + network }

// leaseOf is the lease that the cluster has for a network; zero: none. One that this version cannot read counts as none.
func (h *host) leaseOf(c *casting) multicast.Lease {
	e, ok := h.registers.Get(leaseKey(c.Name))
	if !ok {
		return multicast.Lease{}
	}
	l, err := multicast.ParseLease(e.Value)
	if err != nil {
		return multicast.Lease{}
	}
	return l
}

// setLease makes a lease that of the cluster; zero: it has none.
func (h *host) setLease(c *casting, l multicast.Lease) {
	var err error
	if l.Known() {
		err = h.registers.Set(leaseKey(c.Name), l.String())
	} else {
		err = h.registers.Delete(leaseKey(c.Name))
	}
	if err != nil {
		h.log.Error("cannot tell the others of a lease: it is of no use", "network", c.Name, "err", err)
	}
}

// toldLease records what has become of a lease. Its identifier is nobody's business: who knows it can give it back.
func (h *host) toldLease(c *casting, format string, args ...any) {
	text := fmt.Sprintf("network %s: ", c.Name) + fmt.Sprintf(format, args...)
	h.record(api.Event{At: time.Now(), Kind: "lease", Text: text})
	h.log.Info("lease", "network", c.Name, "what", text)
}

// wantsLease says whether a network is to have a lease.
func (h *host) wantsLease(set config.Multicast) bool {
	return multicast.Worthwhile(len(h.config.Hosts), set.Disabled) && !set.Address.IsValid() && !set.NoMADCAP
}

// allowed is where a lease may be from.
func allowed(set config.Multicast) multicast.Range {
	if set.Ranged {
		return multicast.Range{First: set.First, Last: set.Last}
	}
	if set.First.Is6() {
		return multicast.Administrative6()
	}
	return multicast.Administrative()
}

// fits says whether the address of a lease can be used.
func (h *host) fits(c *casting, set config.Multicast, l multicast.Lease, strangers bool) bool {
	switch {
	case !l.Known() || !allowed(set).Holds(l.Address):
		return false
	case strangers && l.Address == c.group.Address:
		return false
	}
	return !multicast.Avoid(nil, h.otherGroups(c))(l.Address)
}

// held is the lease as a source of addresses.
func (h *host) held(c *casting, set config.Multicast, strangers bool, now time.Time) multicast.Held {
	l := h.leaseOf(c)
	if !h.wantsLease(set) || !h.fits(c, set, l, strangers) {
		l = multicast.Lease{}
	}
	return multicast.Held{Lease: l, Now: now}
}

// keepLease does what is to be done about a network's lease, if this host is responsible.
func (h *host) keepLease(c *casting, set config.Multicast, strangers bool, now time.Time) {
	if !h.lowest() {
		c.lease.drop()
		return
	}
	if !h.responsible() {
		return // while a view changes: what is under way goes on
	}
	if c.lease.since.IsZero() {
		c.lease = leasing{set: set, since: now}
	}
	if c.lease.set != set {
		since := c.lease.since
		c.lease.drop()
		c.lease = leasing{set: set, since: since}
	}
	if !h.settled(c, now) {
		return
	}
	l := h.leaseOf(c)
	k := multicast.Keeping{Wanted: h.wantsLease(set), Lease: l, Fit: h.fits(c, set, l, strangers), Failed: c.lease.failed}
	switch task := k.Next(now); {
	case task == multicast.Nothing:
	case task == multicast.Forget || c.lease.errand == nil: // to forget takes no time, whoever is still asked to renew
		h.begin(c, task, l)
	}
}

// settled says whether this host knows what the others know of leases. It does not wait for that long.
func (h *host) settled(c *casting, now time.Time) bool {
	if now.Sub(c.lease.since) >= settleTime {
		return true
	}
	differ, _ := h.lacking()
	return len(differ) == 0
}

// awaitsLease says whether a lease may come so soon that choosing an address oneself would be rash.
func (h *host) awaitsLease(c *casting, set config.Multicast, now time.Time) bool {
	if !h.wantsLease(set) || !c.lease.failed.IsZero() {
		return false
	}
	e := c.lease.errand
	return !h.settled(c, now) || e != nil && e.task == multicast.Ask && now.Sub(e.begun) < multicast.FirstTry
}

// begin starts a task, or does it at once if nobody has to be asked. What the cluster must not use any more is forgotten first.
func (h *host) begin(c *casting, task multicast.Task, l multicast.Lease) {
	if _, err := h.localOn(c); err != nil && (task == multicast.Ask || task == multicast.Renew) {
		return // when the network is back
	}
	switch task {
	case multicast.Forget:
		h.toldLease(c, "the lease of %v has expired", l.Address)
		h.setLease(c, multicast.Lease{})
		return
	case multicast.Replace:
		h.toldLease(c, "the lease of %v is of no use: strangers or another network have the address, or the file has another range", l.Address)
		h.setLease(c, multicast.Lease{})
	case multicast.GiveBack:
		h.toldLease(c, "the lease of %v is given back: the file asks for none", l.Address)
		h.setLease(c, multicast.Lease{})
	}
	c.lease.errand = h.send(c, task, l)
}

// ended takes in what has become of a task.
func (h *host) ended(c *casting, e *errand, got multicast.Lease, err error) {
	if c.lease.errand != e { // dropped meanwhile: nobody would renew it
		if got.Known() {
			h.send(c, multicast.GiveBack, got)
		}
		return
	}
	c.lease.errand = nil
	if e.task == multicast.GiveBack {
		if err != nil {
			h.log.Info("lease not given back: it expires", "network", c.Name, "err", err)
		}
		return
	}
	if err != nil {
		before := c.lease.why
		c.lease.failed, c.lease.why = time.Now(), short(err)
		if c.lease.why != before {
			h.toldLease(c, "no lease: %s", c.lease.why)
		}
		return
	}
	c.lease.failed, c.lease.why = time.Time{}, ""
	what := "leased"
	if got.ID == e.lease.ID {
		what = "renewed"
	}
	h.toldLease(c, "%v is %s from server %v until %s", got.Address, what, got.Server, clock(got.Expires))
	h.setLease(c, got)
}
