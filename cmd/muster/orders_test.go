package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/api/apitest"
)

// ordered is the sample with what host b has been told and still has.
func ordered(order *api.HostOrderStatus, left *int) api.Status {
	s := apitest.Sample()
	s.Hosts[1].Order, s.Hosts[1].Connections = order, left
	return s
}

// TestDrainWithADeadline: the command tells how many connections are left, waits until the host says that it is stopped, and says why; what it tells meanwhile goes to
// standard error, the result to standard output.
func TestDrainWithADeadline(t *testing.T) {
	stopped := func(reason string) *api.HostOrderStatus {
		return &api.HostOrderStatus{State: "stopped", Reason: reason}
	}
	tests := []struct {
		name  string
		after api.Status // the drain
		host  string
		code  int
		want  string
	}{
		{"empty", ordered(stopped("empty"), new(0)), "b", 0, "host b is stopped: no connection is left\n"},
		{"at the deadline", ordered(stopped("deadline"), nil), "b", 0, "host b is stopped: the deadline is over, and what was left is closed\n"},
		{"stopped by hand meanwhile", ordered(stopped(""), nil), "b", 0, "host b is stopped\n"},
		{"suspended meanwhile", ordered(&api.HostOrderStatus{State: "suspended"}, nil), "b", 0, "host b is suspended\n"},
		{"resumed meanwhile", ordered(nil, nil), "b", 1, "muster: host b: somebody has taken the order back meanwhile: it serves again\n"},
		{"not there", ordered(nil, nil), "z", 1, "muster: host z: it is not in the configuration of host a\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fake := apitest.New()
			fake.AfterOrders = tt.after
			dir, _ := apitest.Serve(t, fake)
			got := muster(t, dir, "host", "drain", tt.host, "--deadline", "300ms", "--run-dir", dir)
			if got.code != tt.code || got.out+got.err != tt.want || (got.out == "") == (tt.code == 0) {
				t.Errorf("got %+v", got)
			}
			if want := []string{"drain " + tt.host + " 300ms"}; !slices.Equal(fake.Calls(), want) {
				t.Errorf("the agent was told %q", fake.Calls())
			}
		})
	}
}

// TestDrainOfAHostThatIsDown: there is nothing to wait for.
func TestDrainOfAHostThatIsDown(t *testing.T) {
	fake := apitest.New()
	fake.Ordered = api.OrderAnswer{State: "draining", Have: []string{"a", "b"}, Silent: []string{"c"}}
	dir, _ := apitest.Serve(t, fake)
	got := muster(t, dir, "host", "drain", "c", "--deadline", "5m", "--run-dir", dir)
	if got.code != 0 || got.out != "host c is not heard: the order counts when it returns\nnot heard: c: told on return\n" {
		t.Errorf("got %+v", got)
	}
}

// TestDrainOfAHostThatIsStopped: it stays stopped, and that is no error.
func TestDrainOfAHostThatIsStopped(t *testing.T) {
	fake := apitest.New()
	fake.Ordered = api.OrderAnswer{State: "stopped", Have: []string{"a", "b"}}
	dir, _ := apitest.Serve(t, fake)
	if got := muster(t, dir, "host", "drain", "b", "--run-dir", dir); got.code != 0 || got.out != "host b is stopped already\n" {
		t.Errorf("got %+v", got)
	}
}

// draining is an agent whose host b drains, until another order comes.
func draining(t *testing.T) (fake *apitest.Fake, dir string) {
	t.Helper()
	fake = apitest.New()
	fake.AfterOrders = ordered(&api.HostOrderStatus{State: "draining"}, new(42))
	dir, _ = apitest.Serve(t, fake)
	return fake, dir
}

// TestInterruptedDrainGoesOn: Ctrl-C asks for nothing, says that the host goes on and how to take it back, and exits with 1.
func TestInterruptedDrainGoesOn(t *testing.T) {
	fake, dir := draining(t)
	cmd := exec.Command(program, "host", "drain", "b", "--deadline", "1m", "--run-dir", dir)
	var out bytes.Buffer
	cmd.Stdout = &out
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	lines := bufio.NewScanner(said)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "host b drains: 42 connections left, stops in ") {
		t.Fatalf("the command says %q, %v", lines.Text(), lines.Err())
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	rest := ""
	for lines.Scan() {
		rest += lines.Text()
	}
	err = cmd.Wait()
	if cmd.ProcessState.ExitCode() != 1 || out.Len() > 0 || !strings.Contains(rest, "interrupted: it goes on draining and stops at ") || !strings.Contains(rest, "`muster host resume b` takes it back") {
		t.Errorf("%v, %q on standard output, %q on standard error", err, out.String(), rest)
	}
	if calls := fake.Calls(); !slices.Equal(calls, []string{"drain b 1m0s"}) {
		t.Errorf("the agent was told %q: an interrupt asks for nothing", calls)
	}
}

// TestProgress: on a terminal one line that changes, else lines, of which a second has one.
func TestProgress(t *testing.T) {
	var line, log bytes.Buffer
	terminal, pipe := progress{out: &line, terminal: true}, progress{out: &log}
	for _, p := range []*progress{&terminal, &pipe} {
		for _, text := range []string{"3 left", "3 left", "2 left", "1 left"} {
			p.say(text)
		}
		p.last = time.Time{}
		p.say("0 left")
		p.end()
	}
	if want := "\r3 left\x1b[K\r2 left\x1b[K\r1 left\x1b[K\r0 left\x1b[K\n"; line.String() != want {
		t.Errorf("on a terminal %q, want %q", line.String(), want)
	}
	if want := "3 left\n0 left\n"; log.String() != want {
		t.Errorf("else %q, want %q", log.String(), want)
	}
}

