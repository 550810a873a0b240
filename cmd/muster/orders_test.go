package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/api/apitest"
)

// drained is the sample with what host b still holds.
func drained(holds *int, state api.State) api.Status {
	s := apitest.Sample()
	s.Hosts[1].Holds, s.Hosts[1].State = holds, state
	return s
}

func TestDrainWithADeadline(t *testing.T) {
	tests := []struct {
		name  string
		after api.Status // the drain
		host  string
		code  int
		want  string
	}{
		{"empty", drained(new(0), api.StateDrained), "b", 0, "host b is drained: no connection is left"},
		{"connections left", drained(new(31), api.StateDrained), "b", 1, "still has connections in 31 buckets; it stays drained"},
		{"not said", drained(nil, api.StateDrained), "b", 1, "has not said what it still has"},
		{"not drained yet", drained(new(0), api.StateServing), "b", 1, "host b is serving"},
		{"not there", drained(new(0), api.StateDrained), "z", 1, "host z is not in the agent's configuration"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fake := apitest.New()
			fake.AfterOrders = tt.after
			dir, _ := apitest.Serve(t, fake)
			got := muster(t, dir, "host", "drain", tt.host, "--deadline", "300ms", "--run-dir", dir)
			if got.code != tt.code || !strings.Contains(got.out+got.err, tt.want) {
				t.Errorf("got %+v", got)
			}
			if want := []string{"drain " + tt.host + " 300ms"}; !slices.Equal(fake.Calls(), want) {
				t.Errorf("the agent was told %q", fake.Calls())
			}
		})
	}
}

func TestRefusedOrders(t *testing.T) {
	fake := apitest.New()
	fake.Err = fmt.Errorf("%w host: there is no %q: it is a, b or c", api.ErrUnknown, "z")
	dir, _ := apitest.Serve(t, fake)
	for _, args := range [][]string{{"host", "drain", "z"}, {"host", "resume", "z"}, {"reload"}, {"key", "rotate", "moon"}, {"stop"}, {"explain", "web", "10.0.0.1"}} {
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
