package filter

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/cilium/ebpf"
)

// Mend puts back what Healthy misses: pins that somebody removed, programs that somebody took off an interface. What still runs is not
// touched, so no packet passes beside it. An interface that is not there any more is let go of: Attach is for the one that comes back.
func (f *Filter) Mend() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	errs := []error{f.repin()}
	for ifindex, a := range f.attached {
		if a.healthy() == nil {
			continue
		}
		var err error
		if _, missing := net.InterfaceByIndex(ifindex); missing != nil {
			delete(f.attached, ifindex)
			err = a.detach()
		} else {
			err = a.mend(f.programsFor(f.arriving[ifindex]))
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("mend filter on interface %d: %w", ifindex, err))
		}
	}
	return errors.Join(errs...)
}

// repin pins the maps again that are not pinned any more: those who take the lease away, and the next agent, look for them there.
func (f *Filter) repin() error {
	if f.pinDir == "" {
		return nil
	}
	if err := os.MkdirAll(f.pinDir, 0o700); err != nil {
		return fmt.Errorf("make pin directory: %w", err)
	}
	if err := onBPF(f.pinDir); err != nil {
		return err
	}
	var errs []error
	for name, m := range f.maps {
		if path := filepath.Join(f.pinDir, name); !exists(path) {
			errs = append(errs, pinAgain(m, path))
		}
	}
	return errors.Join(errs...)
}

// pinAgain pins what believes that it is pinned already: it has to forget that first.
func pinAgain(p interface {
	Unpin() error
	Pin(path string) error
}, path string) error {
	if err := errors.Join(p.Unpin(), p.Pin(path)); err != nil {
		return fmt.Errorf("pin %s again: %w", filepath.Base(path), err)
	}
	return nil
}

// mend makes the links anew that do not run our programs any more, and pins again those that do.
func (t *tcx) mend(programs map[direction]*ebpf.Program) error {
	var errs []error
	for _, d := range directions() {
		if t.runs(d) == nil {
			if path := t.pin(d); path != "" && !exists(path) {
				errs = append(errs, pinAgain(t.links[d], path))
			}
			continue
		}
		// What is left of the old link may be broken in any way: what counts is the new one.
		_ = destroyLink(t.links[d])
		l, err := linkTCX(t.pinDir, t.ifindex, d, programs[d])
		if err != nil {
			errs = append(errs, err)
			continue
		}
		t.links[d] = l
	}
	return errors.Join(errs...)
}

// runs says whether the link of a direction still makes the kernel run our program.
func (t *tcx) runs(d direction) error {
	info, err := t.links[d].Info()
	if err != nil {
		return fmt.Errorf("look at %s link of interface %d: %w", d, t.ifindex, err)
	}
	if info.TCX() == nil || int(info.TCX().Ifindex) != t.ifindex || info.Program != t.ids[d] {
		return fmt.Errorf("interface %d: %s: %w (somebody detached it, or the interface is gone)", t.ifindex, d, ErrNotAttached)
	}
	return nil
}

// pin is where the link of a direction is pinned; empty: nowhere.
func (t *tcx) pin(d direction) string {
	if t.pinDir == "" {
		return ""
	}
	return filepath.Join(t.pinDir, pinName(string(d), t.ifindex))
}

// mend attaches both filters again: those that are there are replaced in one step.
func (c *clsact) mend(programs map[direction]*ebpf.Program) error {
	return c.arm(programs)
}
