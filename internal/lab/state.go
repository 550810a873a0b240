package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

const stateDir = "/run/muster-lab"

// state is what outlives the process that made a lab.
type state struct {
	Name      string   `json:"name"`
	Dir       string   `json:"dir"`
	OwnDir    bool     `json:"own_dir"` // Dir was made by Up and goes with the lab
	Binary    string   `json:"binary"`
	Detached  bool     `json:"detached"`
	Owner     record   `json:"owner"` // the process that the lab ends with, unless it is detached
	Nodes     []node   `json:"nodes"`
	Networks  int      `json:"networks,omitempty"`
	Processes []record `json:"processes,omitempty"`
}

func (s *state) node(name string) *node {
	i := slices.IndexFunc(s.Nodes, func(n node) bool { return n.Name == name })
	if i < 0 {
		return nil
	}
	return &s.Nodes[i]
}

// namespaces lists the names that the lab uses.
func (s *state) namespaces() []string {
	names := []string{s.Name + switchSuffix}
	for _, n := range s.Nodes {
		names = append(names, s.Name+"-"+n.Name)
	}
	return names
}

// locked runs f while no other process or goroutine changes a lab's state. The lock is on the directory, so that
// no lock file is left behind, and ends with the process that holds it.
func locked(f func() error) error {
	if err := os.MkdirAll(stateDir, 0o755); err != nil {
		return fmt.Errorf("make state directory: %w", err)
	}
	dir, err := os.Open(stateDir)
	if err != nil {
		return fmt.Errorf("open state directory: %w", err)
	}
	defer dir.Close()
	for {
		err = unix.Flock(int(dir.Fd()), unix.LOCK_EX)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("lock state directory: %w", err)
	}
	return f()
}

func statePath(name string) string { return filepath.Join(stateDir, name+".json") }

func readState(name string) (*state, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(statePath(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open lab %s: %w", name, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("open lab %s: %w", name, err)
	}
	s := new(state)
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("read state of lab %s: %w", name, err)
	}
	return s, nil
}

// write replaces the file in one step, so that a reader never sees half of it.
func (s *state) write() error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("write state of lab %s: %w", s.Name, err)
	}
	next := statePath(s.Name) + ".new"
	if err := os.WriteFile(next, data, 0o644); err != nil {
		return fmt.Errorf("write state of lab %s: %w", s.Name, err)
	}
	if err := os.Rename(next, statePath(s.Name)); err != nil {
		return fmt.Errorf("write state of lab %s: %w", s.Name, err)
	}
	return nil
}

// claim writes the state of a new lab; nobody else may have the name.
func (s *state) claim() error {
	return locked(func() error {
		if _, err := os.Stat(statePath(s.Name)); err == nil {
			return fmt.Errorf("make lab %s: %w", s.Name, ErrExists)
		}
		for _, name := range s.namespaces() {
			if _, err := os.Lstat(namespaceDir + name); err == nil {
				return fmt.Errorf("make lab %s: namespace %s exists and is not ours: choose another name", s.Name, name)
			}
		}
		return s.write()
	})
}

// change reads the state, lets f alter it and writes it back.
func change(name string, f func(*state) error) error {
	return locked(func() error {
		s, err := readState(name)
		if err != nil {
			return err
		}
		if err := f(s); err != nil {
			return err
		}
		return s.write()
	})
}

// List names the labs of this machine.
func List() ([]string, error) {
	entries, err := os.ReadDir(stateDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list labs: %w", err)
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".json"); ok {
			names = append(names, name)
		}
	}
	return names, nil
}
