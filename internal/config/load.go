package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Load reads a file. What is wrong with its contents, or with reading it, comes back as Problems.
func Load(path string) (*Config, error) {
	data, err := readBounded(path, maxFileSize+1)
	if err != nil {
		return nil, Problems{{File: path, Message: "the file cannot be read: " + reason(err), Remedy: "check the path given with `-c` and who may read it"}}
	}
	return Parse(path, data)
}

// readBounded reads a file, but not without end: the path may name a device or a pipe.
func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

// reason is an error without the path that stands beside it anyway.
func reason(err error) string {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// Parse reads a file's contents. The path is the name for messages, and where relative paths start.
func Parse(path string, data []byte) (*Config, error) {
	base, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find directory of %s: %w", path, err)
	}
	root, bad := document(data)
	if bad != nil {
		return nil, Problems{{File: path, Line: bad.at.line, Column: bad.at.column, Message: bad.message, Remedy: bad.remedy}}
	}
	d := newDecoder(path, root)
	f := d.decodeFile(root)
	(&validator{d, f}).all()
	if len(d.problems) > 0 {
		return nil, d.found()
	}
	c := build(path, filepath.Dir(base), f, d.has)
	c.Warnings = inOrder(d.warnings)
	c.Effective = effectiveOf(f, d.has, c)
	return c, nil
}

// found gives the problems as the user gets them.
func (d *decoder) found() Problems {
	ps := inOrder(d.problems)
	if d.tooMany {
		ps = append(ps, Problem{File: d.file, Message: fmt.Sprintf("there are more than %d problems", maxProblems), Remedy: "correct these first"})
	}
	return ps
}
