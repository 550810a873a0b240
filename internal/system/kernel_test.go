package system

import (
	"bufio"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// victimDir in the environment makes this test binary an agent that changes its host and then waits to be killed.
const victimDir = "MUSTER_TEST_VICTIM_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		victim(dir)
	}
	os.Exit(m.Run())
}

func victim(dir string) {
	j, err := Open(dir, discard())
	if err == nil {
		err = onRealHost(j)
	}
	fmt.Println("done", err)
	select {}
}

// onRealHost makes one change of each kind, and a second of one sysctl.
func onRealHost(j *Journal) error {
	err := errors.Join(
		j.MountBPF("bpf"),
		j.AddPins("bpf/filter"),
		j.AddFile("control.sock"),
		j.AddAddress("lo", vip(100)),
		j.AddAddress("eth0.5", Address{Prefix: netip.MustParsePrefix("2001:db8::64/128"), NoDAD: true}),
		j.SetSysctl("net/ipv4/conf/eth0.5/arp_announce", "1"),
		j.SetSysctl("net/ipv4/conf/eth0.5/arp_announce", "2"),
		j.RaiseSysctl("net/ipv4/conf/eth0.5/arp_ignore", 1),
		j.Receive("eth0.5", clusterMAC(2)),
		j.Receive("eth0.5", clusterMAC(3)),
		j.Join("eth0.5", netip.MustParseAddr("239.255.0.100")),
		j.Join("eth0.5", netip.MustParseAddr("ff15::bf:1:64")),
	)
	return errors.Join(err, os.WriteFile(filepath.Join(j.Dir(), "control.sock"), nil, 0o600))
}

// inNamespace puts the test into a network namespace of its own, with lo up and an interface called eth0.5.
func inNamespace(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("run this test as root: it makes a network namespace")
	}
	runtime.LockOSThread()
	before, err := netns.Get()
	mustDo(t, err)
	fresh, err := netns.New()
	mustDo(t, err)
	t.Cleanup(func() {
		mustDo(t, netns.Set(before))
		mustDo(t, errors.Join(fresh.Close(), before.Close()))
		runtime.UnlockOSThread()
	})
	mustDo(t, netlink.LinkSetUp(&netlink.GenericLink{LinkAttrs: netlink.LinkAttrs{Name: "lo"}}))
	mustDo(t, addEthernet())
}

// addEthernet makes eth0.5, a name with a dot, as one end of a veth pair: small kernels have no dummy interfaces.
func addEthernet() error {
	veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth0.5"}, PeerName: "switch"}
	return errors.Join(netlink.LinkAdd(veth), netlink.LinkSetUp(veth))
}

// snapshot says all that this package could change.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	var all []string
	list, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	mustDo(t, err)
	for _, a := range list {
		if !a.IP.IsLinkLocalUnicast() { // comes by itself, some time after the link is up
			all = append(all, fmt.Sprintf("address %s dev %d scope %d", a.IPNet, a.LinkIndex, a.Scope))
		}
	}
	for name, file := range map[string]string{"multicast": "dev_mcast", "igmp": "igmp", "mld": "igmp6"} {
		data, err := os.ReadFile("/proc/thread-self/net/" + file)
		mustDo(t, err)
		for line := range strings.Lines(string(data)) {
			all = append(all, name+" "+strings.Join(strings.Fields(line), " "))
		}
	}
	filter, err := netlink.NeighListExecute(netlink.Ndmsg{Family: unix.AF_BRIDGE})
	mustDo(t, err)
	for _, n := range filter {
		all = append(all, fmt.Sprintf("takes in %s dev %d", n.HardwareAddr, n.LinkIndex))
	}
	settings, err := filepath.Glob("/proc/sys/net/ipv4/conf/*/*")
	mustDo(t, err)
	for _, s := range settings {
		if data, err := os.ReadFile(s); err == nil {
			all = append(all, s+"="+strings.TrimSpace(string(data)))
		}
	}
	mounts, err := os.ReadFile("/proc/thread-self/mountinfo")
	mustDo(t, err)
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, dir) {
			all = append(all, strings.Fields(line)[4])
		}
	}
	_ = filepath.WalkDir(dir, func(p string, _ os.DirEntry, _ error) error { all = append(all, p); return nil })
	slices.Sort(all)
	return strings.Join(all, "\n")
}

func diff(before, after string) string {
	a, b := strings.Split(before, "\n"), strings.Split(after, "\n")
	var out []string
	for _, s := range a {
		if !slices.Contains(b, s) {
			out = append(out, "- "+s)
		}
	}
	for _, s := range b {
		if !slices.Contains(a, s) {
			out = append(out, "+ "+s)
		}
	}
	return strings.Join(out, "\n")
}

