package agent_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/internal/vip"
)

// policySet writes another policy for duplicates and has the hosts reload it.
func policySet(t *testing.T, l *lab.Lab, from, to string) {
	t.Helper()
	before := digest(t, l.Host("a"))
	edit(t, l, "duplicates: "+from, "duplicates: "+to)
	for _, h := range l.Hosts() {
		muster(t, h, "reload")
	}
	changedOver(t, l, before)
}

// policyIs waits until every host says so of the stranger who claims the VIP.
func policyIs(t *testing.T, l *lab.Lab, text string) {
	t.Helper()
	for _, h := range l.Hosts() {
		if d := stranger(t, h, lab.VIP().Addr().String()); !strings.Contains(d.Policy, text) {
			t.Errorf("host %s tells %+v, want %q", h.Name(), d, text)
		}
	}
}

// atOnce is sooner than anything that comes by itself: a director announces every 30 s, and asks every 10 s while it knows a stranger.
const atOnce = 5 * time.Second

// TestPolicyForDuplicatesIsSetLive: while somebody has the VIP, `muster reload` makes the cluster leave it to him, contradict him and leave it again, each
// at once. When he has been silent for a minute, the cluster answers by itself. Connections from before go on all the time.
func TestPolicyForDuplicatesIsSetLive(t *testing.T) {
	l := machines(t, lab.Options{Hosts: 2, Clients: 2, Config: strings.Replace(yielding, "yield", "defend", 1)})
	if err := errors.Join(l.StartWeb(), l.StartAll()); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
	answered := func(by int) func() error { return func() error { return answeredBy(t, l, by) } }
	eventually(t, patience, "the VIP is answered for", answered(1))
	address, thief := lab.VIP().Addr(), l.Client(2)
	theirs := nodeMAC(t, thief)
	pinned(t, l.Client(1), macOf(t, l.Host(status(t, l.Host("a")).VIPs[0].Director))) // it keeps to what it knew first
	conns := echoes(t, l, 20)
	said := saidBy(t, l.Client(1), address, l.Hosts()...)
	claim := func() { say(t, thief, arpFrame(theirs, 1, theirs, address, address)) }
	giveBack := steal(t, thief, address.String()+"/32")
	claim()
	policyIs(t, l, "announced again")

	policySet(t, l, "defend", "yield")
	eventually(t, atOnce, "left to the stranger", answered(1))
	policyIs(t, l, "left to him")

	quiet := said.Load()
	policySet(t, l, "yield", "defend")
	eventually(t, atOnce, "announced", func() error {
		if said.Load() == quiet {
			return errors.New("nobody has said anything")
		}
		return nil
	})
	eventually(t, atOnce, "answered beside the stranger", answered(2))
	policyIs(t, l, "announced again")

	policySet(t, l, "defend", "yield")
	eventually(t, atOnce, "left to the stranger again", answered(1))
	claim()
	giveBack()
	gone := time.Now()
	quiet = said.Load()
	policyIs(t, l, "left to him")
	answersAgain(t, l, said, quiet, gone)
	if bad := broken(conns.stop(t)); len(bad) > 0 {
		t.Errorf("%d connections broke, the first: %+v", len(bad), bad[0])
	}
}

// answersAgain waits for what was left to a stranger: nobody says anything for a minute after his last claim, and then the cluster answers.
func answersAgain(t *testing.T, l *lab.Lab, said *atomic.Int64, quiet int64, gone time.Time) {
	t.Helper()
	// Claims are handed over once a second, so the last that counts may be that much older.
	const soonest, latest = vip.Silence - 2*time.Second, vip.Silence + atOnce
	eventually(t, latest, "a host speaks for the VIP again", func() error {
		if said.Load() == quiet {
			return errors.New("silence")
		}
		return nil
	})
	if took := time.Since(gone); took < soonest {
		t.Errorf("somebody spoke for the VIP %v after the stranger's last claim, want %v", took, vip.Silence)
	} else {
		t.Logf("the VIP is answered for %v after the stranger's last claim", took)
	}
	eventually(t, atOnce, "one host answers", func() error { return answeredBy(t, l, 1) })
	for _, h := range l.Hosts() {
		eventually(t, atOnce, "told on host "+h.Name(), func() error {
			if n, d := len(events(t, h, "duplicate_gone")), status(t, h).Duplicates; n != 1 || len(d) > 0 {
				return fmt.Errorf("told %d times that he is gone, and still of %+v", n, d)
			}
			return nil
		})
	}
}
