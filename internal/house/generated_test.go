package house

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const (
	filterDir = "internal/filter"
	// compiler is the one that made what is checked in; another version makes other bytes of the same meaning.
	compiler = "clang version 14."
)

// TestFilterObjectsAreCurrent compiles the eBPF sources again and compares every byte.
func TestFilterObjectsAreCurrent(t *testing.T) {
	version, err := exec.Command("clang", "--version").Output()
	if err != nil || !strings.Contains(string(version), compiler) {
		missingPeer(t, compiler+"x", "clang llvm libbpf-dev linux-libc-dev, of Debian 12")
		return
	}
	made := t.TempDir()
	lines := regexp.MustCompile(`(?m)^//go:generate go tool bpf2go (.*)$`).FindAllStringSubmatch(read(t, filterDir+"/gen.go"), -1)
	if lines == nil {
		t.Fatal("no bpf2go in gen.go")
	}
	for _, line := range lines {
		cmd := exec.Command("sh", "-c", "go tool bpf2go -output-dir "+made+" "+line[1])
		cmd.Dir = filepath.Join(root, filterDir)
		cmd.Env = append(os.Environ(), "GOPACKAGE=filter")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("bpf2go: %v\n%s", err, out)
		}
	}
	fresh, err := filepath.Glob(made + "/*")
	if err != nil || len(fresh) != 2*len(lines) {
		t.Fatalf("bpf2go made %v, %v: want an object and its Go file for each of %d sources", fresh, err, len(lines))
	}
	for _, path := range fresh {
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(filterDir, filepath.Base(path))
		if have := read(t, name); !bytes.Equal([]byte(have), want) {
			t.Errorf("%s is not what its sources make: run `make generate` and commit it", name)
		}
	}
}
