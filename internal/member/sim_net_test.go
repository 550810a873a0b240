package member_test

import (
	"time"

	"github.com/muster-ha/muster/internal/member"
)

// network is the fake network: each direction of each pair has its own faults.
type network struct {
	loss, dup     float64 // of every packet
	oneWay        [][]float64
	cut           [][]bool
	delay, jitter time.Duration
}

func newNetwork(n int) network {
	net := network{delay: 100 * time.Microsecond}
	for range n {
		net.oneWay = append(net.oneWay, make([]float64, n))
		net.cut = append(net.cut, make([]bool, n))
	}
	return net
}

// heal takes every fault away.
func (n *network) heal() {
	n.loss, n.dup, n.jitter = 0, 0, 0
	for i := range n.cut {
		clear(n.cut[i])
		clear(n.oneWay[i])
	}
}

// partition cuts both ways between the hosts of side and the rest.
func (n *network) partition(side member.Set) {
	for i := range n.cut {
		for j := range n.cut {
			n.cut[i][j] = side.Has(member.ID(i)) != side.Has(member.ID(j))
		}
	}
}

// packet is a heartbeat or the last words of a boot.
type packet struct {
	hb       member.Heartbeat
	farewell bool
	from     member.ID
	boot     member.Boot
}

// transmit carries a packet from one host to all others, or loses it.
func (w *world) transmit(p packet) {
	for _, to := range w.hosts {
		if to.id == p.from || w.net.cut[p.from][to.id] || w.chance(w.net.loss) || w.chance(w.net.oneWay[p.from][to.id]) {
			continue
		}
		copies := 1
		if w.chance(w.net.dup) {
			copies = 2
		}
		for range copies {
			w.after(w.net.delay+w.between(0, w.net.jitter), func() { to.deliver(p) })
		}
	}
}
