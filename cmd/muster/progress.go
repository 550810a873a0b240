package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

// progressPause is between two lines that nobody watches as they change: often enough for a log, seldom enough not to fill it.
const progressPause = time.Second

// progress tells how far something has come: on a terminal in one line that changes, else in lines.
type progress struct {
	out      io.Writer
	terminal bool
	last     time.Time
	told     string
}

func newProgress(out io.Writer) *progress {
	file, ok := out.(*os.File)
	return &progress{out: out, terminal: ok && term.IsTerminal(int(file.Fd()))}
}

// say tells how far it has come. What has been told already, or a moment ago, is not told again.
func (p *progress) say(text string) {
	switch {
	case text == p.told:
		return
	case p.terminal:
		fmt.Fprintf(p.out, "\r%s\x1b[K", text) // to the end of the line: the last text may have been longer
	case time.Since(p.last) < progressPause:
		return
	default:
		fmt.Fprintln(p.out, text)
	}
	p.told, p.last = text, time.Now()
}

// end leaves the line of a terminal.
func (p *progress) end() {
	if p.terminal && p.told != "" {
		fmt.Fprintln(p.out)
	}
}
