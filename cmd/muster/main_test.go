package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/api/apitest"
)

var update = flag.Bool("update", false, "write golden files and the generated part of docs/cli.md")

// program is the built binary; set once by TestMain.
var program string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "muster-cmd")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "muster")
	build := exec.Command("go", "build", "-ldflags", "-X main.version=v1.2.3", "-o", program, ".")
	if out, err := build.CombinedOutput(); err != nil {
		panic(string(out))
	}
	return m.Run()
}

// result is what a command did.
type result struct {
	out, err string
	code     int
}

// muster runs the program in a directory, with nothing in its environment that names an agent.
func muster(t *testing.T, dir string, args ...string) result {
	t.Helper()
	return musterEnv(t, dir, nil, args...)
}

func musterEnv(t *testing.T, dir string, env []string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "TZ=UTC"}, env...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("muster %q: %v", args, errors.Join(err, ctx.Err()))
	}
	return result{out.String(), errOut.String(), cmd.ProcessState.ExitCode()}
}

const goodFile = `
cluster: shop
secret_file: secret.key
run_dir: RUNDIR
hosts:
  a: {address: 10.77.0.1}
  b: {address: 10.77.0.2}
vips:
  web:
    address: 10.77.0.100/24
    rules:
      - {ports: [80], protocol: tcp}
`

