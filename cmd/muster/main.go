package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/muster-ha/muster/internal/config"
)

// The exit codes.
const (
	exitGood  = 0
	exitBad   = 1
	exitUsage = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	err := newRoot(os.Stdout, os.Stderr).ExecuteContext(ctx)
	report(err)
	os.Exit(exitCode(err))
}

// usageError is a wrong command line, or a command line that needs a configuration that is not there.
type usageError struct{ error }

// Unwrap returns what is wrong.
func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func exitCode(err error) int {
	var usage usageError
	var problems config.Problems
	switch {
	case err == nil:
		return exitGood
	case errors.As(err, &usage), errors.As(err, &problems):
		return exitUsage
	}
	return exitBad
}

// report writes an error to standard error. Problems of a file stand alone, one a line, so that editors can follow them.
func report(err error) {
	problems, bare := err.(config.Problems)
	switch {
	case err == nil:
	case bare && len(problems) > 0:
		fmt.Fprintln(os.Stderr, err)
	default:
		fmt.Fprintln(os.Stderr, "muster: "+strings.TrimSpace(err.Error()))
	}
}
