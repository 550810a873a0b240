package member_test

import (
	"time"

	"github.com/muster-ha/muster/internal/member"
)

// weather draws what a seed's network is like all the time.
func (w *world) weather() {
	if w.chance(0.7) {
		w.net.loss = w.rng.Float64() * 0.3
	}
	if w.chance(0.5) {
		w.net.jitter = w.between(0, 30*time.Millisecond)
	}
	if w.chance(0.3) {
		w.net.dup = w.rng.Float64() * 0.2
	}
	for _, h := range w.hosts {
		if w.chance(0.4) {
			h.slow = w.between(0, 40*time.Millisecond)
		}
	}
	w.logf("weather: loss %.2f, jitter %v, duplication %.2f", w.net.loss, w.net.jitter, w.net.dup)
}

// misfortune draws n faults over a time.
func (w *world) misfortune(n int, over time.Duration) {
	for range n {
		w.after(w.between(0, over), w.fault)
	}
}

func (w *world) anyone() *simHost { return w.hosts[w.rng.IntN(len(w.hosts))] }

// fault makes one thing happen.
func (w *world) fault() {
	faults := []func(){
		w.pauseOne, w.pauseOne, w.freezeAll, w.endOne, w.endOne, w.endOne, w.startAll, w.leaveOne,
		w.cutPair, w.cutPair, w.cutOneWay, w.cutOneWay, w.deafen, w.split, w.split, w.mend, w.mend,
		w.changeConfig, w.changeAttributes, w.changeAttributes, w.loseOneWay,
	}
	faults[w.rng.IntN(len(faults))]()
}

func (w *world) pauseOne() { w.anyone().pause(w.between(interval, 900*time.Millisecond)) }

func (w *world) freezeAll() {
	d := w.between(interval, 2*time.Second)
	for _, h := range w.hosts {
		h.pause(d + w.between(0, 60*time.Millisecond))
	}
}

// endOne ends a host in one of the ways in which hosts end, and mostly brings it back.
func (w *world) endOne() {
	h := w.anyone()
	if !h.alive {
		return
	}
	switch w.rng.IntN(4) {
	case 0:
		h.powerCut()
	case 1:
		h.kill(false)
	default:
		h.kill(true)
	}
	if w.chance(0.1) {
		h.savedEpoch, h.epochLost = 0, true
	}
	if w.chance(0.8) {
		w.restart(h, w.between(0, 1200*time.Millisecond))
	}
}

func (w *world) restart(h *simHost, d time.Duration) {
	life := h.life
	w.after(d, func() {
		if h.life == life {
			h.start()
		}
	})
}

func (w *world) startAll() {
	for _, h := range w.hosts {
		if !h.alive {
			h.start()
		}
	}
}

func (w *world) leaveOne() {
	if h := w.anyone(); h.alive && !h.paused && !h.leaving {
		h.leave()
	}
}

func (w *world) cutPair() {
	a, b := w.anyone().id, w.anyone().id
	w.logf("link %d-%d is cut", a, b)
	w.net.cut[a][b], w.net.cut[b][a] = a != b, a != b
}

func (w *world) cutOneWay() {
	a, b := w.anyone().id, w.anyone().id
	w.logf("nothing goes from %d to %d", a, b)
	w.net.cut[a][b] = a != b
}

// deafen lets a host send and not receive.
func (w *world) deafen() {
	h := w.anyone()
	w.logf("host %d is deaf", h.id)
	for i := range w.net.cut {
		w.net.cut[i][h.id] = member.ID(i) != h.id
	}
}

func (w *world) loseOneWay() {
	a, b := w.anyone().id, w.anyone().id
	p := 0.3 + 0.7*w.rng.Float64()
	w.logf("from %d to %d %.2f is lost", a, b, p)
	w.net.oneWay[a][b] = p
}

func (w *world) split() {
	side := member.Set(w.rng.Uint32()) & member.First(len(w.hosts))
	w.logf("partition: %b", side)
	w.net.partition(side)
}

func (w *world) mend() {
	w.logf("the network is mended")
	for i := range w.net.cut {
		clear(w.net.cut[i])
		clear(w.net.oneWay[i])
	}
}

// changeConfig gives a new configuration to each host, a little later to each.
func (w *world) changeConfig() {
	c := member.ConfigID(2 + w.rng.Uint64N(5))
	w.logf("configuration %d is rolled out", c)
	for _, h := range w.hosts {
		w.after(w.between(0, 300*time.Millisecond), func() { h.offer(c) })
	}
}

// offer is a SIGHUP with a changed file, or a changed file found at the next start.
func (h *simHost) offer(c member.ConfigID) {
	if !h.alive {
		h.config, h.pending = c, 0
		return
	}
	if h.pending = c; c == h.config {
		h.pending = 0
	}
	do := func() {
		if h.alive {
			h.act(h.machine.SetConfigs(h.world.now, h.config, h.pending, h.attrs))
		}
	}
	h.later(0, do)
}

func (w *world) changeAttributes() {
	h := w.anyone()
	switch w.rng.IntN(3) {
	case 0:
		h.attrs.Ready ^= 1
	case 1:
		h.attrs.Weight ^= 1
	default:
		h.attrs = serving
	}
	if w.witnesses.Has(h.id) {
		h.attrs.Weight = 0
	}
	w.logf("host %d offers %+v", h.id, h.attrs)
	if h.alive {
		h.later(0, func() {
			h.act(h.machine.SetAttributes(w.now, h.attrs))
			h.act(h.machine.SetConfigs(w.now, h.config, h.pending, h.attrs))
		})
	}
}

// fortune ends all faults: everything works, everyone runs, and every file is the same.
func (w *world) fortune() {
	w.logf("all faults end")
	w.net.heal()
	w.startAll()
	for _, h := range w.hosts {
		h.slow = min(h.slow, 5*time.Millisecond)
		h.offer(w.hosts[0].preferred())
	}
}

func (h *simHost) preferred() member.ConfigID {
	if h.pending != 0 {
		return h.pending
	}
	return h.config
}
