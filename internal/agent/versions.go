package agent

import (
	"github.com/muster-ha/muster/internal/heartbeat"
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
