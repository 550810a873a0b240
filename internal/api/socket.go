package api

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// ErrInUse is what Listen returns when another agent lives in the run directory.
var ErrInUse = errors.New("another agent runs there")

const (
	socketName = "control.sock"
	lockName   = "control.lock"

	maxSocketPath = 107 // sizeof(sockaddr_un.sun_path) less the final zero

	// dyingTime is how long a killed process may take to let go of its files: it counts as ended before it has.
	dyingTime = time.Second
	dyingPoll = 10 * time.Millisecond
)

// SocketPath is where the agent of a run directory answers.
func SocketPath(runDir string) string { return filepath.Join(runDir, socketName) }

// control is the listening socket of a run directory, and the lock that makes it the only one.
type control struct {
	*net.UnixListener
	path string
	lock *os.File
	once sync.Once
}

// claim makes the run directory this process's own. The lock decides: it goes away with the process that holds it,
// however that ends, so what is left of the socket of a dead agent is simply replaced.
func claim(runDir string) (*control, error) {
	path := SocketPath(runDir)
	if len(path)+len(".new") > maxSocketPath {
		return nil, fmt.Errorf("run directory %s: name too long for a socket (%d bytes, at most %d): choose a shorter one with --run-dir or run_dir",
			runDir, len(path), maxSocketPath-len(".new"))
	}
	if err := os.MkdirAll(runDir, 0o755); err != nil {
		return nil, fmt.Errorf("make run directory: %w", err)
	}
	lock, err := lockFile(filepath.Join(runDir, lockName))
	if err != nil {
		return nil, fmt.Errorf("run directory %s: %w", runDir, err)
	}
	listener, err := listen(path)
	if err != nil {
		lock.Close()
		return nil, err
	}
	return &control{UnixListener: listener, path: path, lock: lock}, nil
}

// Sweep holds the run directory of an agent that was killed while undo works, so that no other agent starts meanwhile, and then
// removes the socket and the lock that the dead one left.
func Sweep(runDir string, undo func() error) error {
	c, err := claim(runDir)
	if err != nil {
		return err
	}
	return errors.Join(undo(), c.Close())
}

// lockFile locks a file that its holder removes at the end. So a lock counts only if the name still stands for the file
// that was locked.
func lockFile(path string) (*os.File, error) {
	for deadline := time.Now().Add(dyingTime); ; {
		lock, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, fmt.Errorf("open lock: %w", err)
		}
		err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err != nil {
			lock.Close()
			if errors.Is(err, unix.EWOULDBLOCK) && time.Now().Before(deadline) {
				time.Sleep(dyingPoll)
				continue
			}
			if errors.Is(err, unix.EWOULDBLOCK) {
				return nil, fmt.Errorf("%w: stop it with `muster stop`, or choose another directory with --run-dir", ErrInUse)
			}
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if stillNamed(lock, path) {
			return lock, nil
		}
		lock.Close()
	}
}

func stillNamed(file *os.File, path string) bool {
	locked, err := file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(path)
	return err == nil && os.SameFile(locked, named)
}

// listen binds under another name and moves the socket into place when it listens and has its mode: a client finds
// either the old one or a complete new one.
func listen(path string) (*net.UnixListener, error) {
	draft := path + ".new"
	if err := os.Remove(draft); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove stale socket: %w", err)
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: draft, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listen on control socket: %w", err)
	}
	listener.SetUnlinkOnClose(false)
	err = os.Chmod(draft, 0o600)
	if err == nil {
		err = os.Rename(draft, path)
	}
	if err != nil {
		listener.Close()
		os.Remove(draft)
		return nil, fmt.Errorf("put control socket in place: %w", err)
	}
	return listener, nil
}

// Close removes the socket, which tells a waiting client that the agent is gone, then lets go of the directory.
func (c *control) Close() error {
	var err error
	c.once.Do(func() {
		err = errors.Join(os.Remove(c.path), c.UnixListener.Close(), os.Remove(c.lock.Name()), c.lock.Close())
	})
	return err
}
