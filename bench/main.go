package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// Where things are, from the root of the repository: make runs the program there.
const (
	binary      = "bin/muster"
	resultsPath = "bench/results.json"
	pagePath    = "docs/benchmarks.md"
)

// bench is a run of the program.
type bench struct {
	out    io.Writer
	repeat int           // repetitions of what is repeated, when not the row's own number; 0: that
	trial  time.Duration // how long the rows of wrong removals wait for one
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == memberlistCommand {
		if err := runMemberlist(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
	}
	if len(os.Args) > 1 && os.Args[1] == answerCommand {
		if err := runAnswer(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
	}
	list := flag.Bool("list", false, "list the rows")
	n := flag.Int("n", 0, "repetitions, for a quick look (default: each row's own number); nothing is written down then")
	trial := flag.Duration("for", trial, "how long the rows wrong and wrong7 wait for a wrong removal, each of three times")
	page := flag.Bool("page", false, "only write the page anew, of what is known")
	flag.Parse()
	if *page {
		if err := rewrite(); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	if *list {
		for _, r := range rows() {
			fmt.Printf("%-10s %s\n", r.name, r.title)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	b := &bench{out: os.Stdout, repeat: *n, trial: *trial}
	if err := b.measure(ctx, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// rewrite writes the page anew.
func rewrite() error {
	all, err := readResults(resultsPath)
	if err != nil {
		return err
	}
	return writePage(pagePath, all)
}

// measure runs rows and writes each result down as soon as there is one.
func (b *bench) measure(ctx context.Context, names []string) error {
	chosen, err := choose(rows(), names)
	if err != nil {
		return err
	}
	here, err := thisMachine()
	if err != nil {
		return err
	}
	var failed []error
	for _, r := range chosen {
		fmt.Fprintf(b.out, "%s: %s\n", r.name, r.title)
		done, err := b.one(ctx, r, here)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", r.name, err))
			continue
		}
		if missed := done.missed(); len(missed) > 0 {
			failed = append(failed, fmt.Errorf("%s: missed: %s", r.name, strings.Join(missed, "; ")))
		}
	}
	return errors.Join(failed...)
}

func (b *bench) one(ctx context.Context, r row, here machine) (result, error) {
	began, measured := time.Now(), commit() // before: the row may take long enough for others to work on
	figures, err := r.run(ctx, b)
	if err != nil {
		return result{}, err
	}
	done := result{Row: r.name, Commit: measured, Date: began.UTC().Truncate(time.Second),
		Took: time.Since(began).Round(time.Second).Seconds(), Machine: here, Figures: figures}
	if err := printTable(b.out, figures); err != nil {
		return done, err
	}
	if b.repeat != 0 {
		return done, nil
	}
	return done, keep(resultsPath, pagePath, done)
}

// times is how often to repeat something.
func (b *bench) times(usual int) int {
	if b.repeat > 0 {
		return b.repeat
	}
	return usual
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.out, "  "+format+"\n", args...)
}
