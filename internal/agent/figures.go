package agent

import (
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/filter"
	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/wire"
)

// filterStatus is the filter as the loop knows it; the counters are read apart.
func (h *host) filterStatus(time.Time) api.FilterStatus {
	lease := max(0, float64(h.filter.Lease()-filter.BootTime())/float64(time.Millisecond))
	return api.FilterStatus{Armed: !h.mute() && lease > 0, Hook: h.filter.Hook(), LeaseMS: &lease}
}

// filterCounters reads the kernel's counters; none when they cannot be read.
func (h *host) filterCounters() map[string]uint64 {
	counters, err := h.filter.Counters()
	if err != nil {
		h.log.Warn("cannot read the filter's counters", "err", err)
		return nil
	}
	named := map[string]uint64{}
	for r := range filter.Reason(filter.Reasons) {
		named[r.String()] = counters.Of(r)
	}
	return named
}

func (h *host) datagrams() api.DatagramStatus {
	stats := h.network.Stats()
	s := api.DatagramStatus{Sent: stats.Sent, Accepted: stats.Datagrams.Of(wire.Accepted), Refused: stats.Datagrams.Named()}
	delete(s.Refused, wire.Accepted.String())
	return s
}

// quality is how another host's heartbeats arrive: loss in percent and round trip in milliseconds; nil when not known.
func (h *host) quality(id member.ID) (loss, delay *float64) {
	peers := h.network.Stats().Peers
	if int(id) >= len(peers) || peers[id].Received == 0 {
		return nil, nil
	}
	percent := 100 * peers[id].Loss
	loss = &percent
	if trip := peers[id].RoundTrip; trip > 0 {
		ms := float64(trip) / float64(time.Millisecond)
		delay = &ms
	}
	return loss, delay
}
