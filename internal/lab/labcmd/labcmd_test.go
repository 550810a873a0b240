package labcmd_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/internal/lab/labcmd"
	"github.com/muster-ha/muster/internal/lab/standin"
)

const asMuster = "LABCMD_TEST_AS_MUSTER"

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

// muster runs a command as a user does, in a process of its own.
func muster(args ...string) (string, error) {
	out, err := exec.Command(os.Args[0], args...).CombinedOutput()
	return string(out), err
}

func must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := muster(args...)
	if err != nil {
		t.Fatalf("muster %v: %v\n%s", args, err, out)
	}
	return out
}

func TestALabOutlivesTheCommandThatMadeIt(t *testing.T) {
	const name = "cmdtest"
	t.Cleanup(func() {
		if l, err := lab.Open(name); err == nil {
			t.Error("the lab is still there")
			l.Down()
		}
	})
	if out := must(t, "lab", "--lab", name, "up", "--hosts", "2"); !strings.Contains(out, "Lab cmdtest is running") {
		t.Errorf("it does not say how to go on: %s", out)
	}
	if out := must(t, "lab", "list"); !strings.Contains(out, name+"\n") {
		t.Errorf("the list is %q", out)
	}
	do := func(args ...string) string {
		t.Helper()
		return must(t, append([]string{"lab", "--lab", name}, args...)...)
	}
	if out := do("exec", "a", "--", "muster", "status", "--json"); !strings.Contains(out, `"epoch":`) {
		t.Errorf("status is %q", out)
	}
	out := do("exec", "c1", "--", "muster", "lab", "load", "http", "--rate", "100", "--duration", "500ms", "--table")
	if !regexp.MustCompile(`(?m)^ *load +(4[5-9]|5[0-2]) +0 `).MatchString(out) {
		t.Errorf("the load saw\n%s", out)
	}
	for _, fault := range [][]string{{"b", "freeze"}, {"b", "thaw"}, {"b", "unplug"}, {"b", "plug"}, {"b", "loss", "20"}, {"b", "loss-all", "0"},
		{"b", "kill"}, {"b", "start"}, {"b", "cut"}, {"b", "restore"}, {"-", "partition", "a/b"}, {"-", "divide", "a/b"}, {"-", "heal"}} {
		do(append([]string{"fault"}, fault...)...)
	}
	for _, wrong := range [][]string{{"z", "cut"}, {"b", "tickle"}, {"b", "loss", "much"}, {"b", "restore"}, {"-", "partition", "a/z"}} {
		if out, err := muster(append([]string{"lab", "--lab", name, "fault"}, wrong...)...); err == nil {
			t.Errorf("fault %v worked: %s", wrong, out)
		}
	}
	if out, err := muster("lab", "--lab", name, "up"); err == nil || !strings.Contains(out, "exists already") {
		t.Errorf("a second lab of the name: %v, %s", err, out)
	}
	do("down")
	if out, err := muster("lab", "--lab", name, "down"); err == nil || !strings.Contains(out, "no such lab") {
		t.Errorf("down of nothing: %v, %s", err, out)
	}
}

func TestUpCleansUpWhenItsAgentsDoNotStart(t *testing.T) {
	file := t.TempDir() + "/template"
	if err := os.WriteFile(file, []byte("nothing that an agent can use\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := muster("lab", "--lab", "hopeless", "up", "--template", file)
	if err == nil || !strings.Contains(out, "no VIP or no hosts in the configuration") {
		t.Errorf("it does not show why the agent ended: %v, %s", err, out)
	}
	if _, err := lab.Open("hopeless"); err == nil {
		t.Error("the lab is still there")
	}
	if out, err := muster("lab", "up", "--template", "/nowhere"); err == nil || !strings.Contains(out, "read template") {
		t.Errorf("a template that is not there: %v, %s", err, out)
	}
}

func TestLoadWantsATarget(t *testing.T) {
	for _, args := range [][]string{{"http", "--target", "here"}, {"echo", "--target", "10.0.0.1"}, {"http", "--rate", "0"}} {
		if out, err := muster(append([]string{"lab", "load"}, args...)...); err == nil {
			t.Errorf("load %v worked: %s", args, out)
		}
	}
}
