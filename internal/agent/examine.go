package agent

import (
	"context"
	"slices"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/doctor"
)

const (
	// querierWait is a little more than the interval in which IGMP queriers ask (125 s, RFC 3376, 8.2). The agent has the time.
	querierWait = 130 * time.Second
	// othersWait is for what shows soon or not at all.
	othersWait = 5 * time.Second
)

// examination is what the agent has found out about its configuration and its network. found belongs to the loop.
type examination struct {
	found []doctor.Diagnosis
	again chan struct{} // another configuration is in use
}

// reexamine has the configuration looked at that has come into use.
func (e *examination) reexamine() {
	select {
	case e.again <- struct{}{}:
	default: // it will be the newest that is looked at
	}
}

// examine looks, at the start and with each new configuration, for what keeps delivery from working here: clients would notice, and
// heartbeats do not. What takes long comes last.
func (h *host) examine(ctx context.Context) {
	long := []string{doctor.CheckIGMP}
	short := slices.DeleteFunc(doctor.OfDelivery(), func(c string) bool { return slices.Contains(long, c) })
	for {
		var cfg *config.Config
		if !h.do(ctx, func() { cfg, h.examined.found = h.config, nil }) {
			return
		}
		looking, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			h.diagnose(looking, cfg, othersWait, short)
			h.diagnose(looking, cfg, querierWait, long)
		}()
		select {
		case <-ctx.Done():
		case <-h.examined.again:
		}
		cancel()
		<-done
		if ctx.Err() != nil {
			return
		}
	}
}

// diagnose makes checks and takes note of what they find.
func (h *host) diagnose(ctx context.Context, cfg *config.Config, listen time.Duration, checks []string) {
	facts := doctor.Collect(ctx, cfg, int(h.self), doctor.Options{Listen: listen, Only: checks})
	found := doctor.Diagnose(cfg, int(h.self), facts, checks...)
	if ctx.Err() != nil {
		return // not all was waited for: who was not heard may be there
	}
	h.do(ctx, func() {
		for _, d := range found {
			h.log.Warn("this may not work here", "about", d.About, "what", d.What, "do", d.Remedy)
			if !d.Note {
				h.record(api.Event{At: time.Now(), Kind: "diagnosis", Host: h.opt.Host, Text: d.About + ": " + d.What})
			}
		}
		h.examined.found = append(h.examined.found, found...)
	})
}

// examinedProblems are the diagnoses that somebody should act on.
func (h *host) examinedProblems() (list []api.Problem) {
	for _, d := range h.examined.found {
		if !d.Note {
			list = append(list, api.Problem{About: d.About, What: d.What, Remedy: d.Remedy})
		}
	}
	return list
}
