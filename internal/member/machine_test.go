package member

import (
	"testing"
	"time"
)

// TestThreeHostsAgree hands every heartbeat to every other host at once: the shortest way to a view.
func TestThreeHostsAgree(t *testing.T) {
	c := newCluster(t, 3)
	c.run(4)
	for _, m := range c.machines {
		if got := m.View().Set(); got != First(3) || !m.IsInstalled() {
			t.Errorf("host %d: view %v, installed %v; want all three, installed", m.self, m.View(), m.IsInstalled())
		}
		if lease := m.Lease(c.now); !lease.After(c.now) {
			t.Errorf("host %d: lease ended at %v, it is %v", m.self, lease, c.now)
		}
	}
	if a, b := c.machines[0].View(), c.machines[2].View(); !a.sameContent(b) || a.ViewID != b.ViewID {
		t.Errorf("views differ: %v and %v", a, b)
	}
}

// cluster is machines whose heartbeats arrive at once and whose filters do at once what they are asked for.
type cluster struct {
	t        *testing.T
	machines []*Machine
	now      time.Time
	seqs     []uint64
	steps    [][]Step // all that was asked of each
	cut      func(from, to ID) bool
}

var testTiming = Timing{Interval: 20 * time.Millisecond, Tolerance: 15, Lease: 10}

func newCluster(t *testing.T, n int) *cluster {
	c := &cluster{t: t, now: time.Unix(1000, 0), seqs: make([]uint64, n), steps: make([][]Step, n), cut: func(ID, ID) bool { return false }}
	for i := range n {
		c.machines = append(c.machines, New(c.params(ID(i), Boot(100+i)), c.now))
	}
	return c
}

func (c *cluster) params(id ID, boot Boot) Params {
	return Params{Self: id, Boot: boot, Hosts: len(c.seqs), Timing: testTiming, Config: 7, Attrs: Attributes{Weight: 1, Ready: 1, Director: true}}
}

// run lets n intervals pass.
func (c *cluster) run(n int) {
	for range n {
		c.now = c.now.Add(testTiming.Interval)
		for i, m := range c.machines {
			if m == nil {
				continue
			}
			c.do(ID(i), m.Tick(c.now))
			c.send(ID(i))
		}
	}
}

// do carries out what a machine wants.
func (c *cluster) do(id ID, out Output) {
	m := c.machines[id]
	for len(out.Steps) > 0 {
		s := out.Steps[0]
		c.steps[id] = append(c.steps[id], s)
		var next Output
		if s.Phase == Install {
			next = m.Installed(c.now, s.View.ViewID)
		} else {
			next = m.Released(c.now, s.View.ViewID)
		}
		out.Steps = append(out.Steps[1:], next.Steps...)
		out.Send = out.Send || next.Send
	}
	if out.Send {
		c.send(id)
	}
}

func (c *cluster) send(id ID) {
	c.seqs[id]++
	hb := c.machines[id].Heartbeat(c.now, c.seqs[id])
	for i, m := range c.machines {
		if m != nil && ID(i) != id && !c.cut(id, ID(i)) {
			c.do(ID(i), m.Receive(c.now, hb))
		}
	}
}
