package agent_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/internal/lab/load"
)

func TestKilledAgentIsPutOutAtOnce(t *testing.T) {
	l := farm(t, "")
	quickest := time.Hour
	for range 3 {
		at := kill(t, l.Host("b"))
		for _, name := range []string{"a", "c"} {
			members(t, l.Host(name), "a", "c")
			view := lastEvent(t, l.Host(name), "view_installed")
			quickest = min(quickest, view.At.Sub(at))
			if view.Text != "a, c" {
				t.Errorf("%s: the event of the view says %q, not whom it holds", name, view.Text)
			}
			t.Logf("%s: view %d %v after the kill", name, view.Epoch, view.At.Sub(at))
		}
		start(t, l, "b")
	}
	// The silence of a dead machine takes 300 ms at least. Once of three times the machine that tests is quick enough to tell.
	if quickest > 200*time.Millisecond || quickest < 0 {
		t.Errorf("the view without b came %v after the kill at best: the guard did not tell", quickest)
	}
}

// lastEvent is a host's newest event of a kind.
func lastEvent(t *testing.T, h *lab.Host, kind string) (last struct {
	At    time.Time
	Epoch uint64
	Text  string
}) {
	t.Helper()
	list := events(t, h, kind)
	if len(list) == 0 {
		t.Fatalf("host %s tells no %s", h.Name(), kind)
	}
	e := list[len(list)-1]
	last.At, last.Epoch, last.Text = e.At, e.Epoch, e.Text
	return last
}