// place makes a directory with a good and a bad configuration; the run directory of the good one is its own "run".
func place(t *testing.T) string {
	t.Helper()
	dir := apitest.RunDir(t)
	write(t, filepath.Join(dir, "good.yaml"), strings.ReplaceAll(goodFile, "RUNDIR", filepath.Join(dir, "run")))
	write(t, filepath.Join(dir, "warned.yaml"), strings.ReplaceAll(goodFile, "vips:", "heartbeat: {networks: {lan: {interface: eth0, multicast: {range: [a, b]}}}}\nvips:"))
	write(t, filepath.Join(dir, "igmp.yaml"), strings.ReplaceAll(goodFile, "    rules:", "    delivery: igmp\n    rules:"))
	write(t, filepath.Join(dir, "bad.yaml"), "cluster: shop\nhost: {}\nvips: 7\n")
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestExitCodesWithoutAnAgent(t *testing.T) {
	dir := place(t)
	tests := []struct {
		name     string
		args     []string
		code     int
		out, err string // what has to be there
	}{
		{"help", []string{"--help"}, 0, "Available Commands", ""},
		{"no command", nil, 0, "Available Commands", ""},
		{"version", []string{"version"}, 0, "muster v1.2.3 (go", ""},
		{"unknown command", []string{"frobnicate"}, 2, "", `unknown command "frobnicate"`},
		{"unknown command of a group", []string{"host", "frob"}, 2, "", `unknown command "frob"`},
		{"argument too many of another package's command", []string{"demo", "x"}, 2, "", "unknown command"},
		{"unknown command of the lab", []string{"lab", "frob"}, 2, "", `unknown command "frob"`},
		{"unknown flag", []string{"status", "--frob"}, 2, "", "unknown flag: --frob"},
		{"argument missing", []string{"host", "drain"}, 2, "", "NAME is missing"},
		{"argument too many", []string{"status", "x"}, 2, "", `"x" is one argument too many`},
		{"two networks to rotate", []string{"key", "rotate", "lan", "cross"}, 2, "", "one argument too many"},
		{"no agent to rotate keys", []string{"key", "rotate", "-c", "good.yaml"}, 1, "", "no agent answers"},
		{"two files to check", []string{"check", "a", "b"}, 2, "", "one argument too many"},
		{"bad duration", []string{"stop", "--deadline", "soon"}, 2, "", "invalid argument"},
		{"negative deadline", []string{"stop", "--deadline", "-1s"}, 2, "", "deadline -1s"},
		{"good file", []string{"check", "good.yaml"}, 0, "good.yaml: good: 2 hosts, 1 VIP, 1 rule\n", ""},
		{"good file as -c", []string{"check", "-c", "good.yaml"}, 0, "good.yaml: good", ""},
		{"file that is not followed", []string{"check", "warned.yaml"}, 0, "warning: warned.yaml:8:66: no end of the range", ""},
		{"file that is not followed is good", []string{"check", "warned.yaml"}, 0, "warned.yaml: good: 2 hosts", ""},
		{"file that is not followed as JSON", []string{"check", "warned.yaml", "--json"}, 0, "\"warnings\": [\n    {\n", ""},
		{"bad file", []string{"check", "bad.yaml"}, 2, "bad.yaml:2:1: ", "bad.yaml is not good: "},
		{"bad file as JSON", []string{"check", "bad.yaml", "--json"}, 2, `"line": 2`, ""},
		{"no file", []string{"check", "none.yaml"}, 2, "none.yaml: ", ""},
		{"run without file", []string{"run", "-c", "none.yaml"}, 2, "", "none.yaml: "},
		{"run with a bad file", []string{"run", "-c", "bad.yaml"}, 2, "", "bad.yaml:2:1: "},
		{"run as a stranger", []string{"run", "-c", "good.yaml", "--host", "z"}, 2, "", `host "z" is not in good.yaml: it has a, b`},
		{"run with a strange level", []string{"run", "-c", "good.yaml", "--log-level", "loud"}, 2, "", "want debug, info, warn or error"},
		{"no run directory", []string{"status", "-c", "none.yaml"}, 2, "", "--run-dir or MUSTER_RUN_DIR"},
		{"run directory of a bad file", []string{"status", "-c", "bad.yaml"}, 2, "", "bad.yaml:2:1: "},
		{"no agent", []string{"status", "-c", "good.yaml"}, 1, "", "no agent answers on " + dir + "/run/control.sock"},
		{"no agent to follow", []string{"events", "-f", "-c", "good.yaml"}, 1, "", "no agent answers"},
		{"no agent to stop", []string{"stop", "--run-dir", dir}, 1, "", "no agent answers on " + dir + "/control.sock"},
		{"client that is no address", []string{"explain", "web", "fred"}, 2, "", "203.0.113.9:51234"},
		{"MADCAP server nowhere", []string{"madcap", "serve"}, 2, "", "name an interface or the address of this machine"},
		{"MADCAP scope of nothing", []string{"madcap", "serve", "--interface", "lo", "--scope", "10.0.0.0/8"}, 2, "", "no multicast groups"},
		{"MADCAP lease of no time", []string{"madcap", "lease", "--time", "0s"}, 2, "", "at least 1s"},
		{"MADCAP server that is a group", []string{"madcap", "scopes", "--server", "239.255.0.1"}, 2, "", "want the address of a host"},
		{"MADCAP lease that is not there", []string{"madcap", "release", "none.json"}, 1, "", "none.json: no such file"},
		{"MADCAP lease that is none", []string{"madcap", "renew", "good.yaml"}, 1, "", "what `muster madcap lease` wrote"},
		{"rule without a port", []string{"rule", "drain", "web"}, 2, "", "one of the rule's ports, as in `web:443`"},
		{"no agent to order", []string{"rule", "drain", "web:80", "-c", "good.yaml"}, 1, "", "no agent answers"},
		{"switch of no vendor", []string{"switch", "-c", "good.yaml"}, 2, "", "say for what: --vendor NAME of a switch (cisco-ios, "},
		{"switch and hypervisor", []string{"switch", "-c", "good.yaml", "--vendor", "juniper", "--hypervisor", "vmware"}, 2, "", "say for what"},
		{"switch of an unknown vendor", []string{"switch", "-c", "good.yaml", "--vendor", "acme"}, 2, "", "the vendors are cisco-ios"},
		{"unknown hypervisor", []string{"switch", "-c", "good.yaml", "--hypervisor", "acme"}, 2, "", "the hypervisors are vmware"},
		{"VLAN that no switch has", []string{"switch", "-c", "good.yaml", "--vendor", "juniper", "--vlan", "4095"}, 2, "", "want a number from 1 to 4094"},
		{"switch of a bad file", []string{"switch", "-c", "bad.yaml", "--vendor", "juniper"}, 2, "", "bad.yaml:2:1: "},
		{"switch that needs nothing", []string{"switch", "-c", "good.yaml", "--vendor", "juniper"}, 0, "# nothing to enter\n# - directed (web): needs nothing of a switch", ""},
		{"switch as JSON", []string{"switch", "-c", "good.yaml", "--vendor", "juniper", "--json"}, 0, "\"sections\": []", ""},
		{"switch in igmp", []string{"switch", "-c", "igmp.yaml", "--vendor", "cisco-ios", "--vlan", "7", "--ports", "Gi1/0/1,Gi1/0/2"}, 0, "\narp 10.77.0.100 0100.5e7f.0064 ARPA\n", ""},
		{"hypervisor", []string{"switch", "-c", "igmp.yaml", "--hypervisor", "vmware"}, 0, "# - vmware, igmp: ", ""},
		{"MACs of no address", []string{"ip2mac", "web"}, 2, "", "write for example 10.77.0.100"},
		{"MACs of a group", []string{"ip2mac", "239.255.0.1"}, 2, "", "is no address of a host"},
		{"MACs with a bad file", []string{"ip2mac", "10.77.0.100", "-c", "bad.yaml"}, 2, "", "bad.yaml:2:1: "},
		{"MACs without a file", []string{"ip2mac", "1.2.3.4", "-c", "none.yaml"}, 0, "igmp       01:00:5e:7f:03:04", ""},
		{"unknown protocol", []string{"explain", "web", "10.0.0.1", "--protocol", "sctp"}, 2, "", "want tcp or udp"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := muster(t, dir, tt.args...)
			if got.code != tt.code || !strings.Contains(got.out, tt.out) || !strings.Contains(got.err, tt.err) {
				t.Errorf("got %+v", got)
			}
			if tt.out == "" && got.out != "" {
				t.Errorf("on standard output: %s", got.out)
			}
			if tt.code != 0 && got.err == "" {
				t.Error("failed without a word on standard error")
			}
		})
	}
}

