package demo_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/internal/lab/demo"
	"github.com/muster-ha/muster/internal/lab/labcmd"
	"github.com/muster-ha/muster/internal/lab/standin"
)

const asMuster = "DEMO_TEST_AS_MUSTER"

func TestMain(m *testing.M) {
	if os.Getenv(asMuster) != "" {
		root := standin.New()
		root.AddCommand(labcmd.New(), labcmd.NewDemo())
		if root.Execute() != nil {
			os.Exit(1)
		}
		return
	}
	os.Setenv(asMuster, "1")
	os.Exit(m.Run())
}

// screen gathers what is shown and tells when a text was.
type screen struct {
	mu    sync.Mutex
	text  bytes.Buffer
	want  string
	found func()
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.text.Write(p)
	if s.found != nil && strings.Contains(s.text.String(), s.want) {
		s.found()
		s.found = nil
	}
	return n, err
}

// mustBeGone checks that nothing of a lab is left.
func mustBeGone(t *testing.T, name string) {
	t.Helper()
	if l, err := lab.Open(name); err == nil {
		t.Errorf("lab %s is still there", name)
		l.Down()
	}
	for _, pattern := range []string{"/run/netns/" + name + "-*", os.TempDir() + "/muster-lab-" + name + "-*"} {
		if left, err := filepath.Glob(pattern); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
}

func TestRunShowsEveryEventAndLeavesNothing(t *testing.T) {
	var out screen
	if err := demo.Run(t.Context(), demo.Options{Name: "demoall", Binary: os.Args[0], Out: &out, Pace: 0.4}); err != nil {
		t.Fatalf("%v\n%s", err, out.text.String())
	}
	text := out.text.String()
	_, table, _ := strings.Cut(text, "What the clients saw:")
	for _, event := range []string{"all well", "power cut of b", "b comes back", "drain of c", "c resumes", "kill -9 of a's agent", "a's agent starts again"} {
		if !regexp.MustCompile(`(?m)^ *` + event + `  +[1-9]\d+ `).MatchString(table) {
			t.Errorf("the table has no requests for %q", event)
		}
	}
	if !regexp.MustCompile(`  +\d+/s  a #+\.* `).MatchString(text) {
		t.Error("the split is not shown")
	}
	if !strings.Contains(text, "Wrong bytes: on 0.") {
		t.Error("no word about wrong bytes")
	}
	if t.Failed() {
		t.Log(text)
	}
	mustBeGone(t, "demoall")
}

func TestRunCleansUpWhenInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &screen{want: "Power cut", found: cancel}
	err := demo.Run(ctx, demo.Options{Name: "democut", Binary: os.Args[0], Out: out})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v\n%s", err, out.text.String())
	}
	mustBeGone(t, "democut")
}

func TestRunWithStayLeavesItRunningAndSaysHowToLook(t *testing.T) {
	var out screen
	if err := demo.Run(t.Context(), demo.Options{Name: "demostay", Binary: os.Args[0], Out: &out, Stay: true, Pace: 0.1}); err != nil {
		t.Fatalf("%v\n%s", err, out.text.String())
	}
	m := regexp.MustCompile(`Lab (\w+) is running`).FindStringSubmatch(out.text.String())
	if m == nil {
		t.Fatalf("it does not say how to look at it:\n%s", out.text.String())
	}
	l, err := lab.Open(m[1])
	if err != nil {
		t.Fatal(err)
	}
	if epoch, err := l.Host("b").Epoch(t.Context()); err != nil || epoch == 0 {
		t.Errorf("b is in view %d, %v", epoch, err)
	}
	if err := l.Down(); err != nil {
		t.Error(err)
	}
	mustBeGone(t, "demostay")
}
