package doctor

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/config"
)

// preemptBelow is the interval of heartbeats below which it matters how soon the kernel lets a real-time process run: from there on an interval is
// longer than most system calls.
const preemptBelow = 20 * time.Millisecond

// Preemption is when a kernel interrupts a system call for a process that is more urgent. The zero value: this host was not looked at.
type Preemption string

// The models (Documentation/admin-guide/kernel-parameters, preempt=). With the first two a system call of somebody else, such as the loading of an eBPF
// program, holds a real-time process up for 10 ms and more.
const (
	PreemptNone      Preemption = "none"
	PreemptVoluntary Preemption = "voluntary"
	PreemptLazy      Preemption = "lazy"
	PreemptFull      Preemption = "full"
	PreemptUnknown   Preemption = "not known"
)

// readPreemption asks the kernel. What was chosen while it runs is only in debugfs, which not every host has mounted or lets be read.
func readPreemption() Preemption {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return PreemptUnknown
	}
	chosen, _ := os.ReadFile("/sys/kernel/debug/sched/preempt")
	command, _ := os.ReadFile("/proc/cmdline")
	return preemption(unix.ByteSliceToString(name.Version[:]), string(chosen), string(command))
}

var (
	chosenModel = regexp.MustCompile(`\((none|voluntary|lazy|full)\)`)
	bootedModel = regexp.MustCompile(`(?:^|\s)preempt=(none|voluntary|lazy|full)(?:\s|$)`)
)

// preemption judges by the kernel's build ("#1 SMP PREEMPT_DYNAMIC ..."), the model chosen while it runs ("none (voluntary) full"), and what it was booted with.
func preemption(build, chosen, command string) Preemption {
	words := strings.Fields(build)
	has := func(word string) bool { return strings.Contains(" "+strings.Join(words, " ")+" ", " "+word+" ") }
	if has("PREEMPT_RT") || has("PREEMPT") {
		return PreemptFull
	}
	if !has("PREEMPT_DYNAMIC") {
		return PreemptNone // or voluntary, which comes to the same here
	}
	if m := chosenModel.FindStringSubmatch(chosen); m != nil {
		return Preemption(m[1])
	}
	if m := bootedModel.FindStringSubmatch(command); m != nil {
		return Preemption(m[1])
	}
	return PreemptUnknown
}

func (f *findings) preemption(cfg *config.Config, facts Facts) {
	switch facts.Preemption {
	case PreemptNone, PreemptVoluntary, PreemptUnknown:
	default:
		return
	}
	if cfg.Heartbeat.Interval >= preemptBelow {
		return
	}
	f.note(CheckKernel, "kernel", fmt.Sprintf("preemption is %s and heartbeats go every %v: system calls of other processes may hold the agent up for longer than this host may be silent",
		facts.Preemption, cfg.Heartbeat.Interval), "boot with preempt=full (kernels of Debian and Ubuntu take it), or use `heartbeat: {profile: steady}`")
}