func TestAKilledAgentsChangesAreUndone(t *testing.T) {
	inNamespace(t)
	dir := filepath.Join(t.TempDir(), "run", "shop")
	before := snapshot(t, filepath.Dir(filepath.Dir(dir)))
	agent := exec.Command(os.Args[0])
	agent.Env = append(os.Environ(), victimDir+"="+dir)
	out, err := agent.StdoutPipe()
	mustDo(t, err)
	mustDo(t, agent.Start())
	said, _ := bufio.NewReader(out).ReadString('\n')
	if said != "done <nil>\n" {
		t.Errorf("the agent said %q", said)
	}
	during := snapshot(t, filepath.Dir(filepath.Dir(dir)))
	if _, err := Open(dir, discard()); !errors.Is(err, ErrBusy) {
		t.Errorf("opened beside a live agent: %v", err)
	}
	mustDo(t, agent.Process.Kill())
	_ = agent.Wait()
	if d := diff(before, during); strings.Count(d, "\n+ address") != 4 || !strings.Contains(d, "arp_announce=2") || !strings.Contains(d, "/bpf") {
		t.Errorf("the agent changed only\n%s", d)
	}
	j, err := Open(dir, discard())
	mustDo(t, err)
	mustDo(t, j.Undo())
	mustDo(t, j.Close())
	if d := diff(before, snapshot(t, filepath.Dir(filepath.Dir(dir)))); d != "" {
		t.Errorf("not as it was found:\n%s", d)
	}
}

func TestRestoreOnARealHost(t *testing.T) {
	inNamespace(t)
	j, err := Open(t.TempDir(), discard())
	mustDo(t, err)
	defer j.Close()
	mustDo(t, onRealHost(j))
	defer j.Undo()
	if d := j.Verify(); len(d) != 0 {
		t.Fatalf("drift from the start: %+v", d)
	}
	lo, err := netlink.LinkByName("lo")
	mustDo(t, err)
	mustDo(t, netlink.AddrDel(lo, netlinkAddr(Change{Prefix: vip(100).Prefix})))
	mustDo(t, writeSysctl("net/ipv4/conf/eth0.5/arp_ignore", "0"))
	mustDo(t, unix.Unmount(filepath.Join(j.Dir(), "bpf"), 0))
	if d := j.Restore(); len(d) != 3 {
		t.Errorf("put back %+v", d)
	}
	if d := j.Verify(); len(d) != 0 {
		t.Errorf("still %+v", d)
	}
	eth, err := netlink.LinkByName("eth0.5")
	mustDo(t, err)
	mustDo(t, netlink.LinkDel(eth))
	if d := j.Restore(); len(d) != 7 || d[0].Found != Gone || d[0].Err == nil {
		t.Errorf("without the interface: %+v", d)
	}
	mustDo(t, addEthernet())
	j.Restore()
	if d := j.Verify(); len(d) != 0 {
		t.Errorf("after the interface came back: %+v", d)
	}
}

func TestTheMountWaitsForNobody(t *testing.T) {
	inNamespace(t)
	j, err := Open(t.TempDir(), discard())
	mustDo(t, err)
	defer j.Close()
	mustDo(t, j.MountBPF("bpf"))
	stander, err := os.Open(filepath.Join(j.Dir(), "bpf")) // as a shell whose working directory it is
	mustDo(t, err)
	defer stander.Close()
	mustDo(t, j.Undo())
	if there, err := mounted(filepath.Join(j.Dir(), "bpf")); there || err != nil {
		t.Errorf("still mounted: %v", err)
	}
}

func TestAnotherFileSystemInTheWay(t *testing.T) {
	inNamespace(t)
	j, err := Open(t.TempDir(), discard())
	mustDo(t, err)
	defer j.Close()
	place := filepath.Join(j.Dir(), "bpf")
	mustDo(t, os.Mkdir(place, 0o700))
	mustDo(t, unix.Mount("tmpfs", place, "tmpfs", 0, ""))
	defer unix.Unmount(place, 0)
	if err := j.MountBPF("bpf"); !errors.Is(err, ErrInTheWay) {
		t.Errorf("got %v", err)
	}
	mustDo(t, j.Undo())
	if _, err := mounted(place); !errors.Is(err, ErrInTheWay) {
		t.Error("Undo unmounted what is not ours")
	}
}

func TestFilesCannotLeadOutOfTheRunDirectory(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	precious := filepath.Join(outside, "precious")
	mustDo(t, os.WriteFile(precious, nil, 0o600))
	j, err := Open(dir, discard())
	mustDo(t, err)
	defer j.Close()
	mustDo(t, j.AddFile("x/precious"))
	mustDo(t, os.Symlink(outside, filepath.Join(dir, "x")))
	_ = j.Undo()
	if _, err := os.Stat(precious); err != nil {
		t.Errorf("followed a link out: %v", err)
	}
}

func TestNamespacesAreToldApart(t *testing.T) {
	outer, err := linux{}.place()
	mustDo(t, err)
	inNamespace(t)
	inner, err := linux{}.place()
	mustDo(t, err)
	if outer.same(inner) || !inner.same(inner) || inner.Cookie == 0 || inner.Boot == "" {
		t.Errorf("outer %+v, inner %+v", outer, inner)
	}
	if !(linux{}).alive(outer) {
		t.Error("the namespace of this process is thought to be gone")
	}
	if (linux{}).alive(Place{Inode: 1}) {
		t.Error("a namespace that never was is thought to be there")
	}
}
