package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// niceness of every thread of the agent: its work is a few hundred short wake-ups a second, and each that comes late looks like
	// a dying host to the others.
	niceness = -19

	// slackShare is the part of an interval by which the kernel may delay our timers to serve several at once. Go's own watchman
	// sleeps for 20 microseconds at a time while there is work; that, and threads that wake each other, is most of what
	// an idle agent costs.
	slackShare = 40

	// oneThread is the interval from which on one running thread is enough: the longest that a goroutine keeps another waiting then
	// (10 ms) is half of it.
	oneThread = 20 * time.Millisecond
)

// hurry asks the kernel to prefer the agent to whatever else runs on the host, and the runtime not to waste processor time on
// promptness that an interval does not need.
func hurry(interval time.Duration, log *slog.Logger) {
	if interval >= oneThread {
		runtime.GOMAXPROCS(1)
	}
	if err := forEachThread(func(tid int) error {
		slack := strconv.FormatInt((interval / slackShare).Nanoseconds(), 10)
		return errors.Join(unix.Setpriority(unix.PRIO_PROCESS, tid, niceness),
			os.WriteFile(fmt.Sprintf("/proc/%d/timerslack_ns", tid), []byte(slack), 0))
	}); err != nil {
		log.Warn("cannot raise the agent's priority, so a busy machine may look like a dying one to the other hosts: give it CAP_SYS_NICE", "err", err)
	}
}

// forEachThread calls f for the threads that are there now; the runtime's later ones inherit from them.
func forEachThread(f func(tid int) error) error {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("list threads: %w", err)
	}
	for _, task := range tasks {
		tid, err := strconv.Atoi(task.Name())
		if err != nil {
			continue
		}
		if err := f(tid); err != nil {
			return fmt.Errorf("set priority of thread %d: %w", tid, err)
		}
	}
	return nil
}
