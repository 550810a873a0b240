package agent_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/lab"
)

func TestStopPutsTheHostBackAsItWas(t *testing.T) {
	l := machines(t, lab.Options{Hosts: 3, Clients: 1})
	if err := l.StartWeb(); err != nil {
		t.Fatal(err)
	}
	h := l.Host("b")
	before := footprint(t, l, h)
	if err := l.StartAll(); err != nil {
		t.Fatal(err)
	}
	for _, way := range []struct {
		name string
		stop func(t *testing.T)
	}{
		{"muster stop", func(t *testing.T) { muster(t, h, "stop", "--deadline", "1s") }},
		{"SIGTERM", func(t *testing.T) { stop(t, h) }},
		{"kill -9, then muster stop", func(t *testing.T) { kill(t, h); muster(t, h, "stop") }},
		{"kill -9, start, then muster stop", func(t *testing.T) {
			kill(t, h)
			start(t, l, "b")
			muster(t, h, "stop", "--deadline", "1s")
		}},
	} {
		t.Run(way.name, func(t *testing.T) {
			if agent, err := h.Agent(); err != nil || !agent.Running() {
				start(t, l, "b")
			}
			ready(t, l)
			loaded := kernelObjects(t, h)
			if n := len(agents(t, h)); n != 2 {
				t.Fatalf("%d processes are seen, want an agent and a guard", n)
			}
			if same := footprint(t, l, h); same == before {
				t.Fatal("a running agent leaves no trace in what is compared: the test sees nothing")
			}
			way.stop(t)
			mustBeGone(t, l, h, loaded)
			if after := footprint(t, l, h); after != before {
				t.Errorf("before:\n%s\nafter:\n%s", before, after)
			}
			refusesSecondStop(t, h)
			members(t, l.Host("a"), "a", "c")
		})
	}
}

// refusesSecondStop wants to hear that there is nothing to stop.
func refusesSecondStop(t *testing.T, h *lab.Host) {
	t.Helper()
	_, err := h.Muster(t.Context(), "stop")
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(err.Error(), "no agent answers") {
		t.Errorf("second stop: %v, want exit code 1 and that no agent answers", err)
	}
}

// mustBeGone wants processes, programs and maps of an agent to end. The kernel frees programs a moment after the last user.
func mustBeGone(t *testing.T, l *lab.Lab, h *lab.Host, loaded objects) {
	t.Helper()
	eventually(t, patience, "programs and maps freed", loaded.freed)
	eventually(t, patience, "guard and agent ended", func() error {
		if left := agents(t, h); len(left) > 0 {
			return fmt.Errorf("processes %v run", left)
		}
		return nil
	})
	if left, err := os.ReadDir(h.RunDir()); err != nil || len(left) > 0 {
		t.Errorf("left in the run directory: %v, %v", left, err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), " "+l.Dir()+"/run/"+h.Name()) {
		t.Error("a mount is left below the run directory")
	}
}

// agents lists the processes of a host's agent: itself and its guard.
func agents(t *testing.T, h *lab.Host) []int {
	t.Helper()
	var space unix.Stat_t
	if err := unix.Stat("/run/netns/"+h.Namespace(), &space); err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []int
	for _, path := range paths {
		text, err := os.ReadFile(path)
		words := strings.Split(string(text), "\x00")
		var its unix.Stat_t
		if err != nil || len(words) < 2 || words[1] != "run" && words[1] != "guard" ||
			unix.Stat(filepath.Dir(path)+"/ns/net", &its) != nil || its.Ino != space.Ino {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, pid)
	}
	return found
}

// objects are programs and maps of a host's filter.
type objects struct {
	programs []ebpf.ProgramID
	maps     []ebpf.MapID
}

func kernelObjects(t *testing.T, h *lab.Host) objects {
	t.Helper()
	var found objects
	for _, attach := range []ebpf.AttachType{ebpf.AttachTCXIngress, ebpf.AttachTCXEgress} {
		for _, id := range attached(t, h, attach) {
			found.programs = append(found.programs, id)
			p, err := ebpf.NewProgramFromID(id)
			if err != nil {
				t.Fatal(err)
			}
			info, err := p.Info()
			p.Close()
			if err != nil {
				t.Fatal(err)
			}
			ids, _ := info.MapIDs()
			found.maps = append(found.maps, ids...)
		}
	}
	if len(found.programs) != 2 || len(found.maps) == 0 {
		t.Fatalf("found %+v, want the filter's two programs and their maps", found)
	}
	return found
}

func (o objects) freed() error {
	for _, id := range o.programs {
		p, err := ebpf.NewProgramFromID(id)
		if !errors.Is(err, fs.ErrNotExist) {
			p.Close()
			return fmt.Errorf("program %d is loaded: %v", id, err)
		}
	}
	for _, id := range o.maps {
		m, err := ebpf.NewMapFromID(id)
		if !errors.Is(err, fs.ErrNotExist) {
			m.Close()
			return fmt.Errorf("map %d is loaded: %v", id, err)
		}
	}
	return nil
}

func TestStopOfAnAgentThatIsLeavingAlready(t *testing.T) {
	l := farm(t, "")
	conns := echoes(t, l, 50)
	c := l.Host("c")
	agent, err := c.Agent()
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, patience, "c leaves", func() error {
		s, err := ask(c)
		if err == nil && s.State != "leaving" {
			return fmt.Errorf("it is %q", s.State)
		}
		return err
	})
	began := time.Now()
	muster(t, c, "stop", "--deadline", "0s")
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("stop with a deadline of 0 s took %v: it waited for the first one's", took)
	}
	conns.stop(t)
}
