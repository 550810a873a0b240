package member_test

import (
	"time"

	"github.com/muster-ha/muster/internal/balance"
	"github.com/muster-ha/muster/internal/member"
)

// queueLimit bounds what waits for a paused host: a full socket buffer drops what comes last.
const queueLimit = 200

// simHost is a host: a machine, the agent around it, and a filter in a kernel that runs on when the agent does not.
type simHost struct {
	world   *world
	id      member.ID
	boot    member.Boot
	machine *member.Machine
	alive   bool // the agent runs
	paused  bool
	life    int // counts starts and ends, so that events of an earlier life are void
	seq     uint64
	waiting []packet
	held    []func() // of the agent's own doing, while it is paused

	config, pending member.ConfigID
	attrs           member.Attributes
	savedEpoch      uint64
	epochLost       bool // it has once started without knowing its epoch
	leaving         bool
	views           int // accepted in all its lives, since the counting began

	filter filter
	steps  []member.Step
	busy   bool
	slow   time.Duration // what a step of the filter takes at most
}

// filter is the kernel's part.
type filter struct {
	version int // changes with own
	own     balance.Bitmap
	table   *balance.Table
	view    member.View
	whole   bool // the view's whole share is installed
	lease   time.Time
	quorum  quorumFilter
}

func (f *filter) accepting(now time.Time) bool { return f.lease.After(now) }

// start begins a boot with an empty filter.
func (h *simHost) start() {
	w := h.world
	w.boots++
	h.life++
	h.boot, h.alive, h.paused, h.leaving = member.Boot(w.boots*1000+uint64(h.id)), true, false, false
	h.seq, h.waiting, h.held, h.steps, h.busy = 0, nil, nil, nil, false
	h.filter = filter{version: h.filter.version + 1}
	h.machine = member.New(member.Params{
		Self: h.id, Boot: h.boot, Hosts: len(w.hosts), Timing: w.timing,
		HighEpoch: h.savedEpoch, Config: h.config, Attrs: h.attrs,
		Witnesses: w.witnesses, Electors: w.electors,
	}, w.now)
	w.check.started(h)
	w.logf("host %d starts, boot %d", h.id, h.boot)
	h.act(h.machine.SetConfigs(w.now, h.config, h.pending, h.attrs))
	h.later(w.between(0, w.interval()), h.tick)
}

// later does something in this life of the agent. While the agent is paused it waits.
func (h *simHost) later(d time.Duration, do func()) {
	life := h.life
	h.world.after(d, func() {
		switch {
		case h.life != life:
		case h.paused:
			h.held = append(h.held, do)
		default:
			do()
		}
	})
}

func (h *simHost) tick() {
	for _, p := range h.waiting {
		h.take(p)
	}
	h.waiting = nil
	h.act(h.machine.Tick(h.world.now))
	h.speak()
	h.renew()
	h.later(h.world.interval(), h.tick)
}

func (h *simHost) deliver(p packet) {
	switch {
	case !h.alive:
	case h.paused:
		if len(h.waiting) < queueLimit {
			h.waiting = append(h.waiting, p)
		}
	default:
		h.take(p)
		h.renew()
	}
}

func (h *simHost) take(p packet) {
	if p.farewell {
		h.act(h.machine.Farewell(h.world.now, p.from, p.boot))
		return
	}
	h.world.check.heard(h, p)
	h.act(h.machine.Receive(h.world.now, p.hb))
}

func (h *simHost) act(out member.Output) {
	if len(out.Steps) > 0 {
		h.savedEpoch = h.machine.Epoch()
	}
	h.steps = append(h.steps, out.Steps...)
	h.work()
	if out.Send {
		h.speak()
	}
	h.report()
}

func (h *simHost) speak() {
	h.seq++
	hb := h.machine.Heartbeat(h.world.now, h.seq)
	if h.world.sabot.hasty {
		hb.Released = h.filter.view.ViewID
	}
	h.world.transmit(packet{hb: hb, from: h.id, boot: h.boot})
}

// renew moves the kernel's lease.
func (h *simHost) renew() {
	h.renewQuorum()
	if h.world.sabot.endlessLease {
		h.filter.lease = h.world.now.Add(time.Hour)
		return
	}
	h.filter.lease = h.machine.Lease(h.world.now)
	if h.world.sabot.selfishLease && !h.machine.View().IsZero() {
		h.filter.lease = h.world.now.Add(time.Duration(h.world.timing.Lease) * h.world.interval())
	}
}

// work makes the next step of the filter: first it takes time, then it has an effect, then the report of it takes time.
func (h *simHost) work() {
	if h.busy || len(h.steps) == 0 {
		return
	}
	h.busy = true
	step := h.steps[0]
	h.steps = h.steps[1:]
	h.soon(func() {
		h.apply(step)
		h.soon(func() {
			h.busy = false
			h.reportStep(step)
			h.work()
			h.renew()
		})
	})
}