func TestAgentAndGuardKilledTogether(t *testing.T) {
	l := farm(t, "")
	b := l.Host("b")
	web := requests(t, l, 100)
	web.flow(t, load.Request, 50)
	// What kills the whole control group leaves nobody to tell the others: silence and the lease do the work.
	if err := b.Freeze(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range agents(t, b) {
		if err := unix.Kill(pid, unix.SIGKILL); err != nil {
			t.Error(err)
		}
	}
	if err := b.Thaw(); err != nil {
		t.Fatal(err)
	}
	members(t, l.Host("a"), "a", "c")
	web.flow(t, load.Request, 50)
	after := time.Now()
	web.flow(t, load.Request, 100)
	for _, r := range web.stop(t) {
		if r.Kind == load.Request && r.Host == "b" && web.at(r).After(after) {
			t.Fatalf("host b took a connection %v after the others had taken over", web.at(r).Sub(after))
		}
	}
	start(t, l, "b")
}

func TestPowerCutAndBack(t *testing.T) {
	l := farm(t, "")
	for _, name := range []string{"c", "a"} { // a is the director and the coordinator
		t.Run(name, func(t *testing.T) {
			h := l.Host(name)
			others := slices.DeleteFunc([]string{"a", "b", "c"}, func(n string) bool { return n == name })
			web := requests(t, l, 100)
			web.flow(t, load.Request, 50)
			if _, err := h.PowerCut(); err != nil {
				t.Fatal(err)
			}
			members(t, l.Host(others[0]), others...)
			over := time.Now()
			web.flow(t, load.Request, 100)
			if err := h.PowerOn(); err != nil {
				t.Fatal(err)
			}
			ready(t, l)
			web.flow(t, load.Request, 100)
			all := web.stop(t)
			if bad := failed(all); len(bad) > 0 {
				t.Errorf("%d requests got no answer in 5 s, the first: %+v", len(bad), bad[0])
			}
			for _, r := range all {
				if r.Slow() && web.at(r).After(over.Add(500*time.Millisecond)) && web.at(r).Before(over.Add(900*time.Millisecond)) {
					t.Errorf("a request %v after the takeover took %v", web.at(r).Sub(over), r.Took)
				}
			}
		})
	}
}

func TestPartitionHealsByItself(t *testing.T) {
	l := farm(t, "")
	a, c := l.Host("a"), l.Host("c")
	before := ready(t, l)
	if err := l.Partition([]string{"a", "b"}, []string{"c"}); err != nil {
		t.Fatal(err)
	}
	members(t, a, "a", "b")
	members(t, c, "c")
	if err := l.Heal(); err != nil {
		t.Fatal(err)
	}
	if epoch := ready(t, l); epoch <= before {
		t.Errorf("epoch %d after %d", epoch, before)
	}
	mustServe(t, l, "a", "b", "c")
}

// While the halves do not hear each other, each takes the other for dead and resets what it does not know: a client that reaches
// both loses connections. What it gets is right, and once the halves are one again nothing breaks any more.
func TestClientThatSeesBothSidesOfAPartition(t *testing.T) {
	l := farm(t, "")
	conns := begin(t, l, "echo", "--target", target(7), "--conns", "100", "--reopen")
	conns.flow(t, load.Open, 100)
	if err := l.Divide([]string{"a", "b"}, []string{"c"}); err != nil {
		t.Fatal(err)
	}
	members(t, l.Host("a"), "a", "b")
	members(t, l.Host("c"), "c")
	work(t)
	if err := l.Heal(); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
	work(t) // the last of them learn
	healed := time.Now()
	work(t)
	for _, r := range broken(conns.stop(t)) {
		if r.Kind == load.Wrong || r.Class != load.Reset || conns.at(r).After(healed) {
			t.Errorf("connection %d: %s %s, %v after the heal", r.Conn, r.Kind, r.Class, conns.at(r).Sub(healed))
		}
	}
	mustServe(t, l, "a", "b", "c")
}

func TestOneWayDeafness(t *testing.T) {
	l := farm(t, "")
	before := ready(t, l)
	if err := l.Deafen("a", "b"); err != nil { // a does not hear b; b hears a
		t.Fatal(err)
	}
	eventually(t, patience, "a and b in no view together", func() error {
		for _, h := range l.Hosts() {
			s, err := ask(h)
			if err != nil {
				return err
			}
			if slices.Contains(s.View.Members, "a") && slices.Contains(s.View.Members, "b") {
				return fmt.Errorf("host %s has view %d of %v", h.Name(), s.Epoch, s.View.Members)
			}
		}
		return nil
	})
	served := 0
	for range 20 {
		if _, err := greeting(l, 0, target(7)); err == nil {
			served++
		}
	}
	if served < 20 {
		t.Errorf("%d of 20 connections were served during the deafness", served)
	}
	if err := l.Heal(); err != nil {
		t.Fatal(err)
	}
	if epoch := ready(t, l); epoch <= before {
		t.Errorf("epoch %d after %d", epoch, before)
	}
	mustServe(t, l, "a", "b", "c")
}

// mustServe wants answers from exactly these hosts.
func mustServe(t *testing.T, l *lab.Lab, hosts ...string) {
	t.Helper()
	mustServeAt(t, l, target(7), hosts...)
}

func mustServeAt(t *testing.T, l *lab.Lab, to string, hosts ...string) {
	t.Helper()
	eventually(t, patience, fmt.Sprintf("service at %s by %v", to, hosts), func() error {
		seen := map[string]bool{}
		for range 40 {
			name, err := greeting(l, 0, to)
			if err != nil {
				return err
			}
			seen[name] = true
		}
		for _, h := range hosts {
			if !seen[h] {
				return fmt.Errorf("of 40 connections none reached %s", h)
			}
		}
		if len(seen) != len(hosts) {
			return fmt.Errorf("served by %v", seen)
		}
		return nil
	})
}

func TestLossOfHeartbeatsChangesNoView(t *testing.T) {
	l := farm(t, "")
	before := ready(t, l)
	for _, h := range l.Hosts() {
		if err := h.Loss(20, lab.HeartbeatPort, lab.Sent); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.Now().Add(15 * time.Second)
	eventually(t, 20*time.Second, "15 s of loss", func() error {
		for _, h := range l.Hosts() {
			if s := status(t, h); s.Epoch != before {
				t.Fatalf("host %s is in view %d of %v, want still %d", h.Name(), s.Epoch, s.View.Members, before)
			}
		}
		if time.Now().Before(deadline) {
			return errors.New("not over")
		}
		return nil
	})
	for _, h := range l.Hosts() {
		for _, peer := range status(t, h).Hosts {
			if peer.LossPercent != nil && (*peer.LossPercent < 5 || *peer.LossPercent > 40) {
				t.Errorf("host %s sees %.0f %% loss from %s, want about 20", h.Name(), *peer.LossPercent, peer.Name)
			}
		}
	}
}

func TestAllFrozenAndResumed(t *testing.T) {
	l := farm(t, "")
	before := ready(t, l)
	for _, h := range l.Hosts() {
		if err := h.Freeze(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := greetingOnce(l); err != nil { // the kernels' leases are still good; then they are not
		t.Logf("right after the freeze: %v", err)
	}
	time.Sleep(3 * time.Second) // the fault itself
	if name, err := greetingOnce(l); err == nil {
		t.Errorf("host %q took a connection though its agent has not run for 3 s", name)
	}
	for _, h := range l.Hosts() {
		if err := h.Thaw(); err != nil {
			t.Fatal(err)
		}
	}
	thawed := time.Now()
	mustServe(t, l, "a", "b", "c")
	if took := time.Since(thawed); took > 3*time.Second {
		t.Errorf("full service %v after the thaw", took)
	}
	if epoch := ready(t, l); epoch < before {
		t.Errorf("epoch %d after %d", epoch, before)
	}
	for _, h := range l.Hosts() {
		if s := status(t, h); len(s.View.Members) != 3 {
			t.Errorf("host %s is in a view of %v", h.Name(), s.View.Members)
		}
	}
}

// greetingOnce connects without a second SYN.
func greetingOnce(l *lab.Lab) (string, error) { return greetingWithin(l, 700*time.Millisecond) }

func TestEpochGrowsOverARestartOfEverything(t *testing.T) {
	l := farm(t, "")
	epoch := ready(t, l)
	for _, way := range []struct {
		name string
		end  func(t *testing.T, h *lab.Host)
	}{
		{"stopped in order", func(t *testing.T, h *lab.Host) { stop(t, h) }},
		{"killed", func(t *testing.T, h *lab.Host) { kill(t, h) }},
	} {
		t.Run(way.name, func(t *testing.T) {
			for _, h := range l.Hosts() {
				way.end(t, h)
			}
			if err := l.StartAll(); err != nil {
				t.Fatal(err)
			}
			next := ready(t, l)
			if next <= epoch {
				t.Errorf("epoch %d after %d", next, epoch)
			}
			epoch = next
		})
	}
}
