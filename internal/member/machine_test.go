package member

import (
	"reflect"
	"testing"
	"testing/synctest"
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
	if a, b := c.machines[0].View(), c.machines[2].View(); !reflect.DeepEqual(a, b) {
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

func TestTimersUnderSynctest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		c.now = time.Now()
		for i := range c.machines {
			c.machines[i] = New(c.params(ID(i), Boot(100+i)), c.now)
		}
		ticker := time.NewTicker(testTiming.Interval)
		defer ticker.Stop()
		tick := func(n int) {
			for range n {
				c.now = <-ticker.C
				for i, m := range c.machines {
					if m != nil {
						c.do(ID(i), m.Tick(c.now))
						c.send(ID(i))
					}
				}
			}
		}
		tick(5)
		c.machines[0] = nil
		dead := c.now
		for c.machines[1].View().Set() != Of(1, 2) {
			tick(1)
			if took := c.now.Sub(dead); took > 350*time.Millisecond {
				t.Fatalf("not noticed after %v: %v", took, c.machines[1].View())
			}
		}
		if took := c.now.Sub(dead); took < 300*time.Millisecond {
			t.Errorf("noticed after %v, which is before the detection time", took)
		}
	})
}

func TestLease(t *testing.T) {
	const lease = 10 * 20 * time.Millisecond
	tests := []struct {
		name string
		do   func(c *cluster)
		want time.Duration // left on host 0 after do; 0: none
	}{
		{"all is well", func(c *cluster) { c.run(1) }, lease},
		{"host 2 no longer hears us, and we hear it", func(c *cluster) {
			c.cut = func(from, to ID) bool { return from == 0 && to == 2 }
			c.run(7)
		}, lease - 7*testTiming.Interval},
		{"the same, until nothing is left", func(c *cluster) {
			c.cut = func(from, to ID) bool { return from == 0 && to == 2 }
			c.run(11)
		}, 0},
		{"host 2 falls silent: not waited for", func(c *cluster) { c.machines[2] = nil; c.run(9) }, lease},
		{"host 2 did not hear us and then falls silent: waited for", func(c *cluster) {
			c.cut = func(from, to ID) bool { return from == 0 && to == 2 }
			c.run(7)
			c.machines[2] = nil
			c.run(6)
		}, 0},
		{"we sleep, and host 2 falls silent: old words count for nothing", func(c *cluster) {
			c.now = c.now.Add(time.Second)
			c.machines[2] = nil
			c.run(7)
		}, 0},
		{"we are put out", func(c *cluster) {
			c.machines[0].withdraw(c.now, ViewID{}, 1, "test")
		}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := newCluster(t, 3)
			c.run(5)
			test.do(c)
			got := max(0, c.machines[0].Lease(c.now).Sub(c.now))
			if d := got - test.want; d < -testTiming.Interval || d > testTiming.Interval {
				t.Errorf("%v left, want %v", got, test.want)
			}
		})
	}
}

func TestReceiveIgnores(t *testing.T) {
	hb := func(change func(*Heartbeat)) Heartbeat {
		h := Heartbeat{From: 1, Boot: 101, Seq: 1 << 40, HighEpoch: 99, View: View{ViewID: ViewID{Epoch: 99, Proposer: 1}}}
		change(&h)
		return h
	}
	tests := []struct {
		name string
		hb   Heartbeat
	}{
		{"our own", hb(func(h *Heartbeat) { h.From = 0 })},
		{"a host beyond all", hb(func(h *Heartbeat) { h.From = 77 })},
		{"no boot", hb(func(h *Heartbeat) { h.Boot = 0 })},
		{"an ended boot", hb(func(h *Heartbeat) { h.Boot = 55 })},
		{"an older one", hb(func(h *Heartbeat) { h.Seq = 1 })},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := newCluster(t, 3)
			c.run(5)
			m := c.machines[0]
			m.Farewell(c.now, 1, 55)
			before := m.Epoch()
			m.Receive(c.now, test.hb)
			if m.Epoch() != before {
				t.Errorf("the epoch went from %d to %d", before, m.Epoch())
			}
		})
	}
}

func TestRestartEndsTheOldBoot(t *testing.T) {
	c := newCluster(t, 3)
	c.run(5)
	c.machines[2] = New(c.params(2, 999), c.now)
	c.run(3)
	v := c.machines[0].View()
	if !v.Names(2, 999) || v.Names(2, 102) {
		t.Errorf("the view is %v", v)
	}
	c.machines[0].Receive(c.now, Heartbeat{From: 2, Boot: 102, Seq: 1 << 40})
	if got := c.machines[0].Peer(2).Boot; got != 999 {
		t.Errorf("the old boot %d is back", got)
	}
}

