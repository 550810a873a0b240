package guard

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"reflect"
	"sync"
	"syscall"
	"time"
)

// restartPause keeps a guard that cannot run from being started in a tight loop.
const restartPause = time.Second

// restarted is logged when another guard knows what to do: only from then on a kill of the agent is told at once again.
const restarted = "guard process runs again"

// tellWait bounds a write to the guard, which reads at once unless it is frozen.
const tellWait = time.Second

// Process is the agent's hold on its guard.
type Process struct {
	command func() *exec.Cmd
	log     *slog.Logger

	mu        sync.Mutex
	will      Will
	cmd       *exec.Cmd
	pipe      io.WriteCloser
	dismissed bool
	done      chan struct{}
}

// Start runs the guard with the given command (which must call Main on its standard input) and keeps it running. An error means that there is no
// guard; one that ends later is started again after a second, and logged.
func Start(command func() *exec.Cmd, will Will, log *slog.Logger) (*Process, error) {
	p := &Process{command: command, will: will, log: log, done: make(chan struct{})}
	if err := p.spawn(); err != nil {
		return nil, err
	}
	go p.keep()
	return p, nil
}

// spawn starts the process and hands it the will.
func (p *Process) spawn() error {
	cmd := p.command()
	// A session of its own: Ctrl-C and a kill of the agent's group must not take the guard with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("make pipe to guard: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start guard: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := tell(pipe, message{Will: &p.will}); err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return fmt.Errorf("tell guard what to do: %w", err)
	}
	p.cmd, p.pipe = cmd, pipe
	if p.dismissed { // while it was starting
		p.dismissLocked()
	}
	return nil
}

// tell writes a message, and does not wait for a guard that does not read.
func tell(pipe io.WriteCloser, m message) error {
	if timed, ok := pipe.(interface{ SetWriteDeadline(time.Time) error }); ok {
		if err := timed.SetWriteDeadline(time.Now().Add(tellWait)); err != nil {
			return fmt.Errorf("limit time to write: %w", err)
		}
	}
	return json.NewEncoder(pipe).Encode(m)
}

// Replace gives the guard another will in the place of the one that it has, if they differ. A guard that cannot be told, because it
// is frozen, is killed: it is started again with the new will, and half a message must not be taken for a death. The error says so;
// nothing more need be done.
func (p *Process) Replace(will Will) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dismissed || reflect.DeepEqual(will, p.will) {
		return nil
	}
	p.will = will
	if err := tell(p.pipe, message{Will: &will}); err != nil {
		_ = p.cmd.Process.Kill() // if it has ended already, it is being started again
		return fmt.Errorf("tell guard its new will: %w", err)
	}
	return nil
}

// dismissLocked tells the running guard to end. A guard that is dead already needs no telling: errors do not matter.
func (p *Process) dismissLocked() {
	_ = tell(p.pipe, message{Dismiss: dismissal})
	_ = p.pipe.Close()
}

// keep waits for the guard and starts it again until it is dismissed.
func (p *Process) keep() {
	defer close(p.done)
	for {
		err := p.cmd.Wait()
		if p.isDismissed() {
			return
		}
		p.log.Warn("guard process ended, starting it again", "err", err)
		for {
			time.Sleep(restartPause)
			if p.isDismissed() {
				return
			}
			err := p.spawn()
			if err == nil {
				p.log.Info(restarted)
				break
			}
			p.log.Error("cannot start guard process: a kill of the agent will be noticed by silence only", "err", err)
		}
	}
}

func (p *Process) isDismissed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dismissed
}

// PID gives the guard's process id.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd.Process.Pid
}

// Dismiss ends the guard without anything being sent, and waits for it.
func (p *Process) Dismiss() {
	p.mu.Lock()
	p.dismissed = true
	p.dismissLocked()
	p.mu.Unlock()
	<-p.done
}
