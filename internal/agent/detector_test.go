package agent_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/lab"
)

// profile is the lab's configuration with a profile.
func profile(name string) string {
	return strings.Replace(lab.DefaultConfig, "\nvips:", "\nheartbeat: {profile: "+name+"}\n\nvips:", 1)
}

// soak is how long something has to hold: MUSTER_SOAK=10m makes it longer, for the figures of docs/detector.md.
func soak(t *testing.T, normal time.Duration) time.Duration {
	t.Helper()
	text := os.Getenv("MUSTER_SOAK")
	if text == "" {
		return normal
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("MUSTER_SOAK: %v", err)
	}
	return d
}

// hogs keeps every core busy until the end of the test, twice over, with processes of ordinary priority.
func hogs(t *testing.T) {
	t.Helper()
	for range 2 * runtime.NumCPU() {
		hog := exec.CommandContext(t.Context(), "sh", "-c", "while :; do :; done")
		hog.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
		if err := hog.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = hog.Process.Kill(); _ = hog.Wait() })
	}
}

// holds watches for a while that hosts stay in the view that they are in.
func holds(t *testing.T, l *lab.Lab, epoch uint64, how time.Duration, hosts ...string) {
	t.Helper()
	for end := time.Now().Add(how); time.Now().Before(end); time.Sleep(poll) {
		for _, name := range hosts {
			// An answer may be long in coming beside hogs: what is asked is what it says.
			if s, err := ask(l.Host(name)); err == nil && s.Epoch != epoch {
				t.Fatalf("host %s is in view %d of %v, want still %d; its timer: %+v", name, s.Epoch, s.View.Members, epoch, s.Timer)
			}
		}
	}
	for _, name := range hosts {
		s := status(t, l.Host(name))
		if s.Epoch != epoch {
			t.Fatalf("host %s is in view %d of %v at the end, want still %d", name, s.Epoch, s.View.Members, epoch)
		}
		t.Logf("host %s: timer %+v", name, s.Timer)
	}
}

// TestProfilesNoticeAPowerCut: how long the others take until they have taken over, by the events of both. MUSTER_CUTS=12 makes more.
func TestProfilesNoticeAPowerCut(t *testing.T) {
	for _, test := range []struct {
		profile string
		atBest  time.Duration // of a few times, on a machine that does other things too
	}{{"fast", 60 * time.Millisecond}, {"steady", 350 * time.Millisecond}} {
		t.Run(test.profile, func(t *testing.T) {
			l := farm(t, profile(test.profile))
			var all []time.Duration
			for i := range cuts(t) {
				victim := []string{"c", "b", "a"}[i%3]
				others := slices.DeleteFunc([]string{"a", "b", "c"}, func(n string) bool { return n == victim })
				at, err := l.Host(victim).PowerCut()
				if err != nil {
					t.Fatal(err)
				}
				var took time.Duration
				for _, name := range others {
					members(t, l.Host(name), others...)
					took = max(took, lastEvent(t, l.Host(name), "view_installed").At.Sub(at))
				}
				all = append(all, took)
				if err := l.Host(victim).PowerOn(); err != nil {
					t.Fatal(err)
				}
				ready(t, l)
			}
			slices.Sort(all)
			t.Logf("taken over after %v", all)
			if all[0] > test.atBest || all[0] < 0 {
				t.Errorf("taken over after %v at best, want at most %v", all[0], test.atBest)
			}
		})
	}
}

func cuts(t *testing.T) int {
	t.Helper()
	text := os.Getenv("MUSTER_CUTS")
	if text == "" {
		return 2
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("MUSTER_CUTS: %v", err)
	}
	return n
}

// TestProfilesStandLossOnTheWire: nobody is removed for lost datagrams.
func TestProfilesStandLossOnTheWire(t *testing.T) {
	for _, test := range []struct {
		profile string
		percent float64
	}{{"fast", 5}, {"steady", 30}} {
		t.Run(test.profile, func(t *testing.T) {
			l := farm(t, profile(test.profile))
			for _, h := range l.Hosts() {
				if err := h.Loss(test.percent, 0, lab.Sent); err != nil { // of every host: both ways of each pair
					t.Fatal(err)
				}
			}
			holds(t, l, ready(t, l), soak(t, 4*time.Second), "a", "b", "c")
		})
	}
}

