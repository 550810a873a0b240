package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/system"
	"github.com/muster-ha/muster/internal/vip"
)

const (
	// healPause is how often a host looks at itself. The kernel tells of most changes, and not of settings, programs and pins: those are put
	// back after this time at most, well within a second.
	healPause = 500 * time.Millisecond

	// healSettle is waited for after the kernel told of a change: an interface that comes or goes is told of many times. It bounds the looks
	// to twenty a second, whatever somebody does to the host.
	healSettle = 50 * time.Millisecond
)

// sight is what a look found. It is taken outside the loop: the kernel answers such questions under a lock that other programs may hold for
// hundreds of milliseconds.
type sight struct {
	config  *config.Config // in use when the look began
	drift   []system.Drift // put back already, as far as it could be
	broken  error          // what is wrong with the filter
	links   []vip.Interface
	missing error // why there are no links
	early   []accelerated
	tunnel  int // index of the tunnel's device; 0: there is none
	own     int // index of the interface with the host's own address; 0: none
	exits   []vip.Exit
}

// heal looks from time to time, and when the kernel says that something has changed, whether the host still is as the agent made it, and
// puts back what somebody took away. What the guard has to know is brought up to date with it.
func (h *host) heal(ctx context.Context) {
	var changed <-chan struct{}
	watch, err := system.OpenWatch()
	if err == nil {
		defer watch.Close()
		changed = watch.Changed()
	} else {
		h.log.Warn("the kernel does not tell of changes: what somebody takes away is put back a little later", "err", err)
	}
	for { // at once: what is there from the start can be missed later
		s, ok := h.look(ctx)
		if !ok {
			return
		}
		h.do(ctx, func() { h.healed(s) })
		h.meet(ctx)
		h.renewWill()
		told, ok := idle(ctx, changed)
		if !ok {
			return
		}
		if told {
			h.network.Look() // interfaces of other networks come and go as well
		}
	}
}

// idle waits until it is time to look again, or the kernel has told of a change; not ok: the agent ends.
func idle(ctx context.Context, changed <-chan struct{}) (told, ok bool) {
	timer := time.NewTimer(healPause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false, false
	case <-timer.C:
		return false, true
	case <-changed:
	}
	if !pause(ctx, healSettle) {
		return true, false
	}
	select {
	case <-changed: // all of that is seen by one look
	default:
	}
	return true, true
}

// look puts back what package system knows of, and looks at the rest.
func (h *host) look(ctx context.Context) (s sight, ok bool) {
	var known map[string]vip.Interface
	if !h.do(ctx, func() { s.config, known = h.config, h.known }) {
		return s, false
	}
	if h.isWitness() {
		s.drift = h.changes.Restore()
		return s, true
	}
	s.links, s.missing = h.findLinks(s.config, known)
	if s.missing == nil {
		h.rename(s.config, known, s.links) // before anything is looked for under the old name
	}
	s.drift = h.changes.Restore()
	if s.missing != nil {
		s.links, s.missing = h.findLinks(s.config, known) // by an address that was not there, perhaps
	}
	s.tunnel = tunnelIndex(s.config)
	s.broken = h.filter.Healthy()
	if s.missing == nil {
		s.early = accelerate(h.filter, s.config, s.links)
		s.exits = h.lookAtExits(s.config, s.links)
	}
	s.own, _ = vip.IndexOf(s.config.Hosts[h.self].Address)
	return s, true
}

// described says in a line what was found changed and what became of it.
func described(d system.Drift) string {
	if d.Err != nil {
		return fmt.Sprintf("%s was found %s instead of %s and cannot be put back: %v", d.What, d.Found, d.Expected, d.Err)
	}
	return fmt.Sprintf("%s was found %s instead of %s; put back", d.What, d.Found, d.Expected)
}

// healed takes note, and mends what needs the loop.
func (h *host) healed(s sight) {
	now := time.Now()
	for _, d := range s.drift {
		if errors.Is(d.Err, system.ErrGone) {
			continue // with its interface: that is what is told
		}
		h.drifted(d.What+" "+d.Found, described(d), now)
	}
	h.dup.ownLink = s.own
	h.follow(s, now)
	h.rearm(s.broken, now)
	h.accelerates(s.early, now)
	h.watchExits(s.exits, now)
	h.forgetFormer(now)
	h.refresh()
}

// rearm puts back what is missing of the filter. A host whose filter cannot be armed gives its share away: without a filter it would accept
// anything.
func (h *host) rearm(broken error, now time.Time) {
	if broken == nil {
		h.disarmed = false
		return
	}
	// What follow has done may have mended it.
	if broken = h.filter.Healthy(); broken == nil {
		h.disarmed = false
		return
	}
	err := h.filter.Mend()
	if err == nil {
		err = h.filter.Healthy()
	}
	if err == nil {
		h.drifted(broken.Error(), fmt.Sprintf("the filter was found broken: %v; put back", broken), now)
	} else if !h.disarmed {
		h.log.Error("the filter cannot be armed: this host accepts nothing", "err", err)
		h.drifted(broken.Error(), fmt.Sprintf("the filter was found broken: %v, and cannot be put back: %v", broken, err), now)
	}
	h.disarmed = err != nil
}

// drifted records that something was taken away, the first, second, fourth, eighth time: somebody who does it every second must not
// drive all else out of the events.
func (h *host) drifted(what, text string, now time.Time) {
	if !h.drift.note(what, text, now) {
		return
	}
	h.log.Warn("something was changed on this host", "what", text)
	h.record(api.Event{At: now, Kind: "drift", Host: h.opt.Host, Text: text})
}
