package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"
)

// machine is where something was measured.
type machine struct {
	CPU        string `json:"cpu"`
	Cores      int    `json:"cores"`
	MemoryMB   int    `json:"memory_mb"`
	Kernel     string `json:"kernel"`
	Go         string `json:"go"`
	Keepalived string `json:"keepalived"`
	StressNG   string `json:"stress_ng"`
	Corosync   string `json:"corosync"`
	Memberlist string `json:"memberlist"`
}

func thisMachine() (machine, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return machine{}, fmt.Errorf("ask for the kernel's version: %w", err)
	}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return machine{}, fmt.Errorf("ask for the memory's size: %w", err)
	}
	cpus, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return machine{}, fmt.Errorf("read the processor's name: %w", err)
	}
	return machine{CPU: modelName(string(cpus)), Cores: runtime.NumCPU(), MemoryMB: int(info.Totalram * uint64(info.Unit) >> 20),
		Kernel: unix.ByteSliceToString(name.Release[:]), Go: runtime.Version(),
		Keepalived: firstLine("keepalived", "--version"), StressNG: firstLine("stress-ng", "--version"),
		Corosync: firstLine("corosync", "-v"), Memberlist: "memberlist " + moduleVersion("github.com/hashicorp/memberlist")}, nil
}

// moduleVersion is the version of a module that this program is built with.
func moduleVersion(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, m := range info.Deps {
		if m.Path == path {
			return m.Version
		}
	}
	return "unknown"
}

// modelName takes the processor's name out of /proc/cpuinfo.
func modelName(cpuinfo string) string {
	for line := range strings.Lines(cpuinfo) {
		key, value, _ := strings.Cut(line, ":")
		if strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// firstLine is what a program calls itself; a row that needs it will say that it is missing.
func firstLine(program string, args ...string) string {
	out, err := exec.Command(program, args...).CombinedOutput()
	if err != nil {
		return "not installed"
	}
	line, _, _ := bytes.Cut(bytes.TrimSpace(out), []byte("\n"))
	return string(line)
}

// commit is what is measured; "-dirty": and something that is not committed, beside what this program itself writes.
func commit() string {
	out, err := exec.Command("git", "rev-parse", "--short=10", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	name := strings.TrimSpace(string(out))
	if exec.Command("git", "diff", "--quiet", "HEAD", "--", ".", ":!"+resultsPath, ":!"+pagePath).Run() != nil {
		name += "-dirty"
	}
	return name
}
