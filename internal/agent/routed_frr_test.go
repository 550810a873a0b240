package agent_test

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/internal/lab/load"
)

// startFRR makes the node a router by FRR, the other widespread one: zebra writes the kernel's routes, bgpd has a session with each host.
func (r *router) startFRR(t *testing.T, l *lab.Lab, password string) {
	t.Helper()
	var b strings.Builder
	b.WriteString("log stdout\nrouter bgp 64513\n bgp router-id 10.77.0.202\n no bgp ebgp-requires-policy\n")
	for _, h := range l.Hosts() {
		fmt.Fprintf(&b, " neighbor %[1]s remote-as 64512\n neighbor %[1]s password %[2]s\n neighbor %[1]s timers connect 2\n", h.Address(), password)
	}
	b.WriteString(" address-family ipv4 unicast\n  maximum-paths 32\n exit-address-family\n")
	dir := frrDir(t, map[string]string{"zebra": "", "bgpd": b.String()})
	for _, name := range []string{"zebra", "bgpd"} {
		_, err := r.Spawn(name, "/usr/lib/frr/"+name, "-f", filepath.Join(dir, name), "-z", filepath.Join(dir, "zserv.api"), "-i", filepath.Join(dir, name+".pid"),
			"--vty_socket", dir, "-P", "0")
		if err != nil {
			t.Fatalf("%v: install frr of Debian", err)
		}
		t.Cleanup(func() {
			if text, err := os.ReadFile(r.LogPath(name)); err == nil && t.Failed() {
				t.Logf("log of %s:\n%s", name, text[max(0, len(text)-3000):])
			}
		})
	}
}

// frrDir is a directory of FRR's own user, whom its programs become, with their configurations.
func frrDir(t *testing.T, configs map[string]string) string {
	t.Helper()
	owner, err := user.Lookup("frr")
	if err != nil {
		t.Fatalf("%v: install frr of Debian", err)
	}
	uid, _ := strconv.Atoi(owner.Uid)
	gid, _ := strconv.Atoi(owner.Gid)
	dir, err := os.MkdirTemp("", "frr-") // that of the test lets no other user in
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	err = os.Chown(dir, uid, gid)
	for name, text := range configs {
		path := filepath.Join(dir, name)
		err = errors.Join(err, os.WriteFile(path, []byte(text), 0o600), os.Chown(path, uid, gid))
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestRoutedByFRRWithAPassword(t *testing.T) {
	l, r := machinesBehindRouter(t, ", password_file: tor1.password")
	if err := os.WriteFile(filepath.Join(filepath.Dir(l.ConfigPath()), "tor1.password"), []byte("horse\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.startFRR(t, l, "horse")
	if err := l.StartAll(); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
	r.routes(t, "a", "b", "c")
	conns := routedEchoes(t, l, 90)
	muster(t, l.Host("a"), "host", "drain", "b")
	r.routes(t, "a", "c")
	kill(t, l.Host("a"))
	r.routes(t, "c")
	work(t)
	all := conns.stop(t)
	if split := perHost(all, load.Open); len(split) != 3 {
		t.Errorf("connections went to %v, want three hosts", split)
	}
	if bad := broken(all); len(bad) > 0 {
		t.Errorf("%d connections broke, the first: %+v", len(bad), bad[0])
	}
}
