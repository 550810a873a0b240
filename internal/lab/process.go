package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Errors of processes.
var (
	ErrNotRunning = errors.New("it is not running")
	ErrRunning    = errors.New("it is running already")
)

const killPatience = 5 * time.Second

// spec is what is needed to start a process again.
type spec struct {
	Name string   `json:"name"` // its name on the node: agent, web and so on
	Argv []string `json:"argv"`
}

// record identifies a process: a number may be used again, a number with a start time is not.
type record struct {
	spec
	Node  string `json:"node"`
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks after the machine's boot
}

// Process is a process that the lab started on a node.
type Process struct{ record }

// PID is its number.
func (p *Process) PID() int { return p.record.PID }

// Running says whether it still runs.
func (p *Process) Running() bool {
	state, start, err := procStat(p.record.PID)
	return err == nil && start == p.record.Start && state != 'Z'
}

// Signal sends a signal to this process and to nothing that may have its number by now.
func (p *Process) Signal(sig unix.Signal) error {
	fd, err := unix.PidfdOpen(p.record.PID, 0)
	if err != nil {
		return fmt.Errorf("signal %s on %s: %w", p.Name, p.Node, ErrNotRunning)
	}
	defer unix.Close(fd)
	if !p.Running() {
		return fmt.Errorf("signal %s on %s: %w", p.Name, p.Node, ErrNotRunning)
	}
	if err := unix.PidfdSendSignal(fd, sig, nil, 0); err != nil {
		return fmt.Errorf("signal %s on %s: %w", p.Name, p.Node, err)
	}
	return nil
}

// Wait returns when the process has ended or the context has.
func (p *Process) Wait(ctx context.Context) error {
	fd, err := unix.PidfdOpen(p.record.PID, 0)
	if err != nil {
		return nil // gone
	}
	defer unix.Close(fd)
	for p.Running() {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("wait for %s on %s to end: %w", p.Name, p.Node, err)
		}
		waitPidfd(fd, 50*time.Millisecond) // the context cannot wake a poll
	}
	return nil
}

// waitPidfd waits for the end of a process, at most for the time given.
func waitPidfd(fd int, limit time.Duration) {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	_, _ = unix.Poll(fds, int(limit.Milliseconds())) // an early return is looked at by the caller
}

// procStat reads the state letter and start time of a process.
func procStat(pid int) (state byte, start uint64, err error) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, 0, err
	}
	return parseProcStat(data)
}

// parseProcStat reads a stat file. The name in parentheses may hold anything, so fields count from the last one.
func parseProcStat(data []byte) (state byte, start uint64, err error) {
	const startField = 19 // counted from the state
	i := bytes.LastIndexByte(data, ')')
	if i < 0 {
		return 0, 0, errors.New("read process status: no name in it")
	}
	fields := strings.Fields(string(data[i+1:]))
	if len(fields) <= startField {
		return 0, 0, fmt.Errorf("read process status: only %d fields", len(fields))
	}
	start, err = strconv.ParseUint(fields[startField], 10, 64)
	if err != nil {
		return 0, 0, fmt.Errorf("read process status: %w", err)
	}
	if state = fields[0][0]; len(fields[0]) != 1 || state < 'A' || state > 'z' {
		return 0, 0, fmt.Errorf("read process status: %q is no state", fields[0])
	}
	return state, start, nil
}

// processesIn lists the processes of a namespace, this one excepted: it may have a thread there.
func processesIn(namespace string) ([]int, error) {
	inode, err := namespaceInode(namespace)
	if errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find namespace %s: %w", namespace, err)
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var found []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		var st unix.Stat_t
		if unix.Stat("/proc/"+e.Name()+"/ns/net", &st) == nil && st.Ino == inode {
			found = append(found, pid)
		}
	}
	return found, nil
}

// signalAll sends a signal to every process of a namespace.
func signalAll(namespace string, sig unix.Signal) error {
	pids, err := processesIn(namespace)
	if err != nil {
		return err
	}
	for _, pid := range pids {
		_ = unix.Kill(pid, sig) // it may have ended meanwhile
	}
	return nil
}

// killAll kills every process of a namespace, those included that are started meanwhile, and waits for their end.
func killAll(namespace string) error {
	for deadline := time.Now().Add(killPatience); time.Now().Before(deadline); {
		pids, err := processesIn(namespace)
		if err != nil || len(pids) == 0 {
			return err
		}
		for _, pid := range pids {
			fd, err := unix.PidfdOpen(pid, 0)
			if err != nil {
				continue
			}
			_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
			waitPidfd(fd, 100*time.Millisecond)
			unix.Close(fd)
		}
	}
	return fmt.Errorf("kill processes of %s: some are left after %v", namespace, killPatience)
}
