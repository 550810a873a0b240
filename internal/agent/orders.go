package agent

import (
	"slices"
	"time"

	"github.com/muster-ha/muster/internal/heartbeat"
	"github.com/muster-ha/muster/internal/member"
)

// orderRepeat is how long an order travels with every heartbeat: at the fastest loss that a view survives, one arrives.
const orderRepeat = 2 * time.Second

// orders carries drain and resume from the host where somebody typed it to the host that it is about. Heartbeats are
// authenticated and not replayable, so an order is genuine; its number makes it happen once.
type orders struct {
	number uint64
	out    []outgoing
	seen   map[member.ID]seenOrder
}

type outgoing struct {
	order heartbeat.Order
	until time.Time
}

// seenOrder is the newest order taken from a host's boot.
type seenOrder struct {
	boot   member.Boot
	number uint64
}

// give queues an order for another host.
func (o *orders) give(to member.ID, verb heartbeat.Verb, now time.Time) {
	o.number++
	// An older order of the kind for the same host has had its chance: sent beside the newer it could only undo it.
	o.out = slices.DeleteFunc(o.out, func(p outgoing) bool { return p.order.To == to && undoes(verb, p.order.Verb) })
	o.out = append(o.out, outgoing{heartbeat.Order{To: to, Verb: verb, Number: o.number}, now.Add(orderRepeat)})
}

// outgoing gives the orders for the next heartbeat.
func (o *orders) outgoing(now time.Time) []heartbeat.Order {
	o.out = slices.DeleteFunc(o.out, func(p outgoing) bool { return now.After(p.until) })
	list := make([]heartbeat.Order, len(o.out))
	for i, p := range o.out {
		list[i] = p.order
	}
	return list
}

// take gives the orders of a message that are for self and have not been taken yet.
func (o *orders) take(self member.ID, m heartbeat.Message) []heartbeat.Order {
	var fresh []heartbeat.Order
	for _, order := range m.Orders {
		last := o.seen[m.From]
		if last.boot != m.Boot {
			last = seenOrder{boot: m.Boot}
		}
		if order.To != self || order.Number <= last.number {
			continue
		}
		if o.seen == nil {
			o.seen = map[member.ID]seenOrder{}
		}
		o.seen[m.From] = seenOrder{m.Boot, order.Number}
		fresh = append(fresh, order)
	}
	return fresh
}

// undoes reports whether two orders are about the same thing.
func undoes(a, b heartbeat.Verb) bool {
	share := func(v heartbeat.Verb) bool { return v == heartbeat.DrainHost || v == heartbeat.ResumeHost }
	return a == b || share(a) && share(b)
}