// TestStarvedAgentAccusesNobody: one agent's processor is taken away again and again, for less than the tolerance, while all cores are
// busy. It accuses nobody, and nobody removes it.
func TestStarvedAgentAccusesNobody(t *testing.T) {
	l := farm(t, profile("steady"))
	hogs(t)
	epoch := ready(t, l)
	// Beside the hogs whoever lets it go on comes late as well: this makes pauses of up to 250 ms.
	starve(t, l.Host("b"), 50*time.Millisecond, 100*time.Millisecond)
	holds(t, l, epoch, soak(t, 8*time.Second), "a", "b", "c")
}

// starve stops a host's agent and lets it go on, by turns, until the test ends.
func starve(t *testing.T, h *lab.Host, shortest, longest time.Duration) {
	t.Helper()
	agent, err := h.Agent()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() {
		for d := shortest; ctx.Err() == nil; d += (longest - shortest) / 10 {
			if d > longest {
				d = shortest
			}
			_ = agent.Signal(unix.SIGSTOP)
			time.Sleep(d) // the fault itself
			_ = agent.Signal(unix.SIGCONT)
			time.Sleep(shortest)
		}
	})
	t.Cleanup(func() { cancel(); group.Wait() })
}

// TestFrozenAgentIsPutOutAndComesBack: one that does not run for longer than the tolerance is silent for the others. When it goes on, it
// accuses nobody, takes nothing before it is in the view again, and is.
func TestFrozenAgentIsPutOutAndComesBack(t *testing.T) {
	l := farm(t, profile("fast"))
	b := l.Host("b")
	agent, err := b.Agent()
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	together := members(t, l.Host("a"), "a", "c")
	if err := agent.Signal(unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
	for _, e := range events(t, b, "host_silent") {
		t.Errorf("the frozen host says at %v that %s is silent: %s", e.At, e.Host, e.Text)
	}
	for _, e := range events(t, l.Host("a"), "view_installed") {
		if e.Epoch >= together && (!strings.Contains(e.Text, "a") || !strings.Contains(e.Text, "c")) {
			t.Errorf("view %d is of %s: a and c were to stay together", e.Epoch, e.Text)
		}
	}
	mustServe(t, l, "a", "b", "c")
}

// TestFlipFlopIsDamped: b hears c by turns only. Views stop changing although the link does not, a and b have their places all the time, and when the
// link is good all are one again.
func TestFlipFlopIsDamped(t *testing.T) {
	l := farm(t, profile("fast"))
	before := ready(t, l)
	for range 40 {
		if err := l.Deafen("b", "c"); err != nil { // b does not hear c
			t.Fatal(err)
		}
		time.Sleep(120 * time.Millisecond) // the fault itself
		if err := l.Heal(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(80 * time.Millisecond)
	}
	a := l.Host("a")
	held := slices.ContainsFunc(append(events(t, l.Host("b"), "link_held"), events(t, l.Host("c"), "link_held")...), func(e api.Event) bool { return true })
	epoch := ready(t, l)
	if views := epoch - before; views > 24 || !held {
		t.Errorf("%d views for 40 falls of a link, held: %v", views, held)
	}
	for _, e := range events(t, a, "view_installed") {
		if e.Epoch >= before && (!strings.Contains(e.Text, "a") || !strings.Contains(e.Text, "b")) { // before, not all had started
			t.Errorf("view %d is of %s: a and b hear each other all the time", e.Epoch, e.Text)
		}
	}
	t.Logf("%d views", epoch-before)
}

// TestOneWayLossIsAgreedOn: b hears nothing of c; c hears b. All say the same about who is in, and go on saying it.
func TestOneWayLossIsAgreedOn(t *testing.T) {
	l := farm(t, profile("steady"))
	if err := l.Deafen("b", "c"); err != nil {
		t.Fatal(err)
	}
	epoch := members(t, l.Host("a"), "a", "b")
	if got := members(t, l.Host("b"), "a", "b"); got != epoch {
		t.Errorf("a is in view %d, b in %d", epoch, got)
	}
	eventually(t, patience, "c in no view", func() error {
		if s := status(t, l.Host("c")); s.Epoch != 0 {
			return fmt.Errorf("it is in view %d of %v", s.Epoch, s.View.Members)
		}
		return nil
	})
	holds(t, l, epoch, 3*time.Second, "a", "b")
	holds(t, l, 0, time.Second, "c")
	if err := l.Heal(); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
}

// TestSYNFloodDoesNotStarveHeartbeats: a client sends as many SYNs for the VIP as it can, from random sources. No host is taken for silent, no
// view changes, and connections that are there live.
func TestSYNFloodDoesNotStarveHeartbeats(t *testing.T) {
	for _, name := range []string{"steady", "fast"} {
		t.Run(name, func(t *testing.T) {
			l := farm(t, profile(name))
			conns := echoes(t, l, 30)
			epoch := ready(t, l)
			stop := flood(t, l, aim(t, l, 80))
			holds(t, l, epoch, 2*time.Second, "a", "b", "c")
			sent := stop()
			nobodySilent(t, l)
			for _, r := range broken(conns.stop(t)) {
				t.Errorf("%s of connection %d to %s: %s", r.Kind, r.Conn, r.Host, r.Class)
			}
			if sent < 20000 {
				t.Errorf("%d SYNs in 2 s: no flood", sent)
			}
			t.Logf("%d SYNs", sent)
		})
	}
}

// TestPriorityOfTheProfiles: fast runs in real time with a bound on threads that do not sleep, steady before all ordinary processes.
func TestPriorityOfTheProfiles(t *testing.T) {
	for _, test := range []struct {
		profile string
		policy  uint32
		nice    int32
		spin    string // microseconds that a thread may run without sleeping, soft and hard
	}{{"fast", unix.SCHED_RR, 0, "200000 2000000"}, {"steady", unix.SCHED_NORMAL, -19, "unlimited unlimited"}} {
		t.Run(test.profile, func(t *testing.T) {
			l := machines(t, lab.Options{Hosts: 1, Config: profile(test.profile)})
			if err := l.StartAll(); err != nil {
				t.Fatal(err)
			}
			eventually(t, patience, "an answer", func() error { _, err := ask(l.Host("a")); return err })
			agent, err := l.Host("a").Agent()
			if err != nil {
				t.Fatal(err)
			}
			group, err := os.ReadFile(fmt.Sprintf("/proc/%d/autogroup", agent.PID()))
			if err == nil && !strings.Contains(string(group), "nice -19") { // a kernel may do without groups
				t.Errorf("the agent's session: %s", group)
			}
			for _, pid := range agents(t, l.Host("a")) {
				threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
				if err != nil {
					t.Fatal(err)
				}
				for _, thread := range threads {
					tid, err := strconv.Atoi(thread.Name())
					if err != nil {
						t.Fatal(err)
					}
					attr, err := unix.SchedGetAttr(tid, 0)
					if err != nil {
						continue // it has ended
					}
					if attr.Policy != test.policy || attr.Policy == unix.SCHED_NORMAL && attr.Nice != test.nice {
						t.Errorf("thread %d of process %d has policy %d, nice %d", tid, pid, attr.Policy, attr.Nice)
					}
				}
				limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
				if err != nil {
					t.Fatal(err)
				}
				if i := strings.Index(string(limits), "Max realtime timeout"); i < 0 || !strings.Contains(strings.Join(strings.Fields(string(limits[i:])), " "), "timeout "+test.spin) {
					t.Errorf("process %d: limits are\n%s", pid, limits)
				}
			}
		})
	}
}

// TestASecondAgentOnOneHostTouchesNothing: the ports are taken before anything is changed.
func TestASecondAgentOnOneHostTouchesNothing(t *testing.T) {
	l := farm(t, "")
	b := l.Host("b")
	conns := echoes(t, l, 30)
	before, epoch := footprint(t, l, b), ready(t, l)
	own := t.TempDir()
	_, err := b.Exec(t.Context(), l.Binary(), "run", "-c", l.ConfigPath(), "--host", "b", "--run-dir", own, "--state-dir", own).Output()
	if err == nil || !strings.Contains(err.Error(), "3343") {
		t.Errorf("second agent: %v; want the port that is taken", err)
	}
	if now := footprint(t, l, b); now != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, now)
	}
	if _, err := os.Stat(own + "/bpf"); err == nil {
		t.Error("it has mounted a file system for its filter")
	}
	holds(t, l, epoch, 500*time.Millisecond, "a", "b", "c")
	if bad := broken(conns.stop(t)); len(bad) > 0 {
		t.Errorf("%d connections broke, the first: %+v", len(bad), bad[0])
	}
}
