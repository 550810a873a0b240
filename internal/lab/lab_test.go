package lab_test

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/lab"
)

func TestUpMakesTheMachinesAndDownRemovesThem(t *testing.T) {
	l := up(t, lab.Options{Hosts: 2, Clients: 1})
	for _, name := range []string{"sw", "a", "b", "c1"} {
		if _, err := os.Stat("/run/netns/" + l.Name() + "-" + name); err != nil {
			t.Error(err)
		}
	}
	if l.Host("c1") != nil || l.Host("z") != nil || l.Client(2) != nil {
		t.Error("found a host or client that is not there")
	}
	if got := l.Client(1).Address().String(); got != "10.77.0.201" {
		t.Errorf("c1 has address %s", got)
	}
	if links := labLinks(t); len(links) > 0 {
		t.Errorf("the machine's own namespace has %v", links)
	}
	if err := l.Down(); err != nil {
		t.Fatal(err)
	}
	if err := l.Down(); err != nil {
		t.Errorf("second Down: %v", err)
	}
}

// failingContext ends at the n-th look at it.
type failingContext struct {
	context.Context
	looks int
}

func (c *failingContext) Err() error {
	if c.looks--; c.looks < 0 {
		return context.Canceled
	}
	return nil
}

func TestUpLeavesNothingWhenItFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lab")
	ok := lab.Options{Name: "failing", Hosts: 3, Clients: 1, Dir: dir, Binary: os.Args[0]}
	tests := []struct {
		name  string
		looks int
		alter func(*lab.Options)
		want  string
	}{
		{"the context ends half way", 2, func(*lab.Options) {}, "build c: context canceled"},
		{"the binary is missing", 99, func(o *lab.Options) { o.Binary = "/nowhere/muster" }, "find muster"},
		{"the binary fails", 99, func(o *lab.Options) { o.Binary = "/bin/false" }, "make secret"},
		{"the template is broken", 99, func(o *lab.Options) { o.Config = "{{.Nothing}}" }, "fill in configuration"},
		{"no hosts", 99, func(o *lab.Options) { o.Hosts = 0 }, "0 hosts"},
		{"too many hosts", 99, func(o *lab.Options) { o.Hosts = 33 }, "33 hosts"},
		{"too many clients", 99, func(o *lab.Options) { o.Clients = 51 }, "51 clients"},
		{"a name that is none", 99, func(o *lab.Options) { o.Name = "../x" }, "lab name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := ok
			tt.alter(&o)
			l, err := lab.Up(&failingContext{t.Context(), tt.looks}, o)
			if err == nil {
				l.Down()
				t.Fatal("it worked")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %q, without %q", err, tt.want)
			}
			for _, left := range leftovers(t, "failing", filepath.Join(dir, "run")) {
				t.Errorf("left behind: %s", left)
			}
			if files, _ := filepath.Glob(dir + "/*"); len(files) > 0 {
				t.Errorf("left behind: %v", files)
			}
		})
	}
}

func TestUpDoesNotTakeWhatIsAnothers(t *testing.T) {
	l := up(t, lab.Options{Hosts: 1})
	again, err := lab.Up(t.Context(), lab.Options{Name: l.Name(), Hosts: 1})
	if !errors.Is(err, lab.ErrExists) {
		t.Errorf("a second lab of the name: %v, %v", again, err)
	}
	foreign := "/run/netns/foreign-b"
	if err := os.WriteFile(foreign, nil, 0o444); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(foreign)
	if _, err := lab.Up(t.Context(), lab.Options{Name: "foreign", Hosts: 2}); err == nil {
		t.Error("took over a namespace that somebody else had made")
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Errorf("removed a namespace that somebody else had made: %v", err)
	}
}

func TestOpenOfNoLab(t *testing.T) {
	for _, name := range []string{"nosuchlab", "../../etc/passwd"} {
		if _, err := lab.Open(name); err == nil {
			t.Errorf("opened %q", name)
		}
	}
}

func TestDownUnmountsWhatAgentsMounted(t *testing.T) {
	l := up(t, lab.Options{Hosts: 1})
	at := filepath.Join(l.Host("a").RunDir(), "bpf")
	if err := os.Mkdir(at, 0o755); err != nil {
		t.Fatal(err)
	}
	for range 2 { // one on top of the other
		if err := unix.Mount("bpffs", at, "bpf", 0, ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Down(); err != nil {
		t.Fatal(err)
	}
}

// orphan is a lab whose process was killed, and its directory. An agent runs in it until then.
func orphan(t *testing.T, name string) (l *lab.Lab, dir string) {
	t.Helper()
	owner := exec.Command(os.Args[0])
	owner.Env = append(os.Environ(), asOwner+"="+name)
	owner.Stderr = os.Stderr
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the owner did not build its lab: %v", err)
	}
	if l, err = lab.Open(name); err != nil {
		t.Fatal(err)
	}
	agent, err := l.Host("a").Agent()
	if err != nil || !agent.Running() {
		t.Fatalf("the agent does not run: %v", err)
	}
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = owner.Wait() // it was killed
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := agent.Wait(ctx); err != nil {
		t.Errorf("the agent outlives the process that started it: %v", err)
	}
	return l, strings.TrimSpace(line)
}

func TestOpenedLabCanBeTakenDownAfterItsOwnerWasKilled(t *testing.T) {
	const name = "orphan"
	l, dir := orphan(t, name)
	if err := l.Down(); err != nil {
		t.Fatal(err)
	}
	for _, left := range leftovers(t, name, dir) {
		t.Errorf("left behind: %s", left)
	}
}

func TestUpRemovesTheLabsOfKilledProcesses(t *testing.T) {
	const name = "orphan2"
	l, dir := orphan(t, name)
	l.Close()
	living := up(t, lab.Options{Hosts: 1})
	up(t, lab.Options{Hosts: 1})
	for _, left := range leftovers(t, name, dir) {
		t.Errorf("left behind: %s", left)
	}
	if _, err := lab.Open(living.Name()); err != nil {
		t.Errorf("a lab of a process that lives was removed: %v", err)
	}
}

func TestWaitReadyAgreesOnAnEpochAndShowsTheLogWhenItCannot(t *testing.T) {
	l := up(t, lab.Options{Hosts: 3})
	if err := l.StartAll(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	epoch, err := l.WaitReady(ctx)
	if err != nil || epoch == 0 {
		t.Fatalf("epoch %d, %v", epoch, err)
	}
	if err := l.Host("b").Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(l.Host("b").LogPath("agent"), []byte("cannot find my glasses\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(l.Host("b").RunDir()); err != nil {
		t.Fatal(err)
	}
	if _, err := l.WaitReady(ctx, "a", "c"); err != nil {
		t.Errorf("the other two: %v", err)
	}
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err = l.WaitReady(short, "b"); err == nil || !strings.Contains(err.Error(), "cannot find my glasses") {
		t.Errorf("the error does not show the log: %v", err)
	}
}
