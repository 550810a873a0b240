package agent

import (
	"context"
	"time"

	"github.com/muster-ha/muster/internal/balance"
	"github.com/muster-ha/muster/internal/filter"
	"github.com/muster-ha/muster/internal/heartbeat"
	"github.com/muster-ha/muster/internal/member"
)

// loop is the one goroutine that owns machine, shares and filter. It ends with ctx.
func (h *host) loop(ctx context.Context) {
	ticker := time.NewTicker(h.config.Heartbeat.Interval)
	defer ticker.Stop()
	for {
		var began time.Time
		var turn string
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			began, turn = time.Now(), "tick"
			h.late.tick(began)
			h.listen() // what waits in the queue counts before silence does
			h.act(h.machine.Tick(time.Now()))
			h.layGhosts(time.Now())
			h.watchTie(time.Now())
			h.standAside(time.Now())
			h.settle(time.Now())
			h.watchDrain(time.Now())
			h.watchAddresses(time.Now())
			h.probe(time.Now())
			h.cast(time.Now())
			h.turnKeys(time.Now())
			h.speak()
		case <-h.network.Wake():
			began, turn = time.Now(), "arrival"
			h.listen()
		case f := <-h.calls:
			began, turn = time.Now(), "order"
			f()
		}
		h.renew()
		h.announce()
		h.herald(time.Now())
		h.tell()
		h.late.turn(time.Since(began), turn)
	}
}

// do runs f in the loop and waits for it; false when the loop has ended.
func (h *host) do(ctx context.Context, f func()) bool {
	done := make(chan struct{})
	select {
	case h.calls <- func() { defer close(done); f() }:
	case <-ctx.Done():
		return false
	case <-h.stopped:
		return false
	}
	select {
	case <-done:
		return true
	case <-h.stopped:
		return false
	}
}

// listen takes in everything that has arrived.
func (h *host) listen() {
	h.network.Drain(func(in heartbeat.Received) {
		if in.Farewell {
			h.farewell(in)
			return
		}
		h.note(in.Message, in.At)
		h.registers.hear(in.Message.Registers) // before anybody can take us into a view: there may be an order to stop
		h.settle(in.At)
		h.act(h.machine.Receive(in.At, in.Message.Heartbeat))
		h.takeHoldings(in.Message)
		h.takeOrders(in.Message)
	})
}

// act carries out what the membership machine wants, and what follows from that, until it wants nothing more.
func (h *host) act(out member.Output) {
	send := out.Send
	for steps := out.Steps; len(steps) > 0; {
		step := steps[0]
		next := h.apply(step)
		send = send || next.Send
		steps = append(steps[1:], next.Steps...)
	}
	if send {
		h.speak()
	}
}

// apply makes one step in the filter and reports it to the machine.
func (h *host) apply(step member.Step) member.Output {
	now := time.Now()
	switch step.Phase {
	case member.Withdraw:
		h.shares.withdraw()
		h.tellQuorum(member.View{})
		h.seeSplit(member.View{})
		h.fillSlots()
		h.direct()
		return h.machine.Released(now, member.ViewID{})
	case member.Release:
		h.saveEpoch(step.View.Epoch) // early: a number that others may have heard should not be used again
		out := h.adopt(step.View.Config)
		before := h.shares.view
		h.shares.release(step.View)
		h.presume(before, now)
		h.direct()
		h.fillSlots()
		h.tellLost(step.View)
		h.askScan(scanDelay)
		return out.And(h.machine.Released(now, step.View.ViewID))
	default:
		h.shares.install()
		h.fillSlots()
		h.direct()
		h.tellQuorum(step.View)
		h.seeSplit(step.View)
		h.reannounce(step.View)
		return h.machine.Installed(now, step.View.ViewID)
	}
}

// fillSlots carries every rule's slots into the filter.
func (h *host) fillSlots() {
	for rule := range h.shares.rules {
		h.fillRule(rule)
	}
}

func (h *host) fillRule(rule int) {
	var slots [balance.Buckets]uint32
	h.shares.slots(rule, &slots)
	h.filter.SetSlots(rule, &slots)
	h.fillChains(rule)
}

// direct makes the filter answer for the VIPs that this host directs, and for no others.
func (h *host) direct() {
	for vip := range h.config.VIPs {
		h.directOne(vip)
	}
}

// announce has the network told of the VIPs that this host directs. It comes after the lease: the first announcement of a director
// whose lease has lapsed meanwhile would be held back, and clients would wait for the second.
func (h *host) announce() {
	for vip, c := range h.vips {
		c.announce(h.answers(vip) && (h.shares.installed || !c.moved))
	}
}

// reannounce repeats where the VIPs are when hosts have come together: after a partition, each side's clients know that side's
// director.
func (h *host) reannounce(v member.View) {
	grown := v.Set()&^h.lastView != 0
	h.lastView = v.Set()
	if grown {
		h.renewVIPs()
	}
}

// renewVIPs announces again where the VIPs are that this host directs.
func (h *host) renewVIPs() {
	for _, c := range h.vips {
		c.renew()
	}
}

// takeHoldings carries what a member holds into the slots.
func (h *host) takeHoldings(m heartbeat.Message) {
	for _, rule := range h.shares.hear(m.From, m.Holdings) {
		h.fillRule(rule)
	}
}

// speak sends a heartbeat to every other host.
func (h *host) speak() {
	now := time.Now()
	m := heartbeat.Message{
		Language:   heartbeat.Language{Serves: h.serves()},
		Version:    h.opt.Version,
		Digest:     h.config.Digest,
		Interfaces: h.linkAddresses(),
		Holdings:   h.shares.announcements(),
		Answers:    h.answersMask(),
		Probes:     h.probesMask(),
		Orders:     h.orders.outgoing(now),
		Keys:       h.keys.say(),
		Registers:  h.sayRegisters(),
		Open:       h.sayOpen(),
	}
	// What cannot be said is logged there, and silence has its consequences.
	_ = h.network.Send(func(number uint64) heartbeat.Message {
		m.Heartbeat = h.machine.Heartbeat(now, number)
		return m
	})
}

// renew moves the kernel's lease on to what the machine allows.
func (h *host) renew() {
	// The kernel's clock is read first: if this process is frozen between the two, the deadline comes out earlier.
	kernel := filter.BootTime()
	now := time.Now()
	if h.mute() {
		h.filter.SetLease(0)
		return
	}
	deadline := h.machine.Lease(now)
	if deadline.IsZero() {
		h.filter.SetLease(0)
		return
	}
	h.filter.SetLease(kernel + deadline.Sub(now))
	h.renewQuorum(kernel, now)
}
