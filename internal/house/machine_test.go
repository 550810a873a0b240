package house

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/lab"
)

// asMachine as first argument makes the test's own program a shell on a machine of the lab.
const asMachine = "as-a-machine"

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == asMachine {
		fmt.Fprintln(os.Stderr, enterMachine(os.Args[2], os.Args[3]))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// disk is where the directories of a machine are that differ from those of the real one.
var disk = map[string]string{"etc": "/etc", "run": "/run", "lib": "/var/lib", "bin": "/usr/local/bin"}

// unitMark in a machine's root directory says that its processes get what the systemd unit gives, and no more.
const unitMark = "as-the-unit"

// enterMachine puts the machine's directories in the place of the real ones, for this process alone, and becomes the command. It
// returns when that fails.
func enterMachine(dir, command string) error {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("make mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	environment := []string{"PATH=/usr/local/bin:/usr/bin:/bin"}
	if unitText, err := os.ReadFile(filepath.Join(dir, unitMark)); err == nil {
		environment = append(environment, "NOTIFY_SOCKET=/run/notify")
		if err := restrict(parseUnit(string(unitText))); err != nil {
			return err
		}
	}
	for name, path := range disk {
		if err := unix.Mount(filepath.Join(dir, name), path, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount %s: %w", path, err)
		}
	}
	return unix.Exec("/bin/sh", []string{"sh", "-c", command}, environment)
}

// restrict drops every capability that the unit does not list.
func restrict(u unit) error {
	keep := map[uintptr]bool{}
	for _, list := range u["CapabilityBoundingSet"] {
		for _, name := range strings.Fields(list) {
			keep[capabilities[name]] = true
		}
	}
	for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
		if keep[c] {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil {
			return fmt.Errorf("drop capability %d: %w", c, err)
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no new privileges: %w", err)
	}
	return nil
}

// machine is a host of the lab with its own /etc, /run, /var/lib and /usr/local/bin.
type machine struct {
	*lab.Host
	dir string
}

// install makes the machine's directories, with the program where the README and the unit expect it.
func install(t *testing.T, h *lab.Host, under, program string) machine {
	t.Helper()
	m := machine{h, filepath.Join(under, h.Name())}
	for name := range disk {
		if err := os.MkdirAll(filepath.Join(m.dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(program, filepath.Join(m.dir, "bin", "muster")); err != nil {
		t.Fatal(err)
	}
	return m
}

// path is where a file of the machine is on the real one.
func (m machine) path(t *testing.T, name string) string {
	t.Helper()
	for short, path := range disk {
		if rest, ok := strings.CutPrefix(name, path+"/"); ok {
			return filepath.Join(m.dir, short, rest)
		}
	}
	t.Fatalf("%s is on no disk of the machine", name)
	return ""
}

// write puts a file on the machine.
func (m machine) write(t *testing.T, name string, text []byte) {
	t.Helper()
	path := m.path(t, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// shell runs a command line on the machine and returns its output.
func (m machine) shell(ctx context.Context, command string) (string, error) {
	out, err := m.Exec(ctx, os.Args[0], asMachine, m.dir, command).CombinedOutput()
	return string(out), err
}

// service leaves a command line running on the machine.
func (m machine) service(command string) (*lab.Process, error) {
	return m.Spawn("agent", os.Args[0], asMachine, m.dir, "exec "+command)
}

// longVersion is as git describe may give it, longer than what heartbeats carry.
const longVersion = "v12.34.56-rc.7-1234-g0123456789abcdef-dirty"

// build compiles the program as the Makefile does.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "muster")
	cmd := exec.Command("go", "build", "-ldflags", "-X main.version="+longVersion, "-o", program, "./cmd/muster")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}
