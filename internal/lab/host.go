package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

const agentProcess = "agent"

// Host is a node that runs an agent.
type Host struct{ *Node }

// RunDir is the host's run directory.
func (h *Host) RunDir() string { return filepath.Join(h.lab.dir, "run", h.name) }

// StateDir is the host's state directory.
func (h *Host) StateDir() string { return filepath.Join(h.lab.dir, "state", h.name) }

// Start starts the host's agent and does not wait until it serves: WaitReady does.
func (h *Host) Start() error { return h.StartBuild(h.lab.binary) }

// StartBuild is Start with another program than the lab's: an agent of another release.
func (h *Host) StartBuild(binary string) error {
	_, err := h.Spawn(agentProcess, binary, "run", "-c", h.lab.ConfigPath(), "--host", h.name,
		"--run-dir", h.RunDir(), "--state-dir", h.StateDir())
	return err
}

// Stop ends the agent in good order: it drains and leaves.
func (h *Host) Stop(ctx context.Context) error { return h.StopProcess(ctx, agentProcess) }

// Agent is the host's agent process.
func (h *Host) Agent() (*Process, error) { return h.Process(agentProcess) }

// Kill is kill -9 of the agent alone, and returns when that was.
func (h *Host) Kill() (time.Time, error) {
	p, err := h.Agent()
	if err != nil {
		return time.Time{}, err
	}
	at := time.Now()
	return at, p.Signal(unix.SIGKILL)
}

// Freeze stops every process of the host, as when a hypervisor pauses the machine. Its kernel goes on.
func (h *Host) Freeze() error { return signalAll(h.Namespace(), unix.SIGSTOP) }

// Thaw lets a frozen host go on.
func (h *Host) Thaw() error { return signalAll(h.Namespace(), unix.SIGCONT) }

// LinkDown pulls the host's network cable.
func (h *Host) LinkDown() error { return h.lab.setPort(h.name, false) }

// LinkUp plugs the network cable in again.
func (h *Host) LinkUp() error { return h.lab.setPort(h.name, true) }

// Unplug pulls the cable of one of the host's networks out; 0 is the first.
func (h *Host) Unplug(network int) error { return h.lab.setPort(portOf(h.name, network), false) }

// Plug undoes Unplug.
func (h *Host) Plug(network int) error { return h.lab.setPort(portOf(h.name, network), true) }

// Muster runs a muster command on the host, against its own agent, and returns what it wrote to stdout.
func (h *Host) Muster(ctx context.Context, args ...string) (string, error) {
	argv := append([]string{h.lab.binary, "-c", h.lab.ConfigPath(), "--run-dir", h.RunDir()}, args...)
	out, err := h.Exec(ctx, argv...).Output()
	if err != nil {
		err = fmt.Errorf("run muster %v on %s: %w", args, h.name, err)
	}
	return string(out), err
}

// PowerCut takes the host away at once: link down, everything on it killed. It returns when that was.
func (h *Host) PowerCut() (time.Time, error) {
	s, err := readState(h.lab.name)
	if err != nil {
		return time.Time{}, err
	}
	if s.node(h.name).Off {
		return time.Time{}, fmt.Errorf("cut the power of %s: it is off already", h.name)
	}
	var resume []spec
	var running []Process
	for _, r := range s.Processes {
		if p := (Process{r}); r.Node == h.name && p.Running() {
			running, resume = append(running, p), append(resume, r.spec)
		}
	}
	at := time.Now()
	for network := range h.lab.networks + 1 {
		err = errors.Join(err, h.Unplug(network))
	}
	for i := range running {
		_ = running[i].Signal(unix.SIGKILL) // killAll finds what is left
	}
	err = errors.Join(err, killAll(h.Namespace()), change(h.lab.name, func(s *state) error {
		s.forget(h.name, "")
		n := s.node(h.name)
		n.Off, n.Resume = true, resume
		return nil
	}))
	return at, err
}

// PowerOn boots the host afresh: a new network stack, an empty run directory, what is on its disk kept; then starts again
// what ran when the power was cut.
func (h *Host) PowerOn() error {
	var resume []spec
	err := change(h.lab.name, func(s *state) error {
		n := s.node(h.name)
		if !n.Off {
			return fmt.Errorf("switch %s on: it is on already", h.name)
		}
		resume = n.Resume
		if err := h.lab.reboot(*n, h.RunDir()); err != nil {
			return err
		}
		n.Off, n.Resume = false, nil
		return nil
	})
	if err != nil {
		return err
	}
	for _, p := range resume {
		if _, err := h.Spawn(p.Name, p.Argv...); err != nil {
			return err
		}
	}
	return nil
}

// reboot replaces the namespace of a node and empties its run directory, where an agent may have mounted and pinned things.
func (l *Lab) reboot(n node, runDir string) error {
	if err := killAll(l.spaceName(n.Name)); err != nil {
		return err
	}
	if err := unmountBelow(runDir); err != nil {
		return err
	}
	if err := os.RemoveAll(runDir); err != nil {
		return fmt.Errorf("empty run directory of %s: %w", n.Name, err)
	}
	if err := os.MkdirAll(runDir, 0o755); err != nil {
		return fmt.Errorf("make run directory of %s: %w", n.Name, err)
	}
	for network := range l.networksOf(n) {
		if err := l.removePort(portOf(n.Name, network)); err != nil {
			return err
		}
	}
	if err := deleteNamespace(l.spaceName(n.Name)); err != nil {
		return err
	}
	return l.buildNode(n)
}
