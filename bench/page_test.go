package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestChoose(t *testing.T) {
	all := rows()
	if got, err := choose(all, nil); err != nil || len(got) != len(all) {
		t.Errorf("without names %d rows, %v", len(got), err)
	}
	if got, err := choose(all, []string{"kill", "cut"}); err != nil || len(got) != 2 || got[0].name != "kill" {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := choose(all, []string{"kil"}); err == nil || !strings.Contains(err.Error(), "kill") {
		t.Errorf("a row that there is not: %v", err)
	}
}

func TestRowNamesAreUnique(t *testing.T) {
	known := make(map[string]bool)
	for _, r := range rows() {
		if known[r.name] || r.name == "" || r.title == "" || r.about == "" {
			t.Errorf("row %q: known %v, or it says nothing", r.name, known[r.name])
		}
		known[r.name] = true
	}
}

func TestKeepReplacesOneRowAndNamesItsMachine(t *testing.T) {
	dir := t.TempDir()
	path, page := filepath.Join(dir, "results.json"), filepath.Join(dir, "page.md")
	here, there := machine{CPU: "one", Kernel: "6.1"}, machine{CPU: "two", Kernel: "6.1"}
	done := func(row string, on machine, value int) result {
		return result{Row: row, Commit: "c0ffee", Date: time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC), Machine: on, Figures: []figure{counts("broken", value).most(0)}}
	}
	steps := []struct {
		done   result
		has    []string
		hasNot []string
	}{
		{done("cut", here, 0), []string{"| broken | 0 | 1 | 0 | 0 | 0 | met |", "`make bench BENCH=cut`, commit c0ffee, 2026-01-02 03:04 UTC, 0 s, machine 1", "`make bench BENCH=kill`: not measured"}, nil},
		{done("kill", here, 7), []string{"| met |", "**MISSED**", "| 1 | one, 0 cores |"}, []string{"| 2 |"}},
		{done("kill", here, 0), []string{"| met |"}, []string{"MISSED"}},
		{done("kill", there, 0), []string{"BENCH=cut`, commit c0ffee, 2026-01-02 03:04 UTC, 0 s, machine 1", "BENCH=kill`, commit c0ffee, 2026-01-02 03:04 UTC, 0 s, machine 2", "| 2 | two, 0 cores |"}, nil},
		{done("cut", there, 0), []string{"BENCH=cut`, commit c0ffee, 2026-01-02 03:04 UTC, 0 s, machine 1", "| 1 | two, 0 cores |"}, []string{"| 2 |", "| one,"}},
	}
	for _, step := range steps {
		if err := keep(path, page, step.done); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range step.has {
			if !strings.Contains(string(text), s) {
				t.Errorf("after %v the page lacks %q", step.done, s)
			}
		}
		for _, s := range step.hasNot {
			if strings.Contains(string(text), s) {
				t.Errorf("after %v the page has %q", step.done, s)
			}
		}
	}
	if err := os.WriteFile(path, []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := keep(path, page, done("cut", here, 0)); err == nil {
		t.Error("damaged results were overwritten")
	}
}

// TestPageIsCurrent holds the page to the results and to the words of the rows.
func TestPageIsCurrent(t *testing.T) {
	all, err := readResults("results.json")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../docs/benchmarks.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(page, makePage(all, rows())) {
		t.Error("docs/benchmarks.md was not written by this program from bench/results.json: run `go run ./bench -page`")
	}
}
