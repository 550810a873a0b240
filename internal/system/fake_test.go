package system

import (
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
)

var (
	errDied = errors.New("power cut")
	errBusy = errors.New("device busy")
)

// fakeHost is a kernel in memory. It can die before or after its n-th change: every call from then on panics, as if the agent's
// process were gone; revive gives it to the next process.
type fakeHost struct {
	here    Place
	old     bool // the place in the journal still exists
	states  map[string]string
	gone    string // an interface that is not there
	refuse  map[string]bool
	sets    int
	dieAt   int  // 0: never
	after   bool // die after the change, not before
	history []string
}

func newHost() *fakeHost {
	return &fakeHost{here: Place{Boot: "b1", Cookie: 7, Inode: 100}, states: map[string]string{}, refuse: map[string]bool{}}
}

func (f *fakeHost) place() (Place, error) { return f.here, nil }
func (f *fakeHost) alive(Place) bool      { return f.old }

func (f *fakeHost) look(_ string, c Change) (string, error) {
	if f.gone != "" && (c.Link == f.gone || strings.Contains(c.Sysctl, "/"+f.gone+"/")) {
		return Gone, nil
	}
	if s, ok := f.states[c.What()]; ok {
		return s, nil
	}
	if c.Kind == KindSysctl {
		return "0", nil
	}
	return Absent, nil
}

func (f *fakeHost) set(_ string, c Change, state string) error {
	f.sets++
	dies := f.dieAt != 0 && f.sets >= f.dieAt
	if dies && !f.after {
		panic(errDied)
	}
	if f.refuse[c.What()] {
		return errBusy
	}
	f.put(c.What(), state)
	if dies {
		panic(errDied)
	}
	return nil
}

// put leaves out what a fresh host would say anyway, so that states can be compared.
func (f *fakeHost) put(what, state string) {
	f.history = append(f.history, what+"="+state)
	f.states[what] = state
	if state == Absent || strings.HasPrefix(what, "sysctl ") && state == "0" {
		delete(f.states, what)
	}
}

func (f *fakeHost) revive() { f.dieAt, f.sets = 0, 0 }

// process runs f as a process of its own on the host: it opens the journal, and may die. It says whether it lived.
func (f *fakeHost) process(t testing.TB, dir string, work func(j *Journal)) (lived bool) {
	t.Helper()
	j, err := open(dir, slog.New(slog.DiscardHandler), f)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if r := recover(); r != nil && r != any(errDied) {
			panic(r)
		}
		if err := j.dirLock.Close(); err != nil { // what the kernel does for the dead
			t.Fatal(err)
		}
	}()
	work(j)
	return true
}

// memoryDir is a directory in memory where there is one: thousands of fsyncs on a disk take minutes.
func memoryDir(t testing.TB) string {
	t.Helper()
	parent := "/dev/shm"
	if _, err := os.Stat(parent); err != nil {
		parent = ""
	}
	dir, err := os.MkdirTemp(parent, "muster-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
