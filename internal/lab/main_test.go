package lab_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/internal/lab/labcmd"
	"github.com/muster-ha/muster/internal/lab/standin"
)

// asMuster makes the test's own program play muster; asOwner makes it build a lab and wait.
const (
	asMuster = "LAB_TEST_AS_MUSTER"
	asOwner  = "LAB_TEST_AS_OWNER"
)

func TestMain(m *testing.M) {
	if name := os.Getenv(asOwner); name != "" {
		os.Unsetenv(asOwner)
		os.Exit(ownALab(name))
	}
	fuzzing := slices.Contains(os.Args, "-test.fuzzworker") // Go starts this program too, to fuzz
	if os.Getenv(asMuster) != "" && !fuzzing {
		root := standin.New()
		root.AddCommand(labcmd.New())
		if root.Execute() != nil {
			os.Exit(1)
		}
		return
	}
	os.Setenv(asMuster, "1") // for the processes that the tests start
	os.Exit(m.Run())
}

// up builds a lab and checks at the end that nothing of it is left.
func up(t *testing.T, o lab.Options) *lab.Lab {
	t.Helper()
	o.Binary = os.Args[0]
	l, err := lab.Up(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Down(); err != nil {
			t.Error(err)
		}
		for _, left := range leftovers(t, l.Name(), l.Dir()) {
			t.Errorf("left behind: %s", left)
		}
	})
	return l
}

// leftovers lists what a lab has left on the machine. Other labs may come and go meanwhile, so it looks for this one's names.
func leftovers(t *testing.T, name, dir string) []string {
	t.Helper()
	var left []string
	for _, pattern := range []string{"/run/netns/" + name + "-*", "/run/muster-lab/" + name + ".json*", dir} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, found...)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, " "+dir) || strings.Contains(line, "/netns/"+name+"-") {
			left = append(left, "mount "+strings.TrimSpace(line))
		}
	}
	return append(left, append(labLinks(t), labProcesses(t, dir)...)...)
}

// labLinks lists links of the machine's own namespace that belong in a lab.
func labLinks(t *testing.T) []string {
	t.Helper()
	links, err := netlink.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, l := range links {
		if strings.HasPrefix(l.Attrs().HardwareAddr.String(), "02:4d:") || l.Attrs().Name == "br0" {
			found = append(found, "link "+l.Attrs().Name)
		}
	}
	return found
}

// labProcesses lists processes whose command line names the lab's directory.
func labProcesses(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if line, err := os.ReadFile(path); err == nil && strings.Contains(string(line), dir) {
			found = append(found, "process "+path)
		}
	}
	return found
}

// dial opens a TCP connection from a node and tells whether there was an answer.
func dial(n *lab.Node, to netip.Addr, port uint16) error {
	return n.Do(func() error {
		conn, err := net.DialTimeout("tcp", netip.AddrPortFrom(to, port).String(), 300*time.Millisecond)
		if err == nil {
			conn.Close()
		}
		return err
	})
}

// eventually waits until f is content; for the end of something that takes its time elsewhere.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if f() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("not in 10 s: %s", what)
}

// mustReach wants a TCP answer from a node's web application.
func mustReach(t *testing.T, l *lab.Lab, from, to string) {
	t.Helper()
	var err error
	for range 250 { // the web application may not listen yet
		if err = dial(l.Node(from), l.Node(to).Address(), 80); err == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("%s does not reach %s: %v", from, to, err)
}

func mustNotReach(t *testing.T, l *lab.Lab, from, to string) {
	t.Helper()
	if err := dial(l.Node(from), l.Node(to).Address(), 80); err == nil {
		t.Errorf("%s reaches %s", from, to)
	}
}

// withWeb builds three hosts and a client, with the web application on each host.
func withWeb(t *testing.T) *lab.Lab {
	t.Helper()
	l := up(t, lab.Options{Hosts: 3, Clients: 1})
	if err := l.StartWeb(); err != nil {
		t.Fatal(err)
	}
	for _, h := range l.Hosts() {
		mustReach(t, l, "c1", h.Name())
	}
	return l
}

// ownALab is the main function of a process that builds a lab, starts things in it and waits to be killed.
func ownALab(name string) int {
	l, err := lab.Up(context.Background(), lab.Options{Name: name, Hosts: 2, Clients: 1, Binary: os.Args[0]})
	if err == nil {
		err = l.StartWeb()
	}
	if err == nil {
		err = l.StartAll()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(l.Dir())
	select {}
}