func TestEpochIsAboveAllHeard(t *testing.T) {
	c := newCluster(t, 2)
	p := c.params(1, 77)
	p.HighEpoch = 500
	c.machines[1] = New(p, c.now)
	c.run(5)
	if e := c.machines[0].View().Epoch; e <= 500 {
		t.Errorf("epoch %d, another host remembered 500", e)
	}
}

func TestInstallWaitsForEveryRelease(t *testing.T) {
	c := newCluster(t, 2)
	c.run(5)
	m := c.machines[0]
	v := m.View()
	v.Epoch++
	hb := c.machines[1].Heartbeat(c.now, 1<<40)
	hb.View = v
	out := m.Receive(c.now, hb)
	if len(out.Steps) != 1 || out.Steps[0].Phase != Release {
		t.Fatalf("asked for %v", out.Steps)
	}
	if out = m.Released(c.now, v.ViewID); len(out.Steps) != 0 {
		t.Fatalf("installs before host 1 has released: %v", out.Steps)
	}
	further := hb
	further.Seq++
	further.Released = ViewID{Epoch: v.Epoch + 1}
	if out = m.Receive(c.now, further); len(out.Steps) != 0 {
		t.Fatalf("installs though host 1 has released for another view: %v", out.Steps)
	}
	hb.Seq += 2
	hb.Released = v.ViewID
	if out = m.Receive(c.now, hb); len(out.Steps) != 1 || out.Steps[0].Phase != Install {
		t.Errorf("asked for %v", out.Steps)
	}
}

func TestOldViewIsNotTakenBack(t *testing.T) {
	c := newCluster(t, 3)
	c.run(5)
	m := c.machines[0]
	old := m.View()
	newer := View{ViewID: ViewID{Epoch: old.Epoch + 1, Proposer: 1}, Config: old.Config, Members: old.Members[1:]}
	hb := c.machines[1].Heartbeat(c.now, 1<<40)
	hb.View = newer
	out := m.Receive(c.now, hb)
	if len(out.Steps) != 1 || out.Steps[0].Phase != Withdraw || m.State() != Joining {
		t.Fatalf("asked for %v, state %v", out.Steps, m.State())
	}
	hb = c.machines[2].Heartbeat(c.now, 1<<40)
	hb.View = old
	m.Receive(c.now, hb)
	if !m.View().IsZero() {
		t.Errorf("after being put out it went back to %v", m.View())
	}
}

func TestPutOutHostCountsAsOwningUntilItsFilterIsEmpty(t *testing.T) {
	c := newCluster(t, 2)
	c.run(5)
	m := c.machines[0]
	m.withdraw(c.now, ViewID{}, 1, "test")
	if hb := m.Heartbeat(c.now, 1<<40); hb.Installed.IsZero() || !hb.View.IsZero() {
		t.Errorf("before the filter is empty it says installed %v, view %v", hb.Installed, hb.View)
	}
	fellow := c.machines[1].Heartbeat(c.now, 1<<40)
	fellow.Hears = nil // so that the two do not found a view again at once
	m.Receive(c.now, fellow)
	m.Released(c.now, ViewID{})
	if hb := m.Heartbeat(c.now, 1<<41); hb.Installed.IsZero() || !hb.View.IsZero() {
		t.Errorf("while its old fellow counts on it, it says installed %v, view %v", hb.Installed, hb.View)
	}
	fellow.Seq, fellow.View = fellow.Seq+1, View{}
	m.Receive(c.now, fellow)
	if hb := m.Heartbeat(c.now, 1<<42); !hb.Installed.IsZero() {
		t.Errorf("with an empty filter, and nobody counting on it, it says installed %v", hb.Installed)
	}
}

