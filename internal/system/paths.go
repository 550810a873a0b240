package system

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// mounted says whether a bpffs is mounted exactly there. Another file system in that place is an error: it is not ours.
func mounted(path string) (bool, error) {
	var st, parent unix.Stat_t
	err := unix.Lstat(path, &st)
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	err = errors.Join(err, unix.Lstat(filepath.Dir(path), &parent))
	if err != nil {
		return false, fmt.Errorf("stat %s: %w", path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return false, fmt.Errorf("%w: %s is not a directory: remove it", ErrInTheWay, path)
	}
	if st.Dev == parent.Dev {
		return false, nil
	}
	var fsys unix.Statfs_t
	if err := unix.Statfs(path, &fsys); err != nil {
		return false, fmt.Errorf("stat file system %s: %w", path, err)
	}
	if fsys.Type != unix.BPF_FS_MAGIC {
		return false, fmt.Errorf("%w: another file system is mounted on %s: unmount it", ErrInTheWay, path)
	}
	return true, nil
}

func setMount(path, state string) error {
	if state == Absent {
		return unmount(path)
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make mount point: %w", err)
	}
	const flags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_RELATIME
	if err := unix.Mount("bpf", path, "bpf", flags, "mode=0700"); err != nil {
		return fmt.Errorf("mount bpffs on %s: %w", path, err)
	}
	return nil
}

// unmount takes the bpffs away, and with it every pin. Somebody who stands in the directory must not keep the filter
// attached, so a busy mount is detached.
func unmount(path string) error {
	err := unix.Unmount(path, unix.UMOUNT_NOFOLLOW)
	if errors.Is(err, unix.EBUSY) {
		err = unix.Unmount(path, unix.UMOUNT_NOFOLLOW|unix.MNT_DETACH)
	}
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) { // EINVAL: not a mount point any more
		return fmt.Errorf("unmount %s: %w", path, err)
	}
	return nil
}

func exists(dir, path string) (bool, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return false, fmt.Errorf("open run directory: %w", err)
	}
	defer root.Close()
	_, err = root.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("stat %s: %w", path, err)
	}
	return true, nil
}

// setPath makes or removes something below the run directory; os.Root sees to it that no link leads out of it.
func setPath(dir string, c Change, state string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open run directory: %w", err)
	}
	defer root.Close()
	switch {
	case state == Present && c.Kind == KindFile:
		return nil // its owner makes it
	case state == Present:
		err = root.Mkdir(c.Path, 0o700)
	case c.Kind == KindPins:
		err = root.RemoveAll(c.Path)
	default:
		err = root.Remove(c.Path)
	}
	switch {
	case err == nil, errors.Is(err, fs.ErrNotExist) && state == Absent, errors.Is(err, fs.ErrExist) && state == Present:
		return nil
	case errors.Is(err, unix.ENOTEMPTY) && c.Kind == KindDirectory:
		return nil // somebody else's files are in it
	}
	return fmt.Errorf("make %s %s: %w", c.What(), state, err)
}
