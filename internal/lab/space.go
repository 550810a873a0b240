package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

const namespaceDir = "/run/netns/"

var errClosed = errors.New("the lab is closed")

// space runs functions in a named network namespace, on one thread that stays in it: sockets made and processes started
// there belong to the namespace.
type space struct {
	name  string
	calls chan func()
	quit  chan struct{}
	ended chan struct{}
	inode uint64 // the namespace that the thread is in; used by the thread only
}

// openSpace starts the thread. The namespace is entered at the first call of do, or made by create.
func openSpace(name string) *space {
	s := &space{name: name, calls: make(chan func()), quit: make(chan struct{}), ended: make(chan struct{})}
	go s.run()
	return s
}

func (s *space) run() {
	defer close(s.ended)
	runtime.LockOSThread()
	home, err := netns.Get()
	if err != nil {
		return // without a way back the thread must end with the goroutine
	}
	defer home.Close()
	for {
		select {
		case call := <-s.calls:
			call()
		case <-s.quit:
			if netns.Set(home) == nil {
				runtime.UnlockOSThread() // a thread that did not come home is ended by the runtime
			}
			return
		}
	}
}

// close ends the thread and lets go of the namespace.
func (s *space) close() {
	select {
	case <-s.ended:
	default:
		close(s.quit)
		<-s.ended
	}
}

// onThread runs f on the space's thread, wherever that is.
func (s *space) onThread(f func() error) error {
	result := make(chan error, 1)
	select {
	case s.calls <- func() { result <- f() }:
		return <-result
	case <-s.ended:
		return errClosed
	case <-s.quit:
		return errClosed
	}
}

// create makes the namespace, with its loopback up.
func (s *space) create() error {
	return s.onThread(func() error {
		s.inode = 0 // whatever happens below, the next call finds its own way
		handle, err := netns.NewNamed(s.name)
		if err != nil {
			return fmt.Errorf("make namespace %s: %w", s.name, err)
		}
		defer handle.Close()
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return fmt.Errorf("find loopback of %s: %w", s.name, err)
		}
		return netlink.LinkSetUp(lo)
	})
}

// do runs f in the namespace.
func (s *space) do(f func() error) error {
	return s.onThread(func() error {
		if err := s.enter(); err != nil {
			return err
		}
		return f()
	})
}

// enter moves the thread into the namespace unless it is there. A power cut replaces the namespace behind the name, possibly
// from another process, so the name is looked at every time.
func (s *space) enter() error {
	inode, err := namespaceInode(s.name)
	if err != nil {
		return fmt.Errorf("enter namespace %s: %w", s.name, err)
	}
	if inode == s.inode {
		return nil
	}
	handle, err := netns.GetFromName(s.name)
	if err != nil {
		return fmt.Errorf("enter namespace %s: %w", s.name, err)
	}
	defer handle.Close()
	if err := netns.Set(handle); err != nil {
		return fmt.Errorf("enter namespace %s: %w", s.name, err)
	}
	s.inode = inode
	return nil
}

func namespaceInode(name string) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Stat(namespaceDir+name, &st); err != nil {
		return 0, err
	}
	return st.Ino, nil
}

// deleteNamespace removes the name; the namespace goes when the last process and thread have left it.
func deleteNamespace(name string) error {
	path := namespaceDir + name
	err := unix.Unmount(path, unix.MNT_DETACH)
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("unmount namespace %s: %w", name, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove namespace %s: %w", name, err)
	}
	return nil
}