func TestKeyNew(t *testing.T) {
	dir := place(t)
	got := muster(t, dir, "key", "new", "secret.key")
	path := filepath.Join(dir, "secret.key")
	if got.code != 0 || got.out != path+"\n" || !strings.Contains(got.err, "scp -p "+path) {
		t.Errorf("got %+v", got)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Fatalf("%v, %v: want mode 0600", info, err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if again := muster(t, dir, "key", "new", "secret.key"); again.code != 1 {
		t.Errorf("a second time: %+v", again)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Error("the secret was overwritten")
	}
}

func TestWhichAgent(t *testing.T) {
	dir := place(t)
	serve := func(name string) string {
		fake := apitest.New()
		fake.Now.Cluster = name
		runDir := filepath.Join(dir, name)
		apitest.ServeIn(t, runDir, fake)
		return runDir
	}
	serve("run") // what good.yaml says
	byEnv, byFlag := serve("env"), serve("flag")
	env := []string{runDirVariable + "=" + byEnv}
	tests := []struct {
		name string
		env  []string
		args []string
		want string
	}{
		{"the file's", nil, []string{"-c", "good.yaml"}, "run"},
		{"the environment before the file", env, []string{"-c", "good.yaml"}, "env"},
		{"the environment without a file", env, []string{"-c", "none.yaml"}, "env"},
		{"the flag before all", env, []string{"-c", "good.yaml", "--run-dir", byFlag}, "flag"},
		{"the flag with a bad file", nil, []string{"-c", "bad.yaml", "--run-dir", byFlag}, "flag"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := musterEnv(t, dir, tt.env, append([]string{"status"}, tt.args...)...)
			if got.code != 0 || !strings.HasPrefix(got.out, "Cluster "+tt.want+",") {
				t.Errorf("want the agent of %s, got %+v", tt.want, got)
			}
		})
	}
}

func TestMulticastTestJudges(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*api.MulticastStatus)
		code   int
	}{
		{"everybody hears", func(*api.MulticastStatus) {}, 0},
		{"somebody is deaf", func(m *api.MulticastStatus) { m.Hearing[1].Deaf = []string{"a"} }, 1},
		{"somebody has not said", func(m *api.MulticastStatus) { m.Hearing[1].Known = false }, 1},
		{"not used", func(m *api.MulticastStatus) { m.Used = false }, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fake := apitest.New()
			m := api.MulticastStatus{Used: true, Hearing: []api.MulticastHearing{{Host: "a", Known: true}, {Host: "b", Known: true}}}
			tt.change(&m)
			fake.Now.Networks = []api.NetworkStatus{{Name: "lan", Multicast: m}}
			dir, _ := apitest.Serve(t, fake)
			if got := muster(t, dir, "multicast", "test", "--run-dir", dir); got.code != tt.code || (got.err != "") != (tt.code != 0) {
				t.Errorf("got %+v, want exit code %d", got, tt.code)
			}
		})
	}
}

