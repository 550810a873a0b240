package house

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/lab"
)

const (
	labPage = "docs/lab.md"
	labTest = "internal/house/lab_test.go"
)

// The page shows this function word for word.

func TestAPowerCutMakesANewView(t *testing.T) {
	l := up(t, lab.Options{Hosts: 3, Clients: 1, Binary: build(t)})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	before := ready(ctx, t, l)
	cut, err := l.Host("b").PowerCut()
	if err != nil {
		t.Fatal(err)
	}
	after := before
	for after == before { // the two that are left have not missed it yet
		after = ready(ctx, t, l, "a", "c")
	}
	t.Logf("view %d instead of %d, %v after the power cut", after, before, time.Since(cut))
}

// up builds a lab for the time of the test, with everything running.
func up(t *testing.T, o lab.Options) *lab.Lab {
	t.Helper()
	l, err := lab.Up(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Down(); err != nil {
			t.Error(err)
		}
	})
	if err := l.StartWeb(); err != nil {
		t.Fatal(err)
	}
	if err := l.StartAll(); err != nil {
		t.Fatal(err)
	}
	return l
}

// ready waits until these hosts serve, or all of them, and returns the number of their view.
func ready(ctx context.Context, t *testing.T, l *lab.Lab, hosts ...string) uint64 {
	t.Helper()
	epoch, err := l.WaitReady(ctx, hosts...)
	if err != nil {
		t.Fatal(err)
	}
	return epoch
}

func TestTheLabPageShowsCodeThatRuns(t *testing.T) {
	source := read(t, labTest)
	for _, b := range blocksOf(t, labPage, "go") {
		if !strings.Contains(source, "\n"+b.text) {
			t.Errorf("%s:%d: the example is not in %s word for word", labPage, b.line, labTest)
		}
	}
}

// TestTheLabPagesCommands types what the page shows.
func TestTheLabPagesCommands(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(build(t), filepath.Join(dir, "bin/muster")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // only a failure leaves it
		if l, err := lab.Open("play"); err == nil && t.Failed() {
			if err := l.Down(); err != nil {
				t.Error(err)
			}
		}
	})
	lines := blocksOf(t, labPage, "sh")[0].lines()
	if len(lines) < 5 {
		t.Fatalf("the page has the commands %q", lines)
	}
	for _, line := range lines {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "sh", "-c", line)
		cmd.Dir = dir
		cmd.WaitDelay = time.Second // agents of the lab may have inherited the pipe
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
		t.Logf("$ %s\n%s", line, out)
	}
	if _, err := lab.Open("play"); err == nil {
		t.Error("the lab is still there")
	}
}
