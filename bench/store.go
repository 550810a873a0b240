package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"
)

// result is what a row's last run measured.
type result struct {
	Row     string    `json:"row"`
	Commit  string    `json:"commit"`
	Date    time.Time `json:"date"`
	Took    float64   `json:"took_seconds"`
	Machine machine   `json:"machine"`
	Figures []figure  `json:"figures"`
}

func (r result) missed() []string {
	var names []string
	for _, f := range r.Figures {
		if f.failed() {
			names = append(names, f.Name)
		}
	}
	return names
}

// results are the newest of each row. Whatever is compared is in one row, and so of one machine.
type results struct {
	Rows map[string]result `json:"rows"`
}

// machines are those that the rows were measured on, in the order of the rows.
func (r results) machines(list []row) (all []machine) {
	for _, row := range list {
		if done, ok := r.Rows[row.name]; ok && !slices.Contains(all, done.Machine) {
			all = append(all, done.Machine)
		}
	}
	return all
}

// keep puts a result in place of the row's earlier one and writes the page anew.
func keep(path, page string, done result) error {
	all, err := readResults(path)
	if err != nil {
		return err
	}
	if all.Rows == nil {
		all.Rows = make(map[string]result)
	}
	all.Rows[done.Row] = done
	data, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		return fmt.Errorf("encode results: %w", err)
	}
	if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("keep results: %w", err)
	}
	return writePage(page, all)
}

func writePage(page string, all results) error {
	if err := os.WriteFile(page, makePage(all, rows()), 0o644); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

func readResults(path string) (results, error) {
	var all results
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return all, fmt.Errorf("read results: %w", err)
	}
	if err := json.Unmarshal(data, &all); err != nil {
		return all, fmt.Errorf("read results in %s (remove it to begin anew): %w", path, err)
	}
	return all, nil
}
