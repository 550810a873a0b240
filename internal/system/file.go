package system

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const (
	journalName   = "undo.json"
	journalFormat = 1
	maxJournal    = 1 << 20 // bytes; maxChanges entries stay well below
	maxChanges    = 1024
	maxMadeDirs   = 8
)

// document is the journal as it is on disk.
type document struct {
	Format  int      `json:"format"`
	Place   Place    `json:"place"`
	Undoing bool     `json:"undoing,omitempty"`   // an Undo has begun: nothing may be put back any more
	Made    int      `json:"made_dirs,omitempty"` // how many directories Open made: the run directory and those above it
	Changes []Change `json:"changes"`             // in the order in which they were made
}

// parse reads a journal. It accepts only what this package could have written.
func parse(data []byte) (document, error) {
	var d document
	if len(data) > maxJournal {
		return document{}, fmt.Errorf("%w: larger than %d bytes", ErrMalformed, maxJournal)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return document{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return document{}, fmt.Errorf("%w: something follows the end", ErrMalformed)
	}
	return d, d.validate()
}

func (d document) validate() error {
	switch {
	case d.Format != journalFormat:
		return fmt.Errorf("%w: format %d, this version of Muster reads %d", ErrMalformed, d.Format, journalFormat)
	case d.Made < 0 || d.Made > maxMadeDirs:
		return fmt.Errorf("%w: made_dirs %d", ErrMalformed, d.Made)
	case len(d.Changes) > maxChanges:
		return fmt.Errorf("%w: more than %d changes", ErrMalformed, maxChanges)
	}
	seen := make(map[string]bool, len(d.Changes))
	for _, c := range d.Changes {
		if err := c.validate(); err != nil {
			return err
		}
		if seen[c.What()] {
			return fmt.Errorf("%w: %s twice", ErrMalformed, c.What())
		}
		seen[c.What()] = true
	}
	return nil
}

// load reads the journal of a directory; found is false if there is none.
func load(dir string) (d document, found bool, err error) {
	path := filepath.Join(dir, journalName)
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return document{}, false, nil
	}
	if err != nil {
		return document{}, false, fmt.Errorf("open journal: %w", err)
	}
	defer f.Close()
	if err := trustworthy(f); err != nil {
		return document{}, false, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxJournal+1))
	if err != nil {
		return document{}, false, fmt.Errorf("read journal: %w", err)
	}
	d, err = parse(data)
	if err != nil {
		return document{}, false, fmt.Errorf("read journal %s: %w (what Muster changed on this host is unknown: look at the file, undo by hand what it names, then remove it)", path, err)
	}
	return d, true, nil
}

// trustworthy refuses a journal that somebody else could have written: root is about to act on it.
func trustworthy(f *os.File) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return fmt.Errorf("stat journal: %w", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mode&0o022 != 0 || int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%w: %s (mode %o, owner %d): look at it and remove it", ErrUntrusted, f.Name(), st.Mode&0o7777, st.Uid)
	}
	return nil
}

// store replaces the journal: on disk before it returns, and never half of it.
func store(dir string, d document) error {
	data, err := json.MarshalIndent(d, "", " ")
	if err != nil {
		return fmt.Errorf("encode journal: %w", err)
	}
	path := filepath.Join(dir, journalName)
	tmp := path + ".tmp"
	_ = os.Remove(tmp) // of a writer that was killed; O_EXCL below then follows no link
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	_, err = f.Write(append(data, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return fmt.Errorf("write journal: %w", errors.Join(err, os.Remove(tmp)))
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}