// TestOrdersThatDoNotGetThrough: who has not confirmed, or cannot keep it, makes the exit code 1.
func TestOrdersThatDoNotGetThrough(t *testing.T) {
	for _, tc := range []struct {
		name   string
		answer api.OrderAnswer
		code   int
		want   string
	}{
		{"all know", api.OrderAnswer{Have: []string{"a", "b", "c"}}, 0, ""},
		{"one is down", api.OrderAnswer{Have: []string{"a", "b"}, Silent: []string{"c"}}, 0, "not heard: c: told on return"},
		{"one does not confirm", api.OrderAnswer{Have: []string{"a"}, Lacking: []string{"b"}}, 1, "not every host that is heard has confirmed"},
		{"not kept", api.OrderAnswer{Have: []string{"a"}, NotKept: "disk full"}, 1, "cannot keep it over a restart of the whole cluster: disk full"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fake := apitest.New()
			fake.Ordered = tc.answer
			dir, _ := apitest.Serve(t, fake)
			for _, args := range [][]string{{"host", "stop", "b"}, {"rule", "disable", "web:80", "--host", "b"}} {
				if got := muster(t, dir, append(args, "--run-dir", dir)...); got.code != tc.code || !strings.Contains(got.out+got.err, tc.want) {
					t.Errorf("%v: got %+v", args, got)
				}
			}
		})
	}
}

func TestParseRule(t *testing.T) {
	for _, tc := range []struct {
		text string
		want api.RuleOrder
		bad  bool
	}{
		{text: "web:443", want: api.RuleOrder{VIP: "web", Port: 443}},
		{text: "web:rest", want: api.RuleOrder{VIP: "web"}},
		{text: "web:53/udp", want: api.RuleOrder{VIP: "web", Port: 53, UDP: true}},
		{text: "10.77.0.100:80/tcp", want: api.RuleOrder{VIP: "10.77.0.100", Port: 80}},
		{text: "[2001:db8::1]:80", want: api.RuleOrder{VIP: "2001:db8::1", Port: 80}},
		{text: "web", bad: true}, {text: ":80", bad: true}, {text: "web:0", bad: true}, {text: "web:65536", bad: true}, {text: "web:http", bad: true},
		{text: "web:80/sctp", bad: true}, {text: "2001:db8::1:80", bad: true}, {text: "", bad: true},
	} {
		got, err := parseRule(tc.text)
		if got != tc.want || (err != nil) != tc.bad || tc.bad && exitCode(err) != exitUsage {
			t.Errorf("%q is %+v, %v", tc.text, got, err)
		}
	}
}

// TestShellCompletion: the shell is offered what the agent knows.
func TestShellCompletion(t *testing.T) {
	dir, _ := apitest.Serve(t, apitest.New())
	for _, tc := range []struct{ args, want string }{
		{"host drain", "a\nb\nc\nd\n"}, {"rule disable", "dns:53/udp\nedge:80\nweb:80\nweb:8000\nweb:rest\n"}, {"rule drain web:80 --host", "a\nb\nc\nd\n"},
	} {
		args := append([]string{"__complete", "--run-dir", dir}, append(strings.Fields(tc.args), "")...)
		if got := muster(t, dir, args...); !strings.HasPrefix(got.out, tc.want+":") {
			t.Errorf("%s: got %+v", tc.args, got)
		}
	}
}

func TestRefusedOrders(t *testing.T) {
	fake := apitest.New()
	fake.Err = fmt.Errorf("%w host: there is no %q: it is a, b or c", api.ErrUnknown, "z")
	dir, _ := apitest.Serve(t, fake)
	for _, args := range [][]string{{"host", "drain", "z"}, {"host", "resume", "z"}, {"host", "stop", "z"}, {"host", "drain", "z", "--deadline", "1s"}, {"rule", "drain", "z:80"}, {"reload"}, {"key", "rotate", "moon"}, {"stop"}, {"explain", "web", "10.0.0.1"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			got := muster(t, dir, append(args, "--run-dir", dir)...)
			if got.code != 1 || got.out != "" || got.err != "muster: "+fake.Err.Error()+"\n" {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestStop(t *testing.T) {
	fake := apitest.New()
	dir, stop := apitest.Serve(t, fake)
	fake.OnStop = stop
	got := muster(t, dir, "stop", "--deadline", "5s", "--run-dir", dir)
	if got.code != 0 || got.out != "stopped: this host is as it was found\n" {
		t.Errorf("got %+v", got)
	}
	if !slices.Equal(fake.Calls(), []string{"stop 5s"}) {
		t.Errorf("the agent was told %q", fake.Calls())
	}
}

func TestEventsAreFollowedUntilInterrupted(t *testing.T) {
	fake := apitest.New()
	fake.Events.Add(api.Event{Kind: "host_heard", Text: "one"})
	dir, _ := apitest.Serve(t, fake)
	cmd := exec.Command(program, "events", "-f", "--json", "--run-dir", dir)
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	line := make([]byte, 4096)
	n, err := out.Read(line)
	if err != nil || !strings.Contains(string(line[:n]), `"text":"one"`) || strings.Count(string(line[:n]), "\n") != 1 {
		t.Fatalf("got %q, %v", line[:n], err)
	}
	fake.Events.Add(api.Event{Text: "two"})
	if n, err = out.Read(line); err != nil || !strings.Contains(string(line[:n]), `"text":"two"`) {
		t.Fatalf("got %q, %v", line[:n], err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("ended with %v: %s", err, errOut.String())
	}
}
