package agent

import (
	"fmt"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/heartbeat"
	"github.com/muster-ha/muster/internal/member"
)

// incapable names a host that keeps the others from what stands in sections of heartbeats; empty: none. undecided says that nobody does,
// but that it is not agreed yet.
func (h *host) incapable() (name string, undecided bool) {
	a := h.network.Common()
	switch {
	case a.Version >= heartbeat.VersionSections:
		return "", false
	case a.Limited:
		return h.name(a.By), false
	}
	return "", true
}

// serves reports whether this host accepts new connections.
func (h *host) serves() bool {
	m, in := memberOf(h.shares.view, h.self)
	return in && m.Weight > 0 && !h.mute() && h.machine.IsInstalled()
}

// standAside keeps a host that has just started from serving beside hosts that it cannot talk to, because they have no version of the
// heartbeat in common: both sides would answer for the same VIPs. Who serves goes on; of two that do not serve yet, the older does.
func (h *host) standAside(now time.Time) {
	h.served = h.served || h.serves()
	before := h.aside
	h.aside = false
	for id, s := range h.network.Speakers() {
		if !h.served && h.isApart(s, now) && (s.Serves || s.Speaks.Lowest < heartbeat.Spoken().Lowest) {
			h.aside = true
			if !before {
				h.toldAside(member.ID(id), s, now)
			}
		}
	}
	if h.aside != before {
		h.refresh()
	}
}

func (h *host) toldAside(id member.ID, s heartbeat.Speaker, now time.Time) {
	text := fmt.Sprintf("it speaks version %s of heartbeats, this host %s: this host accepts nothing while it is heard", s.Speaks, heartbeat.Spoken())
	h.log.Error("standing aside", "host", h.name(id), "why", text)
	h.record(api.Event{At: now, Kind: "standing_aside", Host: h.name(id), Text: text})
}

// isApart reports whether a host is heard, and nothing that it says can be taken in.
func (h *host) isApart(s heartbeat.Speaker, now time.Time) bool {
	return s.Apart && !s.At.IsZero() && now.Sub(s.At) < h.silence()
}

// apartBecause says of a host why nothing that it says can be taken in; false: that is not so.
func (h *host) apartBecause(id member.ID, now time.Time) (why, remedy string, apart bool) {
	all := h.network.Speakers()
	s := all[id]
	if !h.isApart(s, now) {
		return "", "", false
	}
	with := heartbeat.Spoken()
	if s.With != h.self {
		with = all[s.With].Speaks
	}
	older := id
	if s.Speaks.Lowest > with.Highest {
		older = s.With
	}
	return fmt.Sprintf("it speaks version %s of heartbeats, host %s version %s: nothing that it says is taken in", s.Speaks, h.name(s.With), with),
		fmt.Sprintf("upgrade host %s first; docs/upgrade.md says which releases go together", h.name(older)), true
}

// speaks is what is known of the versions that a host speaks; nil: nothing.
func (h *host) speaks(id member.ID) *api.SpeaksStatus {
	if id == h.self {
		r := heartbeat.Spoken()
		return &api.SpeaksStatus{Lowest: int(r.Lowest), Highest: int(r.Highest), Written: int(h.network.Common().Version)}
	}
	s := h.network.Speakers()[id]
	if s.At.IsZero() {
		return nil
	}
	return &api.SpeaksStatus{Lowest: int(s.Speaks.Lowest), Highest: int(s.Speaks.Highest), Written: int(s.Written)}
}

// language is the version that heartbeats are written in, and why.
func (h *host) language() api.LanguageStatus {
	a, own := h.network.Common(), heartbeat.Spoken()
	s := api.LanguageStatus{Version: int(a.Version)}
	switch {
	case a.Limited && a.Version < own.Highest:
		s.Why = fmt.Sprintf("host %s speaks no higher one", h.name(a.By))
	case a.Version == own.Highest:
		s.Why = "the highest that this host speaks"
	default:
		s.Why = "a higher one is used when all hosts that are heard have spoken it for a while"
	}
	return s
}
