package system

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// journal wraps changes into an otherwise good journal.
func journal(changes string) string {
	return `{"format":1,"place":{"boot":"b","inode":1},"changes":[` + changes + `]}`
}

const (
	goodAddress = `{"kind":"address","link":"lo","prefix":"10.77.0.100/32","scope":254,"want":"present","found":"absent"}`
	goodSysctl  = `{"kind":"sysctl","sysctl":"net/ipv4/conf/eth0.5/arp_ignore","want":"1","found":"0"}`
	goodMount   = `{"kind":"mount","path":"bpf","want":"present","found":"absent"}`
	goodListen  = `{"kind":"neighbour","link":"eth0","prefix":"fd00:77::100/128","want":"present","found":"absent"}`
	goodPins    = `{"kind":"pins","path":"bpf/filter","want":"present","found":"absent"}`
)

func TestParseRefusesWhatMusterDidNotWrite(t *testing.T) {
	sysctl := func(name, want string) string {
		return fmt.Sprintf(`{"kind":"sysctl","sysctl":%q,"want":%q,"found":"0"}`, name, want)
	}
	path := func(kind, p string) string {
		return fmt.Sprintf(`{"kind":%q,"path":%q,"want":"present","found":"absent"}`, kind, p)
	}
	tests := map[string]string{
		"nothing":                   "",
		"not JSON":                  "undo",
		"other format":              `{"format":2,"changes":[]}`,
		"no format":                 `{"changes":[]}`,
		"unknown key":               `{"format":1,"exec":"rm","changes":[]}`,
		"something after":           journal("") + "{}",
		"too large":                 journal("") + strings.Repeat(" ", maxJournal),
		"too many directories":      `{"format":1,"made_dirs":9,"changes":[]}`,
		"negative directories":      `{"format":1,"made_dirs":-1,"changes":[]}`,
		"unknown kind":              journal(`{"kind":"exec","path":"x","want":"present","found":"absent"}`),
		"twice":                     journal(goodAddress + "," + goodAddress),
		"sysctl outside net":        journal(sysctl("kernel/core_pattern", "1")),
		"sysctl of another net":     journal(sysctl("net/core/bpf_jit_harden", "0")),
		"sysctl going up":           journal(sysctl("net/ipv4/../../kernel/sysrq", "1")),
		"sysctl absolute":           journal(sysctl("/proc/sys/net/ipv4/ip_forward", "1")),
		"sysctl with a hidden line": journal(sysctl("net/ipv4/ip_forward\n", "1")),
		"value not a number":        journal(sysctl("net/ipv4/ip_forward", "|/bin/sh")),
		"value of two lines":        journal(sysctl("net/ipv4/ip_forward", "1\n2")),
		"was not a number":          journal(strings.Replace(goodSysctl, `"found"`, `"was":"x","found"`, 1)),
		"mount above":               journal(path("mount", "../bpf")),
		"mount absolute":            journal(path("mount", "/sys/fs/bpf")),
		"mount of the directory":    journal(path("mount", ".")),
		"pins above":                journal(path("pins", "bpf/../../etc")),
		"file absolute":             journal(path("file", "/etc/passwd")),
		"empty path":                journal(path("directory", "")),
		"long path":                 journal(path("file", strings.Repeat("a", 201))),
		"state of a path":           journal(`{"kind":"mount","path":"bpf","want":"absent","found":"present"}`),
		"listening for IPv4":        journal(strings.Replace(goodListen, "fd00:77::100/128", "10.77.0.100/32", 1)),
		"listening for a subnet":    journal(strings.Replace(goodListen, "/128", "/64", 1)),
		"listening for nothing":     journal(strings.Replace(goodListen, `"prefix":"fd00:77::100/128",`, "", 1)),
		"listening with a scope":    journal(strings.Replace(goodListen, `"want"`, `"scope":254,"want"`, 1)),
		"listening with a path":     journal(strings.Replace(goodListen, `"want"`, `"path":"x","want"`, 1)),
		"address with a path":       journal(strings.Replace(goodAddress, `"want"`, `"path":"x","want"`, 1)),
		"mount with a sysctl":       journal(strings.Replace(goodMount, `"want"`, `"sysctl":"net/ipv4/ip_forward","want"`, 1)),
		"sysctl with a link":        journal(strings.Replace(goodSysctl, `"want"`, `"link":"lo","want"`, 1)),
		"interface with a slash":    journal(strings.Replace(goodAddress, `"lo"`, `"../lo"`, 1)),
		"interface too long":        journal(strings.Replace(goodAddress, `"lo"`, `"abcdefghijklmnop"`, 1)),
		"interface missing":         journal(strings.Replace(goodAddress, `"lo"`, `""`, 1)),
		"loopback address":          journal(strings.Replace(goodAddress, "10.77.0.100/32", "127.0.0.1/8", 1)),
		"any address":               journal(strings.Replace(goodAddress, "10.77.0.100/32", "0.0.0.0/0", 1)),
		"multicast address":         journal(strings.Replace(goodAddress, "10.77.0.100/32", "224.0.0.1/32", 1)),
		"no address":                journal(strings.Replace(goodAddress, `"prefix":"10.77.0.100/32",`, "", 1)),
		"too many changes":          journal(manyChanges(maxChanges + 1)),
	}
	for name, data := range tests {
		t.Run(name, func(t *testing.T) {
			if d, err := parse([]byte(data)); !errors.Is(err, ErrMalformed) {
				t.Errorf("accepted: %+v, %v", d, err)
			}
		})
	}
}

