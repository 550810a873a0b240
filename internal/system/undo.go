package system

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Undo puts the host back as it was found, newest change first, and removes the journal. It goes on past what fails; what
// failed stays in the journal, so that Undo can be called again, by this process or another.
func (j *Journal) Undo() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	var errs []error
	if len(j.doc.Changes) > 0 && !j.doc.Undoing {
		j.doc.Undoing = true
		errs = append(errs, store(j.dir, j.doc)) // a full disk must not keep an address on the host: go on
	}
	errs = append(errs, j.giveBack(func(Change) bool { return true }))
	if len(j.doc.Changes) == 0 {
		errs = []error{j.forget()} // nothing is left to be written: what could not be written does not matter
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("undo changes to this host: %w", err)
	}
	return nil
}

// Release takes back only the changes chosen, newest first.
func (j *Journal) Release(chosen func(Change) bool) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.giveBack(chosen)
}

// ReleaseUnclaimed takes back what an earlier process changed and this one has not asked for again, because the configuration
// has changed in between.
func (j *Journal) ReleaseUnclaimed() error {
	return j.Release(func(c Change) bool { return !j.claimed[c.What()] })
}

// Unclaim forgets that this process asked for the chosen changes. Before a new configuration is applied it makes ready for
// ReleaseUnclaimed, which then takes back what the new one does not ask for.
func (j *Journal) Unclaim(chosen func(Change) bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range j.doc.Changes {
		if chosen(c) {
			delete(j.claimed, c.What())
		}
	}
}

// giveBack reverts the chosen changes. Each one reverted is struck out on disk before the next, so it is not reverted twice.
func (j *Journal) giveBack(chosen func(Change) bool) error {
	var errs []error
	for i := len(j.doc.Changes) - 1; i >= 0; i-- {
		c := j.doc.Changes[i]
		if !chosen(c) {
			continue
		}
		if err := j.revert(c); err != nil {
			errs = append(errs, fmt.Errorf("give back %s: %w", c.What(), err))
			continue
		}
		j.doc.Changes = slices.Delete(slices.Clone(j.doc.Changes), i, i+1)
		delete(j.claimed, c.What())
		delete(j.drifted, c.What())
		errs = append(errs, store(j.dir, j.doc))
	}
	return errors.Join(errs...)
}

// revert makes one target as it was found, if it still is as we wanted it.
func (j *Journal) revert(c Change) error {
	state, err := j.kernel.look(j.dir, c)
	if err != nil {
		return err
	}
	if state == c.Found || state == Gone {
		return nil
	}
	if !c.ours(state) {
		j.log.Info("left as somebody else has set it", "what", c.What(), "ours", c.Want, "found", c.Found, "now", state)
		return nil
	}
	if c.Kind == KindPins && j.removePins != nil {
		if err := j.removePins(filepath.Join(j.dir, c.Path)); err != nil {
			return fmt.Errorf("remove pins: %w", err)
		}
	}
	return j.kernel.set(j.dir, c, c.Found)
}

// forget removes the journal.
func (j *Journal) forget() error {
	err := os.Remove(filepath.Join(j.dir, journalName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove journal: %w", err)
	}
	j.doc.Undoing = false
	j.undone = true
	return nil
}
