package agent_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/internal/lab/load"
)

// isState waits until a host says that another one, or itself, is in a state.
func isState(t *testing.T, at *lab.Host, name string, want api.State) api.HostStatus {
	t.Helper()
	var got api.HostStatus
	eventually(t, patience, fmt.Sprintf("%s is %s, seen from %s", name, want, at.Name()), func() error {
		s, err := ask(at)
		if got = hostIn(s, name); err == nil && got.State != want {
			return fmt.Errorf("it is %q: %s", got.State, got.Why)
		}
		return err
	})
	return got
}

// TestDrainWithProgressAndUndoUnderLoad: item 5 of the issue. A drain with a deadline counts the connections that are left, is taken back, and breaks none; a second
// one ends by itself when the last connection has.
func TestDrainWithProgressAndUndoUnderLoad(t *testing.T) {
	l := farm(t, "")
	a := l.Host("a")
	conns := echoes(t, l, 100)
	had := perHost(conns.all(), load.Open)["b"]
	if had == 0 {
		t.Fatal("no connection is at b")
	}
	cmd := a.Exec(t.Context(), l.Binary(), "--run-dir", a.RunDir(), "host", "drain", "b", "--deadline", "1h")
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(said)
	if want := fmt.Sprintf("host b drains: %d connections left, stops in 1h0m0s at the latest", had); !lines.Scan() || lines.Text() != want {
		t.Errorf("the command says %q, want %q", lines.Text(), want)
	}
	eventually(t, patience, "the connections of b are counted", func() error {
		s, err := ask(a)
		if h := hostIn(s, "b"); err == nil && (h.State != api.StateDrained || h.Connections == nil || *h.Connections != had) {
			return fmt.Errorf("%d were opened, %+v", had, h)
		}
		return err
	})
	muster(t, l.Host("c"), "host", "resume", "b")
	last := ""
	for lines.Scan() {
		last = lines.Text()
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(last, "taken the order back") {
		t.Errorf("the command that waits says %q at last, %v", last, err)
	}
	ready(t, l)
	work(t)
	if bad := broken(conns.stop(t)); len(bad) > 0 {
		t.Errorf("%d connections broke: %+v", len(bad), bad[0])
	}
	if out := muster(t, a, "host", "drain", "b", "--deadline", "1h"); out != "host b is stopped: no connection is left\n" {
		t.Errorf("without connections the command says %q", out)
	}
	h := isState(t, l.Host("c"), "b", api.StateStopped)
	if h.Order == nil || h.Order.Reason != "empty" || h.Order.SetOn != "b" {
		t.Errorf("b has the order %+v", h.Order)
	}
}

// TestDrainEndsAtItsDeadline: what is left then is closed, and the command says how many; it is the host itself that ends it, so it ends as well when whoever waited
// for it has gone.
func TestDrainEndsAtItsDeadline(t *testing.T) {
	l := farm(t, "")
	a := l.Host("a")
	conns := echoes(t, l, 100)
	had := perHost(conns.all(), load.Open)
	const deadline = 2 * time.Second
	began := time.Now()
	waiting := a.Exec(t.Context(), l.Binary(), "--run-dir", a.RunDir(), "host", "drain", "c", "--deadline", deadline.String())
	said, err := waiting.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := waiting.Start(); err != nil {
		t.Fatal(err)
	}
	if lines := bufio.NewScanner(said); !lines.Scan() || !strings.Contains(lines.Text(), "connections left") {
		t.Fatalf("the command says %q", lines.Text())
	}
	if err := waiting.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = waiting.Wait() // it was killed
	out := muster(t, a, "host", "drain", "b", "--deadline", deadline.String(), "--json")
	var end struct {
		State, Reason string
		Left          *int
	}
	if err := json.Unmarshal([]byte(out), &end); err != nil || end.State != "stopped" || end.Reason != "deadline" || end.Left == nil || *end.Left != had["b"] {
		t.Errorf("%s, %v; want %d connections at the deadline", out, err, had["b"])
	}
	if h := isState(t, a, "c", api.StateStopped); h.Order == nil || h.Order.Reason != "deadline" {
		t.Errorf("c, for which nobody waited: %+v", h.Order)
	}
	eventually(t, patience, "the clients of b and c know", func() error {
		if n := len(broken(conns.all())); n < had["b"]+had["c"] {
			return fmt.Errorf("%d of %d", n, had["b"]+had["c"])
		}
		return nil
	})
	for _, r := range broken(conns.stop(t)) {
		if r.Host == "a" || r.Class != load.Reset || conns.at(r).Sub(began) < deadline {
			t.Errorf("%s of connection %d to %s after %v by %s", r.Kind, r.Conn, r.Host, conns.at(r).Sub(began), r.Class)
		}
	}
}

// TestStopClosesWithinASecond: item 5 of the issue. The clients of a host that is stopped are reset at once and served elsewhere; its agent is heard all the time, and nobody
// else's connection notices.
func TestStopClosesWithinASecond(t *testing.T) {
	l := farm(t, "")
	a, c := l.Host("a"), l.Host("c")
	conns := echoes(t, l, 200)
	had := perHost(conns.all(), load.Open)["c"]
	if had == 0 {
		t.Fatal("no connection is at c")
	}
	began := time.Now()
	if out := muster(t, a, "host", "stop", "c"); !strings.HasPrefix(out, "host c is stopped") {
		t.Errorf("the command says %q", out)
	}
	eventually(t, patience, "its clients know", func() error {
		if n := len(broken(conns.all())); n < had {
			return fmt.Errorf("%d of %d", n, had)
		}
		return nil
	})
	isState(t, a, "c", api.StateStopped)
	mustServe(t, l, "a", "b")
	all := conns.stop(t)
	heard := lastEvent(t, c, "stopped").At // the rest is the start of a command, on a busy machine
	for _, r := range broken(all) {
		if r.Host != "c" || r.Class != load.Reset {
			t.Errorf("%s of connection %d to %s by %s", r.Kind, r.Conn, r.Host, r.Class)
		}
		if took := conns.at(r).Sub(heard); took > time.Second {
			t.Errorf("connection %d was closed %v after the order", r.Conn, took)
		}
	}
	for _, e := range events(t, a, "host_silent", "host_left") {
		if e.At.After(began) {
			t.Errorf("%s %s: a stopped host is heard", e.Kind, e.Host)
		}
	}
	closed := events(t, c, "connections_closed")
	if len(closed) == 0 || !strings.HasPrefix(closed[0].Text, fmt.Sprint(had, " ")) {
		t.Errorf("c tells %+v, want %d closed", closed, had)
	}
	muster(t, c, "host", "start", "c")
	ready(t, l)
	mustServe(t, l, "a", "b", "c")
}

// TestOrdersSurviveAPowerCut: item 5 of the issue. A host comes back as it was told, also when it was told while it was down, and serves nobody meanwhile; so does
// everybody after a power cut of all.
func TestOrdersSurviveAPowerCut(t *testing.T) {
	l := farm(t, "")
	a, b, c := l.Host("a"), l.Host("b"), l.Host("c")
	muster(t, a, "host", "suspend", "b")
	powerCut(t, b, c)
	members(t, a, "a")
	web := requests(t, l, 200)
	if out := muster(t, a, "host", "stop", "c"); !strings.Contains(out, "host c is not heard: the order counts when it returns") {
		t.Errorf("with c down the command says %q", out)
	}
	if h := hostIn(status(t, a), "c"); h.Order == nil || h.Order.State != "stopped" {
		t.Errorf("c is down with the order %+v", h.Order)
	}
	powerOn(t, b, c)
	members(t, a, "a", "b", "c")
	for _, at := range l.Hosts() {
		isState(t, at, "b", api.StateSuspended)
		isState(t, at, "c", api.StateStopped)
	}
	held, installed := events(t, c, "held_back"), events(t, c, "view_installed")
	if len(held) != 1 || held[0].ID > installed[0].ID {
		t.Errorf("c held back %+v, and came into its first view at %v", held, installed[0].At)
	}
	web.flow(t, load.Request, 100)
	powerCut(t, a, b, c)
	powerOn(t, a, b, c)
	members(t, a, "a", "b", "c")
	for _, at := range l.Hosts() {
		isState(t, at, "a", api.StateServing)
		isState(t, at, "b", api.StateSuspended)
		isState(t, at, "c", api.StateStopped)
	}
	web.flow(t, load.Request, 100)
	if by := perHost(web.stop(t), load.Request); by["b"]+by["c"] > 0 || by["a"] == 0 {
		t.Errorf("requests were served by %v, want by a alone", by)
	}
	for _, name := range []string{"b", "c"} {
		muster(t, a, "host", "resume", name)
	}
	ready(t, l)
}

func powerCut(t *testing.T, hosts ...*lab.Host) {
	t.Helper()
	for _, h := range hosts {
		if _, err := h.PowerCut(); err != nil {
			t.Fatal(err)
		}
	}
}

func powerOn(t *testing.T, hosts ...*lab.Host) {
	t.Helper()
	for _, h := range hosts {
		if err := h.PowerOn(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSuspendedRefuses: item 5 of the issue. A suspended host takes no order but to resume, from anywhere, and says who suspended it and what ends it.
func TestSuspendedRefuses(t *testing.T) {
	l := farm(t, "")
	a, b := l.Host("a"), l.Host("b")
	muster(t, a, "host", "suspend", "b")
	isState(t, a, "b", api.StateSuspended)
	for _, h := range l.Hosts() {
		for _, verb := range []string{"start", "stop", "drain"} {
			code, said := exit(t, h, "host", verb, "b")
			if code != 1 || !strings.Contains(said, "host b is suspended, asked for on host a at ") || !strings.Contains(said, "`muster host resume b`") {
				t.Errorf("%s on %s: exit code %d, %q", verb, h.Name(), code, said)
			}
		}
	}
	isState(t, b, "b", api.StateSuspended)
	muster(t, l.Host("c"), "host", "resume", "b")
	ready(t, l)
	kinds := []string{}
	for _, e := range events(t, a, "suspended", "resumed", "drained", "stopped") {
		kinds = append(kinds, e.Kind+" "+e.Host)
	}
	if want := []string{"suspended b", "resumed b"}; !slices.Equal(kinds, want) {
		t.Errorf("a tells %q, want %q", kinds, want)
	}
}