func TestLossFigure(t *testing.T) {
	tests := []struct {
		name string
		seqs []uint64
		want float64
	}{
		{"none heard", nil, 0},
		{"none lost", []uint64{5, 6, 7, 8}, 0},
		{"half lost", []uint64{2, 4, 6, 8}, 3.0 / 7},
		{"late is not lost", []uint64{1, 3, 2, 4}, 0},
		{"a jump of more than a window", []uint64{1, 1000}, 63.0 / 64},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var p peer
			for _, seq := range test.seqs {
				if p.count(seq) {
					p.last.Seq = seq
				}
			}
			if got := p.loss(); got < test.want-1e-9 || got > test.want+1e-9 {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestSilenceIsCountedInOwnTicks(t *testing.T) {
	c := newCluster(t, 2)
	c.run(5)
	c.now = c.now.Add(time.Minute)
	m := c.machines[0]
	if out := m.Tick(c.now); !out.Send {
		t.Error("after a minute's sleep: the others are not told at once, and again, that this host lives")
	}
	if p := m.Peer(1); !p.Heard || p.Silence > 2*testTiming.Interval {
		t.Errorf("after a minute's sleep: heard %v, silence %v", p.Heard, p.Silence)
	}
	c.now = c.now.Add(testTiming.Interval)
	if out := m.Tick(c.now); out.Send {
		t.Error("a tick in time sends out of turn")
	}
	stalled := false
	for _, e := range m.Events() {
		stalled = stalled || e.Kind == Stalled
	}
	if !stalled {
		t.Error("no event says that our own timer was late")
	}
}

func TestEventsAreBounded(t *testing.T) {
	c := newCluster(t, 2)
	for range 3 * keptEvents {
		c.machines[0].event(c.now, HostHeard, 1, "")
	}
	if n := len(c.machines[0].Events()); n != keptEvents {
		t.Errorf("%d events are kept", n)
	}
	if n := len(c.machines[0].Events()); n != 0 {
		t.Errorf("%d events are handed over twice", n)
	}
}

func BenchmarkReceive32(b *testing.B) {
	c := &cluster{now: time.Unix(1000, 0), seqs: make([]uint64, MaxHosts), steps: make([][]Step, MaxHosts), cut: func(ID, ID) bool { return false }}
	for i := range MaxHosts {
		c.machines = append(c.machines, New(c.params(ID(i), Boot(100+i)), c.now))
	}
	c.run(4)
	hb := c.machines[1].Heartbeat(c.now, 1<<40)
	for b.Loop() {
		hb.Seq++
		c.machines[0].Receive(c.now, hb)
	}
}

// TestDepartedHostIsWaitedFor: a view leaves out host 2, which we hear. We stop confirming its heartbeats, and do not say
// that we have released before it says that it owns nothing, or the detection time is over.
func TestDepartedHostIsWaitedFor(t *testing.T) {
	tests := []struct {
		name string
		do   func(c *cluster)
		want bool
	}{
		{"it still owns", func(*cluster) {}, false},
		{"it is out, its filter is not empty yet", func(c *cluster) { c.speakAs(2, ViewID{Epoch: 1}) }, false},
		{"it owns nothing", func(c *cluster) { c.speakAs(2, ViewID{}) }, true},
		{"it says farewell", func(c *cluster) { c.machines[1].Farewell(c.now, 2, 102) }, true},
		{"it has started anew", func(c *cluster) { c.machines[1].Receive(c.now, Heartbeat{From: 2, Boot: 5, Seq: 1}) }, true},
		{"the detection time is over", func(c *cluster) { c.run(16) }, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := newCluster(t, 3)
			c.run(5)
			m := c.machines[1]
			frozen := m.Peer(2).Last.Seq
			hb := c.machines[0].Heartbeat(c.now, 1<<40)
			hb.View = View{ViewID: ViewID{Epoch: 50, Proposer: 0}, Config: 7, Members: m.View().Members[:2]}
			m.Receive(c.now, hb)
			m.Released(c.now, hb.View.ViewID)
			c.cut = func(ID, ID) bool { return true }
			c.machines[0], c.machines[2] = nil, nil
			m.Receive(c.now, Heartbeat{From: 2, Boot: 102, Seq: 1 << 20, View: View{ViewID: ViewID{Epoch: 1}}, Installed: ViewID{Epoch: 1}})
			if h := m.hearings(); h[1].Seq != frozen {
				t.Errorf("confirms %d after host 2 was left out, it was at %d", h[1].Seq, frozen)
			}
			test.do(c)
			if got := m.Heartbeat(c.now, 1).Released.Epoch >= 50; got != test.want {
				t.Errorf("says released: %v, want %v", got, test.want)
			}
		})
	}
}

// speakAs lets host 1 hear from a host that it is in no view and has that view in its filter.
func (c *cluster) speakAs(id ID, installed ViewID) {
	c.machines[1].Receive(c.now, Heartbeat{From: id, Boot: Boot(100 + id), Seq: 1 << 21, Installed: installed})
}
