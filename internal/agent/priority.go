package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
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
	// sleeps for 20 microseconds at a time while there is work; that, and threads that wake each other, was more than half of
	// what an idle agent cost. A tick that is a quarter of an interval late costs nothing: silence is counted in ticks.
	slackShare = 4

	// ordinaryFrom is the interval from which on niceness is enough. Shorter ones want real time: beside busy cores a nice thread waits for
	// a few milliseconds now and then, and a lease of 25 ms has no room for several of them.
	ordinaryFrom = 20 * time.Millisecond

	// realTime is the lowest real-time priority: before everything ordinary, behind what a host runs in real time on purpose. Round
	// robin, so that our own threads do not wait for each other.
	realTime = 1

	// A thread in real time that never sleeps would starve a core. After spinLimit it is made ordinary again, after spinEnd the kernel
	// ends the agent, and its guard tells the others. No work of the agent comes near: a garbage collection takes milliseconds.
	spinLimit = 200 * time.Millisecond
	spinEnd   = 2 * time.Second
)

// The ways in which the kernel schedules the agent, for people.
const (
	scheduledRealTime = "real time, round robin, priority 1"
	scheduledNice     = "nice -19"
	scheduledOrdinary = "ordinary: the agent may not raise its priority"
)

// hurry asks the kernel to prefer the agent to whatever else runs on the host, and the runtime not to waste processor time on
// promptness that an interval does not need. It returns how the agent is scheduled now.
//
// All threads get the same, not only the one that the loop is on: Go's collector and scheduler stop the loop until their own threads
// have run. But only one of them runs Go code at a time. With two, the one that sweeps memory last turns in circles until the other has finished,
// and in real time nobody gets that processor from it: where several agents shared two, they stood still for 50 ms at a time. What one thread
// costs is that a goroutine keeps another waiting for 10 ms at the most.
func hurry(interval time.Duration, log *slog.Logger) string {
	runtime.GOMAXPROCS(1)
	if err := forEachThread(func(tid int) error {
		slack := strconv.FormatInt((interval / slackShare).Nanoseconds(), 10)
		return errors.Join(unix.Setpriority(unix.PRIO_PROCESS, tid, niceness),
			os.WriteFile(fmt.Sprintf("/proc/%d/timerslack_ns", tid), []byte(slack), 0))
	}); err != nil {
		log.Warn("cannot raise the agent's priority, so a busy machine may look like a dying one to the other hosts: give it CAP_SYS_NICE", "err", err)
		return scheduledOrdinary
	}
	hurrySession(log)
	if interval >= ordinaryFrom {
		return scheduledNice
	}
	if err := hurryMore(log); err != nil {
		log.Warn("cannot run in real time, so a busy machine may look like a dying one to the other hosts at this interval: "+
			"give the agent CAP_SYS_NICE and its control group real-time runtime, or use profile steady", "err", err)
		return scheduledNice
	}
	return scheduledRealTime
}

// hurrySession prefers the agent's session too, if it is the agent's alone, as a service's is. Where the kernel shares the processor among
// sessions first, niceness counts only within one: on a machine whose other sessions were busy, ticks came seconds late.
func hurrySession(log *slog.Logger) {
	if session, err := unix.Getsid(0); err != nil || session != os.Getpid() {
		return
	}
	err := os.WriteFile("/proc/self/autogroup", []byte(strconv.Itoa(niceness)), 0)
	if err != nil && !errors.Is(err, os.ErrNotExist) { // without it the kernel does not group by session
		log.Warn("cannot raise the priority of the agent's session", "err", err)
	}
}

// hurryMore makes all threads real-time, with a watch on those that do not sleep.
func hurryMore(log *slog.Logger) error {
	limit := unix.Rlimit{Cur: uint64(spinLimit.Microseconds()), Max: uint64(spinEnd.Microseconds())}
	spinning := make(chan os.Signal, 1)
	signal.Notify(spinning, unix.SIGXCPU) // before the limit: the runtime would end the agent
	if err := unix.Setrlimit(unix.RLIMIT_RTTIME, &limit); err != nil {
		signal.Stop(spinning)
		return fmt.Errorf("bound real time: %w", err)
	}
	if err := schedule(unix.SCHED_RR, realTime); err != nil {
		signal.Stop(spinning)
		return errors.Join(err, schedule(unix.SCHED_NORMAL, 0))
	}
	go func() {
		for range spinning {
			log.Error("the agent has not slept for 200 ms in real time: it goes on as an ordinary process; please report this", "err", schedule(unix.SCHED_NORMAL, 0))
		}
	}()
	return nil
}

// schedule gives every thread a policy. A thread that was started meanwhile by one that had the old policy is found the second time.
func schedule(policy uint32, priority uint32) error {
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: policy, Priority: priority}
	if policy == unix.SCHED_NORMAL {
		attr.Nice = niceness
	}
	set := func(tid int) error { return unix.SchedSetAttr(tid, &attr, 0) }
	return errors.Join(forEachThread(set), forEachThread(set))
}

// forEachThread calls f for the threads that are there now; the runtime's later ones inherit from them. A thread may end meanwhile.
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
		if err := f(tid); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("set priority of thread %d: %w", tid, err)
		}
	}
	return nil
}
