package system

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestOneProcessAtATime(t *testing.T) {
	dir := memoryDir(t)
	j, err := open(dir, discard(), newHost())
	mustDo(t, err)
	if _, err := open(dir, discard(), newHost()); !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), dir) {
		t.Errorf("second open: %v", err)
	}
	mustDo(t, j.Close())
	again, err := open(dir, discard(), newHost())
	if err != nil {
		t.Fatalf("after Close: %v", err)
	}
	mustDo(t, again.Close())
}

func TestDirectoriesThatOpenMadeAreRemoved(t *testing.T) {
	top := memoryDir(t)
	dir := filepath.Join(top, "muster", "shop")
	host := newHost()
	j, err := open(dir, discard(), host)
	mustDo(t, err)
	mustDo(t, everything(j))
	mustDo(t, j.Close()) // killed or restarted: the next process finishes
	if _, err := os.Stat(dir); err != nil {
		t.Fatal("Close without Undo removed the run directory")
	}
	j, err = open(dir, discard(), host)
	mustDo(t, err)
	mustDo(t, j.Undo())
	mustDo(t, j.Close())
	if left, _ := os.ReadDir(top); len(left) != 0 {
		t.Errorf("left %v", left)
	}
	if _, err := os.Stat(top); err != nil {
		t.Error("removed a directory that was there before")
	}
}

func TestARunDirectoryWithFilesOfOthersStays(t *testing.T) {
	dir := filepath.Join(memoryDir(t), "run")
	j, err := open(dir, discard(), newHost())
	mustDo(t, err)
	mustDo(t, os.WriteFile(filepath.Join(dir, "notes"), nil, 0o600))
	mustDo(t, everything(j))
	mustDo(t, j.Undo())
	mustDo(t, j.Close())
	if _, err := os.Stat(filepath.Join(dir, "notes")); err != nil {
		t.Error(err)
	}
}

func TestWhatASecondProcessFinds(t *testing.T) {
	tests := []struct {
		name  string
		here  Place
		alive bool
		left  string // kinds, in order
		err   error
	}{
		{name: "same place", here: Place{Boot: "b1", Cookie: 7, Inode: 100}, left: "directory mount pins file address sysctl sysctl reception membership"},
		{name: "same place, old kernel", here: Place{Boot: "b1", Inode: 100}, left: "directory mount pins file address sysctl sysctl reception membership"},
		{name: "after a reboot", here: Place{Boot: "b2", Cookie: 7, Inode: 100}, alive: true, left: "directory file"},
		{name: "namespace gone", here: Place{Boot: "b1", Cookie: 9, Inode: 100}, left: "directory mount pins file"},
		{name: "namespace elsewhere", here: Place{Boot: "b1", Cookie: 9, Inode: 200}, alive: true, err: ErrNamespace},
		{name: "namespace elsewhere, old kernel", here: Place{Boot: "b1", Inode: 200}, alive: true, err: ErrNamespace},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			host, dir := newHost(), memoryDir(t)
			host.process(t, dir, func(j *Journal) { mustDo(t, everything(j)) })
			host.here, host.old = tt.here, tt.alive
			j, err := open(dir, discard(), host)
			if !errors.Is(err, tt.err) {
				t.Fatalf("got %v, want %v", err, tt.err)
			}
			if err != nil {
				return
			}
			defer j.Close()
			var kinds []string
			for _, c := range j.Changes() {
				kinds = append(kinds, string(c.Kind))
			}
			if got := strings.Join(kinds, " "); got != tt.left {
				t.Errorf("left %q, want %q", got, tt.left)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	host, dir := newHost(), memoryDir(t)
	host.gone = "eth9"
	host.process(t, dir, func(j *Journal) {
		tests := []struct {
			name string
			err  error
			want error
		}{
			{"sysctl outside", j.SetSysctl("kernel/sysrq", "1"), ErrMalformed},
			{"sysctl with dots", j.SetSysctl("net.ipv4.ip_forward", "1"), ErrMalformed},
			{"raise outside", j.RaiseSysctl("kernel/sysrq", 1), ErrMalformed},
			{"value", j.SetSysctl("net/ipv4/ip_forward", "on"), ErrMalformed},
			{"path above", j.MountBPF("../bpf"), ErrMalformed},
			{"path elsewhere", j.AddFile("/etc/passwd"), ErrMalformed},
			{"loopback", j.AddAddress("lo", Address{}), ErrMalformed},
			{"no interface for an address", j.AddAddress("eth9", vip(1)), ErrGone},
			{"no interface for a sysctl", j.RaiseSysctl("net/ipv4/conf/eth9/arp_ignore", 1), ErrGone},
		}
		for _, tt := range tests {
			if !errors.Is(tt.err, tt.want) {
				t.Errorf("%s: got %v, want %v", tt.name, tt.err, tt.want)
			}
		}
		if n := len(j.Changes()); n != 0 || len(host.history) != 0 {
			t.Errorf("%d changes noted, host %v", n, host.history)
		}
	})
}

func TestWhatCannotBeWrittenDownIsNotDone(t *testing.T) {
	host, dir := newHost(), memoryDir(t)
	host.process(t, dir, func(j *Journal) {
		mustDo(t, os.Mkdir(filepath.Join(dir, journalName), 0o700)) // rename onto it fails
		if err := j.AddAddress("lo", vip(1)); err == nil {
			t.Error("no error")
		}
		if len(host.states) != 0 || len(j.Changes()) != 0 {
			t.Errorf("done all the same: %v", host.states)
		}
	})
}

func TestAbsoluteAndRelativePathsAreTheSame(t *testing.T) {
	host, dir := newHost(), memoryDir(t)
	link := dir + "-link"
	mustDo(t, os.Symlink(dir, link))
	defer os.Remove(link)
	host.process(t, link, func(j *Journal) {
		mustDo(t, j.MountBPF("bpf"))
		mustDo(t, j.MountBPF(filepath.Join(dir, "bpf")))
		mustDo(t, j.MountBPF(filepath.Join(link, "bpf")))
		if n := len(j.Changes()); n != 2 {
			t.Errorf("%d changes: %v", n, j.Changes())
		}
	})
}
