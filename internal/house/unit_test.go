package house

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const unitFile = "packaging/muster.service"

// unit is a systemd unit: the values of a key in the order of the file.
type unit map[string][]string

func parseUnit(text string) unit {
	u := unit{}
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && !strings.HasPrefix(key, "#") {
			u[key] = append(u[key], value)
		}
	}
	return u
}

// one is the value of a key that the unit must have once.
func (u unit) one(t *testing.T, key string) string {
	t.Helper()
	if len(u[key]) != 1 {
		t.Fatalf("%s: %s is %q, want one", unitFile, key, u[key])
	}
	return u[key][0]
}

// capabilities are those that a unit may name, as far as ours does.
var capabilities = map[string]uintptr{
	"CAP_NET_ADMIN": unix.CAP_NET_ADMIN, "CAP_NET_RAW": unix.CAP_NET_RAW,
	"CAP_SYS_ADMIN": unix.CAP_SYS_ADMIN, "CAP_SYS_NICE": unix.CAP_SYS_NICE, "CAP_DAC_READ_SEARCH": unix.CAP_DAC_READ_SEARCH,
}

// ownMounts are directives that make systemd start the unit in a mount namespace of its own.
var ownMounts = []string{"ProtectSystem", "ProtectHome", "ProtectKernelTunables", "ProtectKernelModules", "ProtectKernelLogs", "ProtectControlGroups",
	"ProtectProc", "ProcSubset", "PrivateTmp", "PrivateDevices", "PrivateMounts", "PrivateUsers", "PrivateIPC", "MountFlags", "MountAPIVFS",
	"ReadOnlyPaths", "ReadWritePaths", "InaccessiblePaths", "ExecPaths", "NoExecPaths", "TemporaryFileSystem", "BindPaths", "BindReadOnlyPaths",
	"RootDirectory", "RootImage", "DynamicUser", "LogNamespace"}

func TestTheUnitLeavesTheFilterToTheKernel(t *testing.T) {
	u := parseUnit(read(t, unitFile))
	for _, key := range ownMounts {
		if _, ok := u[key]; ok {
			t.Errorf("%s: %s gives the agent its own mount namespace: the pinned filter would end with a killed agent", unitFile, key)
		}
	}
	if mode := u.one(t, "KillMode"); mode != "process" {
		t.Errorf("%s: KillMode is %s: the guard would be killed with the agent", unitFile, mode)
	}
	for _, name := range strings.Fields(u.one(t, "CapabilityBoundingSet")) {
		if _, ok := capabilities[name]; !ok {
			t.Errorf("%s: %s: the test that starts a host with the unit's capabilities does not know it", unitFile, name)
		}
	}
}

// TestTheUnitIsGoodForSystemd asks systemd itself. The program is put in the place of the installed one, which the machine need
// not have.
func TestTheUnitIsGoodForSystemd(t *testing.T) {
	verify := func(text string) (string, error) {
		path := filepath.Join(t.TempDir(), "muster.service")
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "/usr/local/bin/muster", os.Args[0])), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("systemd-analyze", "verify", path).CombinedOutput()
		return string(out), err
	}
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		missingPeer(t, "systemd-analyze", "systemd")
		return
	}
	good := read(t, unitFile)
	if out, err := verify(good); err != nil || out != "" {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	bad := strings.ReplaceAll(good, "KillMode=", "KillMood=")
	if out, err := verify(bad); err == nil && out == "" {
		t.Error("it takes anything")
	}
}

// missingPeer fails the test where CI has to have installed the peer. A bare machine needs nothing but Go: there the log says
// what was not looked at.
func missingPeer(t *testing.T, program, debianPackage string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is missing: .ci/run has to install %s", program, debianPackage)
	}
	t.Logf("NOT LOOKED AT: %s is missing (Debian: apt-get install %s)", program, debianPackage)
}
