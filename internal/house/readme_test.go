package house

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/lab"
)

const readmeFile = "README.md"

// oracles are what the README's commands have to print, besides ending with 0.
var oracles = map[string]*regexp.Regexp{
	"muster check /etc/muster/muster.yaml": regexp.MustCompile(`good: 3 hosts, 1 VIP, 1 rule`),
	"muster status":                        regexp.MustCompile(`(?s)^Cluster shop,.*\ba\b.*\bb\b.*\bc\b`),
	"muster explain web 10.77.0.201:40000": regexp.MustCompile(`10\.77\.0\.201:40000`),
	"muster events":                        regexp.MustCompile(`(?m)view`),
}

// TestREADMEOnThreeHosts does what the README says, word for word, on three hosts of the lab: the last one under the conditions of
// the systemd unit.
func TestREADMEOnThreeHosts(t *testing.T) {
	r := newReading(t)
	var ran int
	for _, b := range blocksOf(t, readmeFile, "sh") {
		for _, line := range b.lines() {
			ran++
			r.follow(t, line)
			if t.Failed() {
				t.Fatalf("%s: `%s` failed; nothing after it was tried", readmeFile, line)
			}
		}
	}
	if ran < 10 || r.agents == nil {
		t.Fatalf("%d commands, agents %v: the page is not read right", ran, r.agents)
	}
	r.mustBeGone(t, r.machines[0])
}

// reading is a person with the README and three hosts.
type reading struct {
	lab      *lab.Lab
	machines []machine
	agents   []*lab.Process
	ready    net.PacketConn // where the unit's agent says that it is ready
	secret   string
}

func newReading(t *testing.T) *reading {
	program := build(t)
	l, err := lab.Up(t.Context(), lab.Options{Hosts: 3, Clients: 1, Binary: program})
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
	r := &reading{lab: l}
	under := t.TempDir()
	name, text := theFile(t)
	for _, h := range l.Hosts() {
		m := install(t, h, under, program)
		m.write(t, name, text)
		r.machines = append(r.machines, m)
	}
	r.asTheUnit(t, r.machines[2])
	return r
}

// theFile is the README's configuration: its first line says where it belongs.
func theFile(t *testing.T) (name string, text []byte) {
	t.Helper()
	b := blocksOf(t, readmeFile, "yaml")[0]
	first, _, _ := strings.Cut(b.text, "\n")
	name, ok := strings.CutPrefix(first, "# ")
	if !ok || !filepath.IsAbs(name) {
		t.Fatalf("%s:%d: the first line of the file does not say its path", readmeFile, b.line)
	}
	return name, []byte(b.text)
}

