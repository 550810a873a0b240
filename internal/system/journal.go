package system

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// Errors of a Journal.
var (
	ErrBusy      = errors.New("another Muster process has this run directory: stop it, or give this one its own with --run-dir")
	ErrUndoing   = errors.New("the changes to this host are being undone: finish with `muster stop`, then start again")
	ErrMalformed = errors.New("not a journal that Muster wrote")
	ErrUntrusted = errors.New("journal may have been written by somebody else")
	ErrNamespace = errors.New("journal belongs to another network namespace: run this there (ip netns exec, nsenter -n)")
	ErrInTheWay  = errors.New("something is in the way")
	ErrTooMany   = fmt.Errorf("more than %d changes to one host", maxChanges)
	ErrGone      = errors.New("its interface is not there: bring it back, or name another in the configuration")
)

// Journal knows what Muster has changed on this host.
type Journal struct {
	dir     string
	log     *slog.Logger
	kernel  kernel
	dirLock *os.File

	mu         sync.Mutex
	doc        document
	undone     bool            // Undo has emptied it: Close may remove the directories that Open made
	claimed    map[string]bool // by What: asked for by this process
	drifted    map[string]*drift
	removePins func(dir string) error
	armTunnel  func(link string) error
}

// Open opens the journal of a run directory, making the directory if need be, and takes its lock.
func Open(dir string, log *slog.Logger) (*Journal, error) {
	return open(dir, log, linux{})
}

// Exists says whether a run directory has a journal: whether there is anything to undo.
func Exists(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, journalName))
	return err == nil
}

func open(dir string, log *slog.Logger, k kernel) (*Journal, error) {
	dir, made, err := makeRunDir(dir)
	if err != nil {
		return nil, err
	}
	j := &Journal{dir: dir, log: log, kernel: k, claimed: map[string]bool{}, drifted: map[string]*drift{}}
	if j.dirLock, err = lock(dir); err != nil {
		return nil, err
	}
	if err := j.read(); err != nil {
		return nil, errors.Join(err, j.dirLock.Close())
	}
	j.doc.Made = max(j.doc.Made, made)
	return j, nil
}

// makeRunDir gives the directory's real path and how many directories it had to make.
func makeRunDir(dir string) (string, int, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", 0, fmt.Errorf("find run directory: %w", err)
	}
	made := 0
	for d := dir; made < maxMadeDirs; d = filepath.Dir(d) {
		if _, err := os.Stat(d); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		made++
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", 0, fmt.Errorf("make run directory: %w", err)
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return "", 0, fmt.Errorf("find run directory: %w", err)
	}
	return dir, made, nil
}

func lock(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("open run directory: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = fmt.Errorf("%w (%s)", ErrBusy, dir)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock run directory: %w", err), f.Close())
	}
	return f, nil
}

// read takes over what an earlier process left, as far as it can still be there.
func (j *Journal) read() error {
	here, err := j.kernel.place()
	if err != nil {
		return err
	}
	doc, found, err := load(j.dir)
	if err != nil {
		return err
	}
	if !found {
		doc = document{Format: journalFormat}
	}
	if found && !doc.Place.same(here) {
		if doc.Place.Boot == here.Boot && j.kernel.alive(doc.Place) {
			return fmt.Errorf("%w (%s, net:[%d])", ErrNamespace, filepath.Join(j.dir, journalName), doc.Place.Inode)
		}
		doc.Changes = slices.DeleteFunc(doc.Changes, func(c Change) bool { return endsWith(c, doc.Place, here) })
		j.log.Info("forgot changes that ended with their boot or network namespace", "left", len(doc.Changes))
	}
	doc.Place = here
	j.doc = doc
	return nil
}

// endsWith says whether a change made at one place has ended by itself when we are at another. A mount outlives a network
// namespace, and files outlive both.
func endsWith(c Change, then, now Place) bool {
	switch c.Kind {
	case KindAddress, KindNeighbour, KindSysctl, KindTunnel, KindReception, KindMembership:
		return true
	case KindMount, KindPins:
		return then.Boot != now.Boot
	default:
		return false
	}
}

// Close gives up the lock and changes nothing else; after an Undo it also removes the run directory if Open made it.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.undone {
		for d, i := j.dir, 0; i < j.doc.Made; d, i = filepath.Dir(d), i+1 {
			if os.Remove(d) != nil {
				break // others have files there
			}
		}
	}
	return j.dirLock.Close()
}

// Dir is the run directory, with symbolic links resolved.
func (j *Journal) Dir() string { return j.dir }

// Changes lists what has been changed, in order.
func (j *Journal) Changes() []Change {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.doc.Changes)
}

// Undoing says whether an Undo has begun and not ended. Nothing can be changed until Undo has been called again.
func (j *Journal) Undoing() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.doc.Undoing
}
