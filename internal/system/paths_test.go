package system

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// realHost opens a journal on this host, in a directory and a namespace of its own.
func realHost(t *testing.T) *Journal {
	t.Helper()
	inNamespace(t)
	j, err := Open(t.TempDir(), discard())
	mustDo(t, err)
	t.Cleanup(func() {
		_ = j.Undo()
		j.Close()
	})
	return j
}

func TestPathsAfterUndo(t *testing.T) {
	j := realHost(t)
	at := func(p string) string { return filepath.Join(j.Dir(), p) }
	mustDo(t, os.Mkdir(at("was-there"), 0o700))
	for _, d := range []string{"was-there", "empty", "in-use", "pins"} {
		if d == "pins" {
			mustDo(t, j.AddPins(d))
		} else {
			mustDo(t, j.MakeDir(d))
		}
	}
	mustDo(t, os.WriteFile(at("in-use/of-others"), nil, 0o600))
	mustDo(t, os.MkdirAll(at("pins/a/b"), 0o700))
	for _, f := range []string{"socket", "never-made"} {
		mustDo(t, j.AddFile(f))
	}
	mustDo(t, os.WriteFile(at("socket"), nil, 0o600))
	mustDo(t, j.Undo())
	tests := map[string]bool{
		"was-there": true, "empty": false, "in-use/of-others": true, "pins": false, "socket": false, "never-made": false, journalName: false,
	}
	for path, want := range tests {
		if _, err := os.Lstat(at(path)); (err == nil) != want {
			t.Errorf("%s is there: %v, want %v", path, err == nil, want)
		}
	}
}

func TestALeftoverSocketIsOurs(t *testing.T) {
	j := realHost(t)
	socket := filepath.Join(j.Dir(), "control.sock")
	mustDo(t, os.WriteFile(socket, nil, 0o600)) // of an agent whose journal is lost
	mustDo(t, j.AddFile(socket))
	mustDo(t, j.Undo())
	if _, err := os.Lstat(socket); err == nil {
		t.Error("left behind")
	}
}

func TestAFileWhereTheMountShouldBe(t *testing.T) {
	j := realHost(t)
	mustDo(t, os.WriteFile(filepath.Join(j.Dir(), "bpf"), nil, 0o600))
	if err := j.MountBPF("bpf"); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("got %v", err)
	}
}

func TestAMountThatWasThereStays(t *testing.T) {
	j := realHost(t)
	place := filepath.Join(j.Dir(), "bpf")
	mustDo(t, setMount(place, Present))
	defer unmount(place)
	mustDo(t, j.MountBPF("bpf"))
	mustDo(t, j.Undo())
	if there, err := mounted(place); !there || err != nil {
		t.Errorf("taken away: %v", err)
	}
}

func TestTheMountIsForRootAlone(t *testing.T) {
	j := realHost(t)
	mustDo(t, j.MountBPF("bpf"))
	var st unix.Stat_t
	mustDo(t, unix.Stat(filepath.Join(j.Dir(), "bpf"), &st))
	if st.Mode&0o777 != 0o700 {
		t.Errorf("mode %o", st.Mode&0o777)
	}
}

func TestRaiseSysctlOnARealHost(t *testing.T) {
	const name = "net/ipv4/conf/eth0.5/arp_ignore"
	for _, tt := range []struct{ found, least, want string }{{"0", "1", "1"}, {"1", "1", "1"}, {"2", "1", "2"}, {"8", "1", "8"}} {
		t.Run("found "+tt.found, func(t *testing.T) {
			j := realHost(t)
			mustDo(t, writeSysctl(name, tt.found))
			mustDo(t, j.RaiseSysctl(name, 1))
			if got, err := readSysctl(name); got != tt.want || err != nil {
				t.Errorf("raised to %s, %v; want %s", got, err, tt.want)
			}
			mustDo(t, j.Undo())
			if got, err := readSysctl(name); got != tt.found || err != nil {
				t.Errorf("afterwards %s, %v; found %s", got, err, tt.found)
			}
		})
	}
}

func TestAddressesAsAsked(t *testing.T) {
	j := realHost(t)
	six := netip.MustParsePrefix("2001:db8::64/128")
	mustDo(t, j.AddAddress("lo", vip(100)))
	mustDo(t, j.AddAddress("eth0.5", Address{Prefix: six, NoDAD: true}))
	list, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	mustDo(t, err)
	seen := 0
	for _, a := range list {
		switch a.IPNet.String() {
		case "10.77.0.100/32":
			seen++
			if a.Scope != int(ScopeHost) {
				t.Errorf("scope %d", a.Scope)
			}
		case six.String():
			seen++
			if a.Flags&unix.IFA_F_NODAD == 0 {
				t.Errorf("flags %x: duplicates are looked for", a.Flags)
			}
		}
	}
	if seen != 2 {
		t.Errorf("%d of 2 addresses are there", seen)
	}
}

// Run with -race: the agent heals, reloads and shows its status from different goroutines.
func TestManyAtOnce(t *testing.T) {
	host, dir := newHost(), memoryDir(t)
	host.process(t, dir, func(j *Journal) {
		var group sync.WaitGroup
		for n := range 8 {
			group.Go(func() {
				for range 10 {
					if err := j.AddAddress("lo", vip(n)); err != nil {
						t.Error(err)
					}
					j.Restore()
					j.Verify()
					j.Changes()
					j.Undoing()
					if err := j.Release(func(c Change) bool { return c.Prefix == vip(n).Prefix }); err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		undo(t)(j)
	})
	if len(host.states) != 0 {
		t.Errorf("left behind: %v", host.states)
	}
}