func manyChanges(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = strings.Replace(goodMount, "bpf", fmt.Sprint("d", i), 1)
	}
	return strings.Join(all, ",")
}

func TestParseAcceptsWhatMusterWrites(t *testing.T) {
	host, dir := newHost(), memoryDir(t)
	var changes []Change
	host.process(t, dir, func(j *Journal) {
		if err := everything(j); err != nil {
			t.Fatal(err)
		}
		changes = j.Changes()
	})
	d, found, err := load(dir)
	if err != nil || !found || !reflect.DeepEqual(d.Changes, changes) || d.Place != host.here {
		t.Errorf("read %+v, %v\nwrote %+v", d, err, changes)
	}
	st, err := os.Stat(filepath.Join(dir, journalName))
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	if _, err := parse([]byte(journal(strings.Join([]string{goodAddress, goodSysctl, goodMount, goodPins, goodListen}, ",")))); err != nil {
		t.Errorf("the table above proves nothing: %v", err)
	}
	if _, err := parse([]byte(journal(manyChanges(maxChanges)))); err != nil {
		t.Errorf("the largest journal: %v", err)
	}
}

func TestLoadRefusesJournalsOfOthers(t *testing.T) {
	path := func(dir string) string { return filepath.Join(dir, journalName) }
	write := func(t *testing.T, p string, mode os.FileMode) {
		t.Helper()
		if err := errors.Join(os.WriteFile(p, []byte(journal(goodAddress)), 0o600), os.Chmod(p, mode)); err != nil {
			t.Fatal(err)
		}
	}
	tests := map[string]func(t *testing.T, dir string){
		"writable by the group":  func(t *testing.T, dir string) { write(t, path(dir), 0o660) },
		"writable by all":        func(t *testing.T, dir string) { write(t, path(dir), 0o602) },
		"a directory":            func(t *testing.T, dir string) { mustDo(t, os.Mkdir(path(dir), 0o700)) },
		"owned by somebody else": func(t *testing.T, dir string) { write(t, path(dir), 0o600); mustDo(t, os.Chown(path(dir), 1, 1)) },
		"a symbolic link": func(t *testing.T, dir string) {
			write(t, path(dir)+".other", 0o600)
			mustDo(t, os.Symlink(path(dir)+".other", path(dir)))
		},
	}
	for name, prepare := range tests {
		t.Run(name, func(t *testing.T) {
			dir := memoryDir(t)
			prepare(t, dir)
			if d, _, err := load(dir); err == nil {
				t.Errorf("accepted: %+v", d)
			}
		})
	}
	dir := memoryDir(t)
	write(t, path(dir), 0o600)
	if _, found, err := load(dir); err != nil || !found {
		t.Errorf("the table above proves nothing: %v", err)
	}
}

func TestACorruptJournalNamesFileAndRemedy(t *testing.T) {
	dir := memoryDir(t)
	file := filepath.Join(dir, journalName)
	mustDo(t, os.WriteFile(file, []byte("\x00\x01"), 0o600))
	_, _, err := load(dir)
	if err == nil || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("got %v", err)
	}
}

func mustDo(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(journal(strings.Join([]string{goodAddress, goodSysctl, goodMount, goodPins, goodListen}, ","))))
	f.Add([]byte(journal(`{"kind":"file","path":"a/../../b","want":"present","found":"absent"}`)))
	f.Add([]byte(`{"format":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := parse(data)
		if err != nil {
			return
		}
		for _, c := range d.Changes {
			harmless(t, c)
		}
		again, err := json.Marshal(d)
		if err != nil {
			t.Fatalf("cannot be written again: %v", err)
		}
		if _, err := parse(again); err != nil {
			t.Fatalf("cannot be read again: %v", err)
		}
	})
}

// harmless judges a change in its own way: where would it end up?
func harmless(t *testing.T, c Change) {
	t.Helper()
	inside := func(root, p string) bool {
		full := filepath.Join(root, p)
		return strings.HasPrefix(full, root+"/")
	}
	switch {
	case c.Kind == KindSysctl && !inside("/proc/sys/net/ipv4", strings.TrimPrefix(c.Sysctl, "net/ipv4")) && !inside("/proc/sys/net/ipv6", strings.TrimPrefix(c.Sysctl, "net/ipv6")),
		slices.Contains([]Kind{KindMount, KindPins, KindDirectory, KindFile}, c.Kind) && !inside("/run/muster", c.Path),
		strings.ContainsAny(c.Want+c.Found+c.Was+c.Link+c.Sysctl, "\n\r\x00"):
		t.Errorf("accepted %+v", c)
	}
}
