package agent

import (
	"context"
	"fmt"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/system"
)

const (
	healPause = time.Second
	keptDrift = 8 // what was put back lately, for status
)

// heal looks once a second whether the host still is as the agent made it, and puts back what somebody took away. What the guard has to
// know is brought up to date with it.
func (h *host) heal(ctx context.Context) {
	for pause(ctx, healPause) {
		var found []string
		for _, d := range h.changes.Restore() {
			found = append(found, described(d))
		}
		broken := h.filter.Healthy()
		h.do(ctx, func() { h.healed(found, broken) })
		h.renewWill()
	}
}

// described says in a line what was found changed and what became of it.
func described(d system.Drift) string {
	if d.Err != nil {
		return fmt.Sprintf("%s was found %s instead of %s and cannot be put back: %v", d.What, d.Found, d.Expected, d.Err)
	}
	return fmt.Sprintf("%s was found %s instead of %s; put back", d.What, d.Found, d.Expected)
}

// rearm attaches the filter where it is missing.
func (h *host) rearm() error {
	for _, c := range h.vips {
		if c.link.Index == 0 {
			continue // not carried
		}
		// What is left of the attachment may not even be there any more: what counts is the next step.
		_ = h.filter.Detach(c.link.Index)
		if err := h.filter.Attach(c.link.Index); err != nil {
			return fmt.Errorf("arm filter again on %s: %w", c.link.Name, err)
		}
	}
	return h.filter.Healthy()
}

// healed takes note, and arms the filter again. A host whose filter cannot be armed gives its share away: without a filter it would
// accept anything.
func (h *host) healed(found []string, broken error) {
	armed := true
	if broken != nil {
		h.log.Warn("somebody took the filter away; arming it again", "err", broken)
		found = append(found, broken.Error())
		if err := h.rearm(); err != nil {
			armed = false
			h.log.Error("the filter cannot be armed: this host accepts nothing", "err", err)
		}
	}
	for _, what := range found {
		h.record(api.Event{At: time.Now(), Kind: "drift", Host: h.opt.Host, Text: what})
	}
	h.drift = append(h.drift, found...)
	h.drift = h.drift[max(0, len(h.drift)-keptDrift):]
	h.disarmed = !armed
	if h.uncarried != nil {
		h.carryAgain()
	}
	h.refresh()
}

// carryAgain tries once more to carry the configuration in use.
func (h *host) carryAgain() {
	if h.uncarried = h.carry(h.config); h.uncarried != nil {
		return
	}
	for i := range h.peers {
		h.peers[i].learnt = nil // their packets could not be forwarded before
	}
	h.fillSlots()
	h.direct()
	h.log.Info("the configuration can be carried now")
	h.record(api.Event{At: time.Now(), Kind: "carried", Host: h.opt.Host, Text: "every address of the configuration is on this host now"})
}