// soon does something after what a filter takes, at once when the filter is immediate.
func (h *simHost) soon(do func()) {
	if h.slow == 0 {
		do()
		return
	}
	h.later(h.world.between(0, h.slow), do)
}

func (h *simHost) apply(s member.Step) {
	h.filter.version++
	h.applyQuorum(s)
	switch s.Phase {
	case member.Withdraw:
		if !h.world.sabot.keepOnWithdraw {
			h.filter.own, h.filter.table, h.filter.view, h.filter.whole = balance.Bitmap{}, nil, member.View{}, false
		}
	case member.Release:
		h.switchConfig(s.View.Config)
		h.filter.table, h.filter.view, h.filter.whole = h.world.table(s.View), s.View, false
		if !h.world.sabot.keepOnRelease {
			h.filter.own = h.filter.own.And(balance.OwnBitmap(h.filter.table, h.id))
		}
	case member.Install:
		h.filter.own, h.filter.whole = balance.OwnBitmap(h.filter.table, h.id), true
	}
	h.world.logf("host %d filter: %s %v, owns %d", h.id, [...]string{"withdraw", "release", "install"}[s.Phase], s.View.ViewID, h.filter.own.Count())
}

// switchConfig takes the pending configuration into use when a view is made with it.
func (h *simHost) switchConfig(c member.ConfigID) {
	if c == h.pending {
		h.config, h.pending = c, 0
	}
}

func (h *simHost) reportStep(s member.Step) {
	now := h.world.now
	switch s.Phase {
	case member.Withdraw:
		h.act(h.machine.Released(now, member.ViewID{}))
	case member.Release:
		h.act(h.machine.SetConfigs(now, h.config, h.pending, h.attrs))
		h.act(h.machine.Released(now, s.View.ViewID))
	case member.Install:
		h.act(h.machine.Installed(now, s.View.ViewID))
	}
}

// report hands the machine's events to trace and checker.
func (h *simHost) report() {
	for _, e := range h.machine.Events() {
		if e.Kind == member.ViewAccepted {
			h.world.changes++
			h.views++
			h.world.check.accepted(h)
		}
		if h.world.trace != nil {
			h.world.logf("host %d: %s host %d, view %v %s%s", h.id, kinds[e.Kind], e.Host, e.View, e.Detail, h.members(e))
		}
	}
}

func (h *simHost) members(e member.Event) string {
	if e.Kind != member.ViewAccepted {
		return ""
	}
	s := " members"
	for id := range h.machine.View().Set().All() {
		s += " " + string(rune('0'+id))
	}
	return s
}

var kinds = [...]string{"heard", "silent", "left", "link up", "link down", "link held", "proposed", "accepted", "installed", "put out", "stalled"}

// The ends of a host.

// stop ends the agent. The kernel's filter stays, and its lease runs out.
func (h *simHost) stop() {
	h.alive, h.paused = false, false
	h.life++
}

// powerCut ends the agent and the kernel.
func (h *simHost) powerCut() {
	h.world.logf("host %d loses power", h.id)
	h.stop()
	h.filter = filter{version: h.filter.version + 1}
}

// kill ends the agent; farewell says whether its guard gets to speak.
func (h *simHost) kill(farewell bool) {
	h.world.logf("host %d is killed, farewell %v", h.id, farewell)
	h.stop()
	if !farewell {
		return
	}
	h.filter.lease, h.filter.quorum.lease = time.Time{}, [member.Needs]time.Time{}
	h.sayFarewell()
}

func (h *simHost) sayFarewell() {
	p := packet{farewell: true, from: h.id, boot: h.boot}
	for _, d := range []time.Duration{0, 5 * time.Millisecond, 20 * time.Millisecond} {
		h.world.after(d, func() { h.world.transmit(p) })
	}
}

// leave drains and ends when the view has given its share to others.
func (h *simHost) leave() {
	h.world.logf("host %d leaves", h.id)
	h.leaving = true
	h.act(h.machine.Leave(h.world.now))
	h.later(h.world.interval(), h.leaveWhenDrained)
}

func (h *simHost) leaveWhenDrained() {
	m, in := h.machine.View().Member(h.id)
	if in && (m.Weight > 0 || !h.machine.IsInstalled()) {
		h.later(h.world.interval(), h.leaveWhenDrained)
		return
	}
	h.world.logf("host %d has left", h.id)
	h.stop()
	h.filter = filter{version: h.filter.version + 1}
	h.sayFarewell()
}

// pause stops the agent for a while; the kernel runs on.
func (h *simHost) pause(d time.Duration) {
	if !h.alive || h.paused {
		return
	}
	h.world.logf("host %d pauses for %v", h.id, d)
	h.paused = true
	life := h.life
	h.world.after(d, func() {
		if h.life == life {
			h.resume()
		}
	})
}

func (h *simHost) resume() {
	h.world.logf("host %d resumes, %d packets wait", h.id, len(h.waiting))
	h.paused = false
	held := h.held
	h.held = nil
	for _, do := range held {
		if h.paused || !h.alive {
			return
		}
		do()
	}
}
