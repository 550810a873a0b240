package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestReadersOfLogs(t *testing.T) {
	hosts := []string{"a", "b", "c"}
	corosyncTime := time.Date(time.Now().UTC().Year(), 11, 2, 8, 20, 24, 284e6, time.UTC)
	tests := []struct {
		name    string
		read    reader
		line    string
		at      time.Time
		members string
		fails   bool
	}{
		{"Muster's view", readMuster, `{"time":"2026-11-22T08:20:24.284Z","level":"INFO","msg":"view_installed","host":"a","epoch":7,"why":"a, c"}`,
			time.Date(2026, 11, 22, 8, 20, 24, 284e6, time.UTC), "a c", false},
		{"Muster's view of one", readMuster, `{"time":"2026-11-22T08:20:24Z","msg":"view_installed","why":"a"}`, time.Date(2026, 11, 22, 8, 20, 24, 0, time.UTC), "a", false},
		{"Muster, something else", readMuster, `{"time":"2026-11-22T08:20:24Z","msg":"host_silent","why":"not heard"}`, time.Time{}, "", false},
		{"Muster, a view of nobody", readMuster, `{"time":"2026-11-22T08:20:24Z","msg":"view_installed","why":""}`, time.Time{}, "", true},
		{"Muster, half a line", readMuster, `{"msg":"view_installed","why`, time.Time{}, "", true},
		{"corosync's members", readCorosync, "Nov  2 08:20:24.284 notice  [QUORUM] Members[2]: 1 3\n", corosyncTime, "a c", false},
		{"corosync, members before they have agreed", readCorosync, "Nov  2 08:20:24.284 notice  [QUORUM] Sync members[2]: 1 3\n", time.Time{}, "", false},
		{"corosync, a new ring", readCorosync, "Nov  2 08:20:24.284 notice  [TOTEM ] A new membership (1.d) was formed. Members joined: 2\n", time.Time{}, "", false},
		{"corosync, a host that there is not", readCorosync, "Nov  2 08:20:24.284 notice  [QUORUM] Members[1]: 4\n", time.Time{}, "", true},
		{"memberlist's members", readMemberlist, "1795335624284000000 a c\n", time.Unix(0, 1795335624284000000), "a c", false},
		{"memberlist, an error", readMemberlist, "bench: start memberlist: no\n", time.Time{}, "", true},
		{"memberlist, an empty line", readMemberlist, "\n", time.Time{}, "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := tt.read(tt.line, hosts)
			if (err != nil) != tt.fails || !m.at.Equal(tt.at) || strings.Join(m.members, " ") != tt.members {
				t.Errorf("got %v, %v", m, err)
			}
		})
	}
}

// TestJournal: what is written is read once, whole lines only, and removals are counted for each time.
func TestJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	j := &journal{host: "a", path: path, hosts: []string{"a", "b", "c"}, read: readMemberlist}
	all := []string{"a", "b", "c"}
	steps := []struct {
		written string
		after   int64
		first   int64 // when all were members first; 0: they are not
		removed string
		changes int
	}{
		{"1 a\n2 b a\n3 c", 0, 0, "", 2},
		{" b a\n", 0, 3, "", 3},
		{"4 a b\n5 a b c\n6 c b a\n", 4, 5, "", 2},
		{"7 a\n8 a b c\n9 a b\n10 a b c\n", 4, 5, "b c c", 6},
		{"", 9, 10, "", 1},
		{"", 11, 0, "", 0},
	}
	for _, step := range steps {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteString(step.written); err != nil {
			t.Fatal(err)
		}
		file.Close()
		if err := j.look(); err != nil {
			t.Fatal(err)
		}
		after := time.Unix(0, step.after)
		first, ok := j.firstSince(after, all)
		if ok != (step.first != 0) || ok && first.UnixNano() != step.first {
			t.Errorf("after %q: all since %v, %v; want %d", step.written, first, ok, step.first)
		}
		var removed []string
		for _, r := range j.removals(after) {
			removed = append(removed, r.host)
		}
		slices.Sort(removed)
		if strings.Join(removed, " ") != step.removed || j.changes(after) != step.changes {
			t.Errorf("after %q: removed %v in %d changes, want %q in %d", step.written, removed, j.changes(after), step.removed, step.changes)
		}
	}
}

// TestStandingStill: who was removed while he himself did nothing for longer than the others wait was removed rightly.
func TestStandingStill(t *testing.T) {
	at := func(ms int) time.Time { return time.Date(2026, 1, 2, 3, 4, 0, ms*1e6, time.UTC) }
	line := func(why string) string {
		return `{"time":"2026-01-02T03:04:00.1Z","level":"INFO","msg":"stalled","host":"b","why":"` + why + `"}`
	}
	for _, tc := range []struct {
		name, why, removed string
		at                 int
		want               bool
	}{
		{"removed meanwhile", "our own timer was 50ms late; nobody is accused for that time", "b", 95, true},
		{"removed just after", "our own timer was 50ms late; nobody is accused for that time", "b", 110, true},
		{"too short to be missed", "our own timer was 30ms late; nobody is accused for that time", "b", 95, false},
		{"long before", "our own timer was 50ms late; nobody is accused for that time", "b", 10, false},
		{"long after", "our own timer was 50ms late; nobody is accused for that time", "b", 300, false},
		{"another host", "our own timer was 50ms late; nobody is accused for that time", "c", 95, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			said, err := readMuster(line(tc.why), nil)
			if err != nil {
				t.Fatal(err)
			}
			m := &match{rival: musterRival("fast"), logs: []*journal{{host: "a"}, {host: "b", pauses: []standstill{said.stood}}, {host: "c"}}}
			if got := m.stoodStill(removal{tc.removed, at(tc.at)}); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
	if _, err := readMuster(line("late"), nil); err == nil {
		t.Error("a line that does not say how late is taken")
	}
}

// TestRivalsAreOfBenchOnly keeps what figures are compared with out of the product.
func TestRivalsAreOfBenchOnly(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "../cmd/muster").Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(out), "github.com/muster-ha/muster/internal/agent\n") {
		t.Fatalf("the list does not hold the agent: %s", out)
	}
	if strings.Contains(string(out), "hashicorp/memberlist") {
		t.Error("muster itself is built with memberlist")
	}
}
