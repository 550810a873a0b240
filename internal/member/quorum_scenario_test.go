package member_test

import (
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/member"
)

// A host that starts anew within its earlier boot's lease must not make up a quorum with others: a has a lease by the word of b, then
// b starts anew on c's side.
func TestFastRestartIsNoSecondVote(t *testing.T) {
	for seed := range uint64(20) {
		if err := restartInLease(t, seed, false); err != nil {
			t.Error(err)
		}
	}
	for seed := range uint64(20) {
		if restartInLease(t, seed, true) != nil {
			return
		}
	}
	t.Error("with votes at once nothing is noticed in 20 histories: the scenario proves nothing")
}

func restartInLease(t *testing.T, seed uint64, atOnce bool) error {
	w := newWorld(seed, 3)
	if atOnce {
		w.electors = voteAtOnce{w.lawful()}
	}
	for _, h := range w.hosts {
		h.start()
	}
	w.must(t, time.Second)
	a, b, c := w.hosts[0], w.hosts[1], w.hosts[2]
	w.net.partition(member.Of(c.id))
	w.until(t, time.Second, func() bool {
		return a.machine.View().Set() == member.Of(a.id, b.id) && a.machine.IsInstalled() && b.machine.IsInstalled()
	})
	w.must(t, w.between(time.Second, time.Second+2*interval))
	b.powerCut()
	w.net.partition(member.Of(a.id))
	w.restart(b, w.between(0, 20*time.Millisecond))
	return w.run(time.Second)
}

// While a member keeps confirming, rules with quorum are served without a gap: through a restart of another host, a leave and a join.
func TestQuorumIsKeptWhileOthersComeAndGo(t *testing.T) {
	for seed := range uint64(10) {
		w := steady(t, seed, 3)
		w.hosts[2].leave()
		gaps := 0
		for i := range 2000 {
			w.must(t, time.Millisecond)
			if i == 600 {
				w.hosts[2].start()
			}
			if w.unservedBy(member.Majority) == 4096 {
				gaps++
			}
		}
		if gaps > 0 {
			t.Errorf("seed %d: in %d of 2000 looks nobody accepted anything of the rule with quorum", seed, gaps)
		}
	}
}

// A power cut of one of three hosts costs a rule with quorum what it costs every rule.
func TestPowerCutAndQuorum(t *testing.T) {
	for seed := range uint64(20) {
		w := steady(t, seed, 3)
		w.must(t, w.between(0, interval))
		w.hosts[seed%3].powerCut()
		w.must(t, 200*time.Millisecond)
		took := 200*time.Millisecond + w.until(t, time.Second, func() bool { return w.unservedBy(member.Majority) == 0 })
		if took > 350*time.Millisecond {
			t.Errorf("seed %d: %v until the others had taken over", seed, took)
		}
	}
}

// Alone, a host of three stops by its own lease before the others can take its share, also when its agent does not run.
func TestCutOffHostStopsBeforeTheOthersGoOn(t *testing.T) {
	for seed := range uint64(20) {
		w := steady(t, seed, 3)
		alone := w.hosts[seed%3]
		w.net.partition(member.Of(alone.id))
		if seed%2 == 0 {
			alone.pause(w.between(0, 2*time.Second))
		}
		w.must(t, time.Second) // the strict check looks after each event
		if n := w.unservedBy(member.Majority); n > 0 {
			t.Errorf("seed %d: nobody accepts %d buckets a second after the cut", seed, n)
		}
	}
}