func TestNetworkThatIsNotThere(t *testing.T) {
	dir, _ := apitest.Serve(t, apitest.New())
	got := muster(t, dir, "network", "show", "moon", "--run-dir", dir)
	if got.code != 1 || got.out != "" || got.err != "muster: no network \"moon\": the networks are lan, cross, spare\n" {
		t.Errorf("got %+v", got)
	}
}

func TestAnswersGolden(t *testing.T) {
	fake := apitest.New()
	fake.Ordered = api.OrderAnswer{State: "as ordered", Have: []string{"a", "b"}, Lacking: []string{}, Silent: []string{}}
	fake.Events.Add(api.Event{At: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Kind: "host_silent", Host: "c", Epoch: 17, Text: "not heard for 300 ms"})
	dir, _ := apitest.Serve(t, fake)
	tests := []struct {
		name string
		args []string
	}{
		{"status", []string{"status"}},
		{"status.json", []string{"status", "--json"}},
		{"metrics", []string{"metrics"}},
		{"metrics.json", []string{"metrics", "--json"}},
		{"explain", []string{"explain", "web", "203.0.113.9:51234"}},
		{"explain.json", []string{"explain", "web", "203.0.113.9:51234", "--json"}},
		{"network-list", []string{"network", "list"}},
		{"network-list.json", []string{"network", "list", "--json"}},
		{"key-list", []string{"key", "list"}},
		{"key-list.json", []string{"key", "list", "--json"}},
		{"multicast-show", []string{"multicast", "show"}},
		{"network-show", []string{"network", "show", "cross"}},
		{"network-set", []string{"network", "set", "lan", "address=239.255.7.9", "MulticastDisabled=0:DWORD"}},
		{"network-set.json", []string{"network", "set", "--cluster", "disabled=", "--json"}},
		{"network-show.json", []string{"network", "show", "cross", "--json"}},
		{"events", []string{"events"}},
		{"events.json", []string{"events", "--json"}},
		{"drain", []string{"host", "drain", "b"}},
		{"drain.json", []string{"host", "drain", "b", "--json"}},
		{"resume", []string{"host", "resume", "b"}},
		{"host-stop", []string{"host", "stop", "b"}},
		{"host-start", []string{"host", "start", "b"}},
		{"host-suspend.json", []string{"host", "suspend", "b", "--json"}},
		{"host-show", []string{"host", "show"}},
		{"host-show-one", []string{"host", "show", "b"}},
		{"host-show.json", []string{"host", "show", "b", "--json"}},
		{"rule-drain", []string{"rule", "drain", "web:80", "--host", "b"}},
		{"rule-disable", []string{"rule", "disable", "10.77.0.101:53/udp"}},
		{"rule-enable.json", []string{"rule", "enable", "web:80", "--json"}},
		{"rule-show", []string{"rule", "show"}},
		{"params", []string{"params"}},
		{"params-one", []string{"params", "b"}},
		{"params.json", []string{"params", "a", "--json"}},
		{"rule-show.json", []string{"rule", "show", "web:443", "--json"}},
		{"reload", []string{"reload"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := muster(t, dir, append(tt.args, "--run-dir", dir)...)
			if got.code != 0 || got.err != "" {
				t.Fatalf("got %+v", got)
			}
			golden(t, filepath.Join("testdata", tt.name+".golden"), got.out)
		})
	}
}

func TestIP2MACGolden(t *testing.T) {
	dir := place(t)
	write(t, filepath.Join(dir, "igmp.yaml"), strings.ReplaceAll(goodFile, "address: 10.77.0.100/24", "address: 10.77.0.100/24\n    delivery: igmp"))
	for _, tt := range []struct {
		name string
		args []string
	}{
		{"ip2mac", []string{"ip2mac", "10.77.0.100", "-c", "igmp.yaml"}},
		{"ip2mac.json", []string{"ip2mac", "10.77.0.100", "-c", "igmp.yaml", "--json"}},
		{"ip2mac-ipv6", []string{"ip2mac", "2001:db8::1234:5678", "-c", "none.yaml"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := muster(t, dir, tt.args...)
			if got.code != 0 || got.err != "" {
				t.Fatalf("got %+v", got)
			}
			golden(t, filepath.Join("testdata", tt.name+".golden"), got.out)
		})
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		write(t, path, got)
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
