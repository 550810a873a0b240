package agent

import (
	"maps"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/filter"
	"github.com/muster-ha/muster/internal/heartbeat"
	"github.com/muster-ha/muster/internal/wire"
)

// filterStatus is the filter as the loop knows it; the counters are read apart.
func (h *host) filterStatus(time.Time) api.FilterStatus {
	lease := max(0, float64(h.filter.Lease()-filter.BootTime())/float64(time.Millisecond))
	return api.FilterStatus{Armed: !h.mute() && lease > 0, Hook: h.filter.Hook(), Accelerated: h.acceleratedLinks(), LeaseMS: &lease}
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

// datagrams counts one network's.
func datagrams(stats heartbeat.Stats) api.DatagramStatus {
	s := api.DatagramStatus{Sent: stats.Sent, Accepted: stats.Datagrams.Of(wire.Accepted), Refused: stats.Datagrams.Named(), From: map[string]string{}}
	delete(s.Refused, wire.Accepted.String())
	for reason, from := range stats.Sources {
		s.From[reason.String()] = from.String()
	}
	return s
}

// totals adds up what all networks count.
func totals(networks []api.NetworkStatus) api.DatagramStatus {
	sum := api.DatagramStatus{Refused: map[string]uint64{}, From: map[string]string{}}
	for _, n := range networks {
		for _, d := range []api.DatagramStatus{n.Datagrams, n.Multicast.Datagrams} {
			sum.Sent += d.Sent
			sum.Accepted += d.Accepted
			for reason, count := range d.Refused {
				sum.Refused[reason] += count
			}
			maps.Copy(sum.From, d.From)
		}
	}
	return sum
}

// quality is how another host is heard on the best network: that is what counts.
func quality(host string, networks []api.NetworkStatus) (loss, delay *float64) {
	for _, n := range networks {
		for _, p := range n.Peers {
			if p.Host == host && p.State == api.PeerHeard && (loss == nil || *p.LossPercent < *loss) {
				loss, delay = p.LossPercent, p.DelayMS
			}
		}
	}
	return loss, delay
}
