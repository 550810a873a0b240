package house

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// block is a fenced block of a page.
type block struct {
	language string
	line     int // of its first line
	text     string
}

// lines are the block's lines without comments and empty ones.
func (b block) lines() []string {
	var found []string
	for line := range strings.Lines(b.text) {
		line, _, _ = strings.Cut(line, " #")
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			found = append(found, line)
		}
	}
	return found
}

// blocks finds the fenced blocks of a page.
func blocks(page string) []block {
	var found []block
	inside, number := false, 0
	for line := range strings.Lines(page) {
		number++
		fence, isFence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case isFence && inside:
			inside = false
		case isFence:
			inside = true
			found = append(found, block{language: fence, line: number + 1})
		case inside:
			found[len(found)-1].text += line
		}
	}
	return found
}

// blocksOf are the blocks of a language in a page of the repository; there must be one.
func blocksOf(t *testing.T, page, language string) []block {
	t.Helper()
	var found []block
	for _, b := range blocks(read(t, page)) {
		if b.language == language {
			found = append(found, b)
		}
	}
	if len(found) == 0 {
		t.Fatalf("%s has no %s block", page, language)
	}
	return found
}

// read returns a file of the repository.
func read(t *testing.T, rel string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, rel))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// pages lists the Markdown files of the repository.
func pages(t *testing.T) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == ".git" {
			return filepath.SkipDir
		}
		if filepath.Ext(path) == ".md" {
			rel, err := filepath.Rel(root, path)
			found = append(found, rel)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 5 {
		t.Fatalf("found the pages %v: the walk is broken", found)
	}
	return found
}

func TestBlocks(t *testing.T) {
	got := blocks("a\n```sh\nmake x   # why\n\n# only a comment\n```\nb\n```\nplain\n```\n")
	if len(got) != 2 || got[0].language != "sh" || got[0].line != 3 || got[1].text != "plain\n" {
		t.Fatalf("got %+v", got)
	}
	if lines := got[0].lines(); len(lines) != 1 || lines[0] != "make x" {
		t.Errorf("lines are %q", lines)
	}
}