// asTheUnit makes a machine run what it runs as the systemd unit would.
func (r *reading) asTheUnit(t *testing.T, m machine) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(m.dir, unitMark), []byte(read(t, unitFile)), 0o644); err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenPacket("unixgram", m.path(t, "/run/notify"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	r.ready = conn
}

// follow does one line of the README.
func (r *reading) follow(t *testing.T, line string) {
	t.Helper()
	switch words := strings.Fields(line); {
	case words[0] == "make":
		r.mustBeInCI(t, words)
	case strings.HasPrefix(line, "muster key new "):
		r.run(t, r.machines[0], line)
		r.copySecret(t, words[len(words)-1])
	case strings.HasPrefix(line, "muster check "):
		for _, m := range r.machines {
			r.run(t, m, line)
		}
	case strings.HasPrefix(line, "muster run "):
		r.startAll(t, line)
	default:
		r.run(t, r.machines[0], line)
	}
}

// mustBeInCI checks that CI runs the command itself, which would be too long here: the target exists and .ci/run makes it.
func (r *reading) mustBeInCI(t *testing.T, words []string) {
	t.Helper()
	target := words[1]
	if !regexp.MustCompile(`(?m)^` + target + `:`).MatchString(read(t, "Makefile")) {
		t.Errorf("the Makefile has no target %s", target)
	}
	if !regexp.MustCompile(`(?m)^(exec )?make ` + target + `$`).MatchString(read(t, ".ci/run")) {
		t.Errorf(".ci/run does not make %s", target)
	}
}

// run runs a line on a machine. It has to end with 0 and to print what its oracle wants.
func (r *reading) run(t *testing.T, m machine, line string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	out, err := m.shell(ctx, line)
	if err != nil {
		t.Errorf("%s on %s: %v\n%s\n%s", line, m.Name(), err, out, r.logs(t))
		return
	}
	t.Logf("%s$ %s\n%s", m.Name(), line, out)
	if want := oracles[line]; want != nil && !want.MatchString(out) {
		t.Errorf("%s on %s: no %q in\n%s", line, m.Name(), want, out)
	}
}

// copySecret takes the secret from the first machine to the others, as the README says.
func (r *reading) copySecret(t *testing.T, name string) {
	t.Helper()
	r.secret = r.machines[0].path(t, name)
	text, err := os.ReadFile(r.secret)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range r.machines[1:] {
		m.write(t, name, text)
	}
}

// startAll starts the agents: with the line of the README, its host's name replaced, and on the last machine with the unit's.
func (r *reading) startAll(t *testing.T, line string) {
	t.Helper()
	const example = "--host a"
	if !strings.HasSuffix(line, example) {
		t.Fatalf("%q does not end with %q", line, example)
	}
	u := parseUnit(read(t, unitFile))
	for i, m := range r.machines {
		command := strings.TrimSuffix(line, example) + "--host " + m.Name()
		if i == len(r.machines)-1 {
			command = u.one(t, "ExecStart")
		}
		p, err := m.service(command)
		if err != nil {
			t.Fatal(err)
		}
		r.agents = append(r.agents, p)
	}
	r.awaitNotify(t)
	for _, m := range r.machines {
		r.awaitServing(t, m)
	}
	r.run(t, r.machines[2], u.one(t, "ExecReload"))
	r.mustAnswerClients(t)
}

// mustAnswerClients asks for the page of the shared address until every host has answered a client.
func (r *reading) mustAnswerClients(t *testing.T) {
	t.Helper()
	answered := map[string]bool{}
	for deadline := time.Now().Add(20 * time.Second); len(answered) < len(r.machines) && time.Now().Before(deadline); {
		host, err := r.ask()
		if err != nil {
			t.Fatalf("ask for a page of %s: %v\n%s", lab.VIP(), err, r.logs(t))
		}
		answered[host] = true
	}
	if len(answered) != len(r.machines) {
		t.Errorf("answers from %v, want all three hosts", answered)
	}
}

// ask opens a connection from the client to the shared address and returns the name of the host that answers.
func (r *reading) ask() (host string, err error) {
	var conn net.Conn
	err = r.lab.Client(1).Do(func() error {
		conn, err = net.DialTimeout("tcp", net.JoinHostPort(lab.VIP().Addr().String(), "80"), 3*time.Second)
		return err
	})
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		return "", err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return strings.TrimSpace(string(body)), err
}

// awaitNotify waits until the agent under the unit tells systemd that it is ready.
func (r *reading) awaitNotify(t *testing.T) {
	t.Helper()
	message := make([]byte, 4096)
	if err := r.ready.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for {
		n, _, err := r.ready.ReadFrom(message)
		if err != nil {
			t.Fatalf("no READY=1 from the agent that the unit starts: %v\n%s", err, r.logs(t))
		}
		if slices.Contains(strings.Split(string(message[:n]), "\n"), "READY=1") {
			return
		}
	}
}

// awaitServing waits until a machine sees all three serve.
func (r *reading) awaitServing(t *testing.T, m machine) {
	t.Helper()
	var last string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		out, err := m.shell(t.Context(), "muster status --json")
		last = fmt.Sprint(out, err)
		var s api.Status
		if err != nil || json.Unmarshal([]byte(out), &s) != nil || len(s.Hosts) != len(r.machines) {
			continue
		}
		if !slices.ContainsFunc(s.Hosts, func(h api.HostStatus) bool { return !serves(h) }) {
			return
		}
	}
	t.Fatalf("%s does not see all hosts serve: %s\n%s", m.Name(), last, r.logs(t))
}

// serves says whether a host has a share of every rule.
func serves(h api.HostStatus) bool {
	return h.State == api.StateServing && !slices.ContainsFunc(h.Shares, func(s api.Share) bool { return s.Buckets == 0 })
}

// mustBeGone checks that the machine is as it was after `muster stop`, and that the others go on without it.
func (r *reading) mustBeGone(t *testing.T, m machine) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := r.agents[0].Wait(ctx); err != nil {
		t.Error(err)
	}
	err := m.Do(func() error {
		all, err := netlink.AddrList(nil, netlink.FAMILY_V4)
		for _, a := range all {
			if a.IP.Equal(lab.VIP().Addr().AsSlice()) {
				return fmt.Errorf("%s still carries %s", m.Name(), a.IPNet)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	for i, p := range r.agents[1:] {
		if !p.Running() {
			t.Errorf("the agent of %s has ended too\n%s", r.machines[i+1].Name(), r.logs(t))
		}
	}
}

// logs are the agents' logs.
func (r *reading) logs(t *testing.T) string {
	t.Helper()
	var all bytes.Buffer
	for _, m := range r.machines {
		text, err := os.ReadFile(m.LogPath("agent"))
		fmt.Fprintf(&all, "--- log of %s (%v)\n%s", m.Name(), err, text)
	}
	return all.String()
}
