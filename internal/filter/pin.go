package filter

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Mount makes dir and mounts a bpf file system on it unless it is on one already. mounted says whether it did, so that the
// caller can undo it.
func Mount(dir string) (mounted bool, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return false, fmt.Errorf("make directory for pins: %w", err)
	}
	if onBPF(dir) == nil {
		return false, nil
	}
	if err := unix.Mount("bpf", dir, "bpf", 0, "mode=0700"); err != nil {
		return false, fmt.Errorf("mount bpf file system on %s: %w", dir, err)
	}
	return true, nil
}

func onBPF(dir string) error {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return fmt.Errorf("look at %s: %w", dir, err)
	}
	if s.Type != unix.BPF_FS_MAGIC {
		return fmt.Errorf("%s: %w (mount one: mount -t bpf bpf /sys/fs/bpf)", dir, ErrNotBPF)
	}
	return nil
}

// adoptMaps opens the maps that an earlier agent pinned. It returns nil when there are none of the same layout; then what is
// pinned is gone from the directory, while programs that are attached keep using it.
func adoptMaps(dir string, spec *ebpf.CollectionSpec, log *slog.Logger) (map[string]*ebpf.Map, error) {
	if dir == "" {
		return nil, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make pin directory: %w", err)
	}
	if err := onBPF(dir); err != nil {
		return nil, err
	}
	maps, err := loadPinned(dir, spec)
	if err == nil {
		return maps, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		log.Warn("replacing what an earlier agent left in the kernel: connections that moved are not followed", "why", err)
	}
	for name := range spec.Maps {
		if err := removePin(filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	return nil, forgetEarly(dir)
}

func loadPinned(dir string, spec *ebpf.CollectionSpec) (maps map[string]*ebpf.Map, err error) {
	maps = map[string]*ebpf.Map{}
	defer func() {
		if err != nil {
			closeMaps(maps)
			maps = nil
		}
	}()
	for name, s := range spec.Maps {
		m, err := ebpf.LoadPinnedMap(filepath.Join(dir, name), nil)
		if name == filterMapQuorum && errors.Is(err, fs.ErrNotExist) {
			continue // the agent before had no rules with quorum; what it has for the others is still good
		}
		if err != nil {
			return maps, fmt.Errorf("open pinned map %s: %w", name, err)
		}
		err = s.Compatible(m)
		if name == filterMapCounters && err != nil {
			m.Close()
			continue // the agent before had other reasons to count; that they begin anew harms nobody
		}
		maps[name] = m
		if err != nil {
			return maps, fmt.Errorf("use pinned map %s: %w", name, err)
		}
	}
	host, err := mapMemory[hostRecord](maps[filterMapHost])
	if err != nil {
		return maps, err
	}
	defer host.close()
	if got := host.items[0].layout; got != layout {
		return maps, fmt.Errorf("use pinned maps: layout %d, not %d", got, layout)
	}
	return maps, nil
}

func pinMaps(dir string, maps map[string]*ebpf.Map) error {
	if dir == "" {
		return nil
	}
	for name, m := range maps {
		if err := m.Pin(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("pin map %s: %w", name, err)
		}
	}
	return nil
}

// replacePins pins maps in the place of those that were not adopted, if there were any.
func replacePins(dir string, maps map[string]*ebpf.Map) error {
	for name := range maps {
		if err := removePin(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return pinMaps(dir, maps)
}

// missing is the maps that are not among those adopted.
func missing(all, adopted map[string]*ebpf.Map) map[string]*ebpf.Map {
	rest := maps.Clone(all)
	maps.DeleteFunc(rest, func(name string, _ *ebpf.Map) bool { return adopted[name] != nil })
	return rest
}

// Remove undoes everything that a filter with this pin directory left in the kernel and on the interfaces: programs, qdiscs that
// it made, maps, the directory. It must run in the network namespace of the filter. What is not there is no error.
func Remove(pinDir string) error {
	if !exists(pinDir) {
		return nil
	}
	if err := onBPF(pinDir); err != nil {
		return err // never delete ordinary files
	}
	interfaces, err := pinnedInterfaces(pinDir)
	if err != nil {
		return err
	}
	var errs []error
	for _, ifindex := range interfaces {
		errs = append(errs, removeAttachment(pinDir, ifindex))
	}
	entries, err := os.ReadDir(pinDir)
	errs = append(errs, err)
	for _, e := range entries {
		if kind, _ := splitPin(e.Name()); kind == "" {
			errs = append(errs, removePin(filepath.Join(pinDir, e.Name())))
		}
	}
	if err := removePin(pinDir); !errors.Is(err, unix.EBUSY) { // busy: a mount point, which is its owner's
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// removeAttachment takes off an interface what is pinned for it, links or filters.
func removeAttachment(pinDir string, ifindex int) error {
	pin := func(kind string) string { return filepath.Join(pinDir, pinName(kind, ifindex)) }
	var errs []error
	errs = append(errs, removeLink(pin(pinEarly)))
	for _, d := range directions() {
		errs = append(errs, removeLink(pin(string(d))))
	}
	if exists(pin(pinFilters)) {
		errs = append(errs, removeFilters(ifindex, exists(pin(pinQdisc))), removePin(pin(pinFilters)), removePin(pin(pinQdisc)))
	}
	return errors.Join(errs...)
}

// pinnedInterfaces are those that something is pinned for.
func pinnedInterfaces(pinDir string) ([]int, error) {
	return pinnedOf(pinDir, func(kind string) bool { return kind != "" })
}

// pinnedOf are those that something of a kind is pinned for.
func pinnedOf(pinDir string, wanted func(kind string) bool) ([]int, error) {
	entries, err := os.ReadDir(pinDir)
	if err != nil {
		return nil, fmt.Errorf("read pin directory: %w", err)
	}
	found := map[int]bool{}
	for _, e := range entries {
		if kind, ifindex := splitPin(e.Name()); wanted(kind) {
			found[ifindex] = true
		}
	}
	return slices.Sorted(maps.Keys(found)), nil
}

func removePin(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove pin: %w", err)
	}
	return nil
}

// What is pinned for an interface, besides links, which are named by direction.
const (
	pinFilters = "filters" // clsact filters of ours are there
	pinQdisc   = "qdisc"   // and the qdisc is ours too
)

func pinName(kind string, ifindex int) string { return kind + "-" + strconv.Itoa(ifindex) }

func splitPin(name string) (kind string, ifindex int) {
	kind, number, ok := strings.Cut(name, "-")
	if !ok {
		return "", 0
	}
	ifindex, err := strconv.Atoi(number)
	if err != nil {
		return "", 0
	}
	return kind, ifindex
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
