package system

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
)

// Address is an address to be added.
type Address struct {
	Prefix netip.Prefix
	Scope  Scope
	NoDAD  bool // IPv6: every host of the cluster has it, so looking for duplicates would disable it
}

// AddAddress adds an address to an interface. One that is there already is kept up, and left alone by Undo.
func (j *Journal) AddAddress(link string, a Address) error {
	return j.change(Change{Kind: KindAddress, Link: link, Prefix: a.Prefix, Scope: a.Scope, NoDAD: a.NoDAD, Want: Present})
}

// SetSysctl sets a value below /proc/sys. The name has slashes (net/ipv4/conf/eth0.5/arp_ignore): names of interfaces have dots.
func (j *Journal) SetSysctl(name, value string) error {
	return j.change(Change{Kind: KindSysctl, Sysctl: name, Want: value})
}

// RaiseSysctl sets a number to at least the given one: an administrator's stricter value stays.
func (j *Journal) RaiseSysctl(name string, least int) error {
	c := Change{Kind: KindSysctl, Sysctl: name, Want: strconv.Itoa(least), Found: "0"}
	if err := c.validate(); err != nil {
		return fmt.Errorf("set %s: %w", c.What(), err)
	}
	now, err := j.kernel.look(j.dir, c)
	if err != nil {
		return fmt.Errorf("set %s: %w", c.What(), err)
	}
	if n, err := strconv.Atoi(now); err == nil && n > least {
		c.Want = now
	}
	return j.change(c)
}

// MountBPF mounts a bpffs on a directory below the run directory and makes that if need be.
func (j *Journal) MountBPF(dir string) error {
	if err := j.MakeDir(dir); err != nil {
		return err
	}
	return j.below(KindMount, dir)
}

// AddPins remembers a directory below the run directory in which the filter pins its objects. Undo hands it to the remover
// and then deletes it.
func (j *Journal) AddPins(dir string) error { return j.below(KindPins, dir) }

// SetPinRemover sets what Undo calls for each directory of pins before it deletes it. Without one, deleting the pins has to be
// enough.
func (j *Journal) SetPinRemover(remove func(dir string) error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.removePins = remove
}

// MakeDir makes a directory, mode 0700, below the run directory. Its parent must be there.
func (j *Journal) MakeDir(dir string) error { return j.below(KindDirectory, dir) }

// AddFile remembers a file or socket below the run directory that the caller is about to make.
func (j *Journal) AddFile(path string) error { return j.below(KindFile, path) }

func (j *Journal) below(kind Kind, path string) error {
	if filepath.IsAbs(path) {
		parent, err := filepath.EvalSymlinks(filepath.Dir(path))
		if err != nil {
			return fmt.Errorf("find %s %s: %w", kind, path, err)
		}
		if path, err = filepath.Rel(j.dir, filepath.Join(parent, filepath.Base(path))); err != nil {
			return fmt.Errorf("find %s %s: %w", kind, path, err)
		}
	}
	return j.change(Change{Kind: kind, Path: path, Want: Present})
}

// change writes a change down and then makes it. Found is looked up the first time and kept from then on.
func (j *Journal) change(c Change) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.doc.Undoing {
		return fmt.Errorf("change %s: %w", c.What(), ErrUndoing)
	}
	if err := j.note(&c); err != nil {
		return fmt.Errorf("change %s: %w", c.What(), err)
	}
	j.claimed[c.What()] = true
	if err := j.enforce(c); err != nil {
		return fmt.Errorf("change %s: %w", c.What(), err)
	}
	if c.Was == "" {
		return nil
	}
	c.Was = ""
	return j.write(c)
}

// note sees to it that the change is in the journal on disk, and fills in what was found.
func (j *Journal) note(c *Change) error {
	i := j.index(c.What())
	if i < 0 {
		if err := j.lookFirst(c); err != nil {
			return err
		}
		return j.write(*c)
	}
	old := j.doc.Changes[i]
	c.Found = old.Found
	if old == *c {
		return nil
	}
	state, err := j.kernel.look(j.dir, old)
	if err != nil {
		return err
	}
	if old.ours(state) && state != c.Want {
		c.Was = state // if we die before the new value is set, this is still ours to take back
	}
	return j.write(*c)
}

// write puts a change into the journal on disk, in the place of an older one of the same target.
func (j *Journal) write(c Change) error {
	if err := c.validate(); err != nil {
		return err
	}
	next := j.doc
	next.Changes = slices.Clone(j.doc.Changes)
	if i := j.index(c.What()); i >= 0 {
		next.Changes[i] = c
	} else {
		next.Changes = append(next.Changes, c)
	}
	if len(next.Changes) > maxChanges {
		return ErrTooMany
	}
	if err := store(j.dir, next); err != nil {
		return err
	}
	j.doc = next
	j.undone = false
	return nil
}

func (j *Journal) lookFirst(c *Change) error {
	probe := *c
	probe.Found = probe.Want // enough to validate the target before the kernel is asked about it
	if err := probe.validate(); err != nil {
		return err
	}
	state, err := j.kernel.look(j.dir, *c)
	if err != nil {
		return err
	}
	switch {
	case state == Gone:
		return ErrGone
	case c.Kind == KindTunnel && state != Absent:
		return errTunnelThere(c.Link)
	}
	c.Found = state
	if c.Kind == KindPins || c.Kind == KindFile {
		c.Found = Absent // what lies there under our name is left over from ourselves
	}
	return nil
}

// enforce makes the host as the change wants it.
func (j *Journal) enforce(c Change) error {
	state, err := j.kernel.look(j.dir, c)
	switch {
	case err != nil:
		return err
	case state == Gone:
		return ErrGone
	case state == c.Want:
		return nil
	case c.Kind == KindTunnel:
		return j.openTunnel(c, state)
	}
	return j.kernel.set(j.dir, c, c.Want)
}

func (j *Journal) index(what string) int {
	return slices.IndexFunc(j.doc.Changes, func(c Change) bool { return c.What() == what })
}
