package agent

import (
	"net/netip"
	"path/filepath"

	"github.com/muster-ha/muster/internal/guard"
)

// will is what the guard does if this agent dies now: the lease first, then farewells on every network, sealed here.
func (h *host) will() guard.Will {
	will := guard.Will{PinDir: filepath.Join(h.opt.RunDir, pinDir)}
	for _, f := range h.network.Farewells() {
		will.Farewells = append(will.Farewells, guard.Farewell{
			Way: guard.Way{Local: netip.AddrPortFrom(f.Local, 0), Device: f.Device}, To: f.To, Datagram: f.Bytes})
	}
	return will
}

// renewWill tells the guard what has changed: where the others are, and what farewells are sealed with. It may be called from any
// goroutine; a guard that is frozen keeps it waiting for a second.
func (h *host) renewWill() {
	if err := h.guard.Replace(h.will()); err != nil {
		h.log.Warn("cannot tell the guard process, it is started again", "err", err)
	}
}
