package madcap

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// ErrDamaged is returned by [OpenFile] for a file that is not what a FileStore wrote. The file is left as it is.
var ErrDamaged = errors.New("the file is damaged")

const fileVersion = 1

// leaseFile is the content of a FileStore's file.
type leaseFile struct {
	Version int      `json:"version"`
	Leases  []Record `json:"leases"`
}

// FileStore keeps leases in one JSON file. Every change writes the file anew beside the old one, syncs it and renames it: after a crash
// the old or the new content is there, whole. Made for thousands of leases, not millions.
type FileStore struct {
	mu      sync.Mutex
	path    string
	lock    *os.File
	records map[LeaseID]Record
}

// OpenFile opens or creates a lease file and locks it (a file beside it, path + ".lock") until Close, so that no second server hands out
// the same addresses. A file that cannot be understood is an error and is left as it is.
func OpenFile(path string) (*FileStore, error) {
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lease file: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		return nil, fmt.Errorf("lock lease file %s, which another server uses: %w", path, err)
	}
	s := &FileStore{path: path, lock: lock}
	if err := s.read(); err != nil {
		lock.Close()
		return nil, fmt.Errorf("read lease file %s: %w", path, err)
	}
	return s, nil
}

// Close unlocks the file, for another server to open; its error is that of the operating system. Nothing is left to be written by then.
func (s *FileStore) Close() error { return s.lock.Close() }

func (s *FileStore) read() error {
	s.records = map[LeaseID]Record{}
	b, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	records, err := parseLeaseFile(b)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	for _, r := range records {
		s.records[r.ID] = r
	}
	return nil
}

// parseLeaseFile reads the content of a lease file and checks every record.
func parseLeaseFile(b []byte) ([]Record, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var file leaseFile
	if err := d.Decode(&file); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, errors.New("more than one JSON value")
	}
	if file.Version != fileVersion {
		return nil, fmt.Errorf("version %d is not known", file.Version)
	}
	seen := make(map[LeaseID]bool, len(file.Leases))
	for i, r := range file.Leases {
		if err := r.check(); err != nil {
			return nil, fmt.Errorf("lease %d: %w", i+1, err)
		}
		if seen[r.ID] {
			return nil, fmt.Errorf("lease %d: its identifier stands twice", i+1)
		}
		seen[r.ID] = true
	}
	return file.Leases, nil
}

func (r Record) check() error {
	if r.ID == "" || !r.Scope.IsMulticast() || len(r.Ranges) == 0 || r.End.Before(r.Start) {
		return errors.New("identifier, scope, ranges or times are missing or wrong")
	}
	for _, a := range r.Ranges {
		if err := a.check(FamilyOf(r.Scope)); err != nil {
			return err
		}
	}
	return nil
}

// Load implements [Store]. It never fails: what cannot be read is an error of [OpenFile].
func (s *FileStore) Load() ([]Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.records)), nil
}

// Put implements [Store]. It returns when the lease is on the disk; after an error, of a full disk for example, the store holds what it held.
func (s *FileStore) Put(r Record) error {
	return s.change(func(all map[LeaseID]Record) { all[r.ID] = r })
}

// Delete implements [Store], with the promises of Put.
func (s *FileStore) Delete(ids ...LeaseID) error {
	return s.change(func(all map[LeaseID]Record) {
		for _, id := range ids {
			delete(all, id)
		}
	})
}

// change writes the file with the change; only when that is durable does the store take it over.
func (s *FileStore) change(do func(map[LeaseID]Record)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := maps.Clone(s.records)
	do(next)
	leases := slices.SortedFunc(maps.Values(next), func(a, b Record) int { return strings.Compare(string(a.ID), string(b.ID)) })
	b, err := json.MarshalIndent(leaseFile{fileVersion, leases}, "", "  ")
	if err == nil {
		err = writeDurably(s.path, append(b, '\n'))
	}
	if err != nil {
		return fmt.Errorf("write lease file %s: %w", s.path, err)
	}
	s.records = next
	return nil
}

func writeDurably(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once it is renamed
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
