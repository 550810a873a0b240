package system

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

const ignore = "sysctl net/ipv4/conf/eth0/arp_ignore"

// drifting gives a journal of everything on a fake host, and its log.
func drifting(t *testing.T) (*fakeHost, *Journal, *bytes.Buffer) {
	t.Helper()
	host, log := newHost(), &bytes.Buffer{}
	j, err := open(memoryDir(t), slog.New(slog.NewTextHandler(log, nil)), host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	if err := everything(j); err != nil {
		t.Fatal(err)
	}
	if d := j.Verify(); len(d) != 0 {
		t.Fatalf("drift from the start: %v", d)
	}
	return host, j, log
}

func TestRestorePutsBackWhatWasTaken(t *testing.T) {
	for _, what := range []string{"address 10.77.0.100/32 on lo", ignore, "mount bpf"} {
		t.Run(what, func(t *testing.T) {
			host, j, log := drifting(t)
			want := host.states[what]
			delete(host.states, what)
			if d := j.Verify(); len(d) != 1 || d[0].What != what || d[0].Expected != want || d[0].Found == want {
				t.Errorf("verify: %+v", d)
			}
			if host.states[what] == want {
				t.Error("Verify changed the host")
			}
			if d := j.Restore(); len(d) != 1 || d[0].What != what || d[0].Err != nil || d[0].Times != 1 {
				t.Errorf("restore: %+v", d)
			}
			if host.states[what] != want || len(j.Verify()) != 0 {
				t.Errorf("is %q, want %q", host.states[what], want)
			}
			if d := j.Restore(); len(d) != 0 {
				t.Errorf("told again: %+v", d)
			}
			if !strings.Contains(log.String(), what) {
				t.Errorf("not logged: %s", log)
			}
		})
	}
}

func TestRestoreLeavesFilesToTheirOwners(t *testing.T) {
	host, j, _ := drifting(t)
	delete(host.states, "pins bpf/filter")
	delete(host.states, "file control.sock")
	if d := j.Restore(); len(d) != 0 {
		t.Errorf("restored %+v", d)
	}
}

func TestWhatCannotBeMendedIsToldOnce(t *testing.T) {
	host, j, log := drifting(t)
	host.refuse[ignore] = true
	delete(host.states, ignore)
	if d := j.Restore(); len(d) != 1 || d[0].Err == nil {
		t.Fatalf("first: %+v", d)
	}
	for range 10 {
		if d := j.Restore(); len(d) != 0 {
			t.Fatalf("told again: %+v", d)
		}
	}
	if n := strings.Count(log.String(), "cannot put back"); n != 1 {
		t.Errorf("logged %d times", n)
	}
	host.refuse[ignore] = false
	if d := j.Restore(); len(d) != 1 || d[0].Err != nil || d[0].Times != 1 {
		t.Errorf("when it became possible: %+v, want the end of the first time told", d)
	}
	if len(j.Verify()) != 0 {
		t.Error("not mended when it became possible")
	}
	delete(host.states, ignore)
	if d := j.Restore(); len(d) != 1 || d[0].Times != 2 {
		t.Errorf("after it was good again: %+v", d)
	}
}

func TestMendedByOthersIsNewsWhenItBreaksAgain(t *testing.T) {
	host, j, _ := drifting(t)
	host.refuse[ignore] = true
	delete(host.states, ignore)
	j.Restore()
	host.states[ignore] = "1"
	j.Restore()
	delete(host.states, ignore)
	if d := j.Restore(); len(d) != 1 {
		t.Errorf("told %+v", d)
	}
}

func TestAVanishedInterfaceIsAnErrorNotAPanic(t *testing.T) {
	host, j, _ := drifting(t)
	host.gone = "eth0"
	d := j.Restore()
	if len(d) != 4 || d[0].Found != Gone || d[0].Err == nil {
		t.Errorf("told %+v", d)
	}
	if err := j.Undo(); err != nil {
		t.Errorf("undo without the interface: %v", err)
	}
}

func TestAFightFillsNoLog(t *testing.T) {
	host, j, log := drifting(t)
	const rounds = 1000
	for range rounds {
		delete(host.states, ignore)
		if d := j.Restore(); len(d) != 1 {
			t.Fatalf("told %+v", d)
		}
	}
	if n := strings.Count(log.String(), "put back"); n < 5 || n > 10 {
		t.Errorf("%d lines for %d rounds", n, rounds)
	}
}
