package agent

import (
	"net/netip"
	"time"

	"github.com/muster-ha/muster/internal/balance"
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/filter"
)

// connections looks at this host's TCP connections to the VIPs of a configuration.
func (h *host) connections(cfg *config.Config) ([]filter.Conn, error) {
	if h.isWitness() {
		return nil, nil
	}
	addrs := make([]netip.Addr, len(cfg.VIPs))
	for i, v := range cfg.VIPs {
		addrs[i] = v.Address.Addr()
	}
	return filter.Connections(addrs)
}

// askScan has the connections looked at for the view released for.
func (h *host) askScan(delay time.Duration) {
	h.scanner.ask(request{at: h.shares.view.ViewID, delay: delay, cfg: h.config, close: h.closes()})
}

// scanned takes the result of a look into the loop. Without one the host is taken to hold everything, which costs lookups and
// nothing else; so a failure is tried again.
func (h *host) scanned(s scan, err error) {
	h.later(func() {
		if err != nil {
			h.log.Warn("cannot look at connections, trying again", "err", err)
			h.askScan(scanPause)
			return
		}
		h.lastScan = s
		h.toldClosed(s)
		changed := h.shares.held(s.at, s.rules)
		for _, rule := range changed {
			h.fillRule(rule)
		}
		if len(changed) > 0 {
			h.speak() // the others stop asking us
		}
		if h.shares.view.Epoch > 0 && h.shares.holding() {
			h.askScan(h.nextLook())
		}
	})
}

// nextLook is how long the next look at connections can wait: clients that are remembered are forgotten more slowly than connections end.
func (h *host) nextLook() time.Duration {
	for rule := range h.shares.rules {
		if n := h.connectionsHeld(rule); n == nil || *n > 0 || h.shares.rules[rule].mine.Unknown {
			return scanPause
		}
	}
	return rememberPause
}

// checked takes a check's new state into the loop.
func (h *host) checked(string, bool) { h.later(h.refresh) }

// connectionsHeld counts this host's connections in buckets of a rule that it does not own.
func (h *host) connectionsHeld(rule int) *int {
	if h.lastScan.at != h.shares.view.ViewID || rule >= len(h.lastScan.counts) {
		return nil
	}
	own := balance.OwnBitmap(h.shares.rules[rule].table, h.self)
	n := 0
	for bucket, count := range h.lastScan.counts[rule] {
		if !own.Has(bucket) {
			n += count
		}
	}
	return &n
}
