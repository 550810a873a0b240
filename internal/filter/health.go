package filter

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/cilium/ebpf"
)

// ProgramInfo names a loaded program.
type ProgramInfo struct {
	Name       string
	ID         uint32
	Interfaces []int // that it is attached to
}

// Programs lists the programs of this filter, for status and self-check.
func (f *Filter) Programs() ([]ProgramInfo, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	var on []int
	for ifindex := range f.attached {
		on = append(on, ifindex)
	}
	slices.Sort(on)
	var all []ProgramInfo
	for _, d := range directions() {
		info, err := f.programs[d].Info()
		if err != nil {
			return nil, fmt.Errorf("look at program %s: %w", d, err)
		}
		id, _ := info.ID()
		all = append(all, ProgramInfo{Name: info.Name, ID: uint32(id), Interfaces: on})
	}
	return all, nil
}

// Healthy says what is wrong with the filter: programs that somebody took off an interface, pins that somebody removed.
func (f *Filter) Healthy() error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if len(f.host.items) == 0 {
		return fmt.Errorf("%w: filter is closed", ErrNotAttached)
	}
	var errs []error
	for _, a := range f.attached {
		errs = append(errs, a.healthy())
	}
	return errors.Join(append(errs, f.pinned())...)
}

// pinned checks that every map is pinned, and that the lease that others would revoke is this filter's.
func (f *Filter) pinned() error {
	if f.pinDir == "" {
		return nil
	}
	for name := range f.maps {
		if !exists(filepath.Join(f.pinDir, name)) {
			return fmt.Errorf("pin of map %s: %w (somebody removed it)", name, fs.ErrNotExist)
		}
	}
	m, err := ebpf.LoadPinnedMap(filepath.Join(f.pinDir, filterMapLease), nil)
	if err != nil {
		return fmt.Errorf("open pinned lease: %w", err)
	}
	defer m.Close()
	theirs, err := m.Info()
	if err != nil {
		return fmt.Errorf("look at pinned lease: %w", err)
	}
	ours, err := f.maps[filterMapLease].Info()
	if err != nil {
		return fmt.Errorf("look at lease: %w", err)
	}
	a, _ := theirs.ID()
	b, _ := ours.ID()
	if a != b {
		return fmt.Errorf("pinned lease is another filter's: does a second agent use %s?", f.pinDir)
	}
	return nil
}
