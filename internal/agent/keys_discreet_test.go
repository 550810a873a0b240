package agent

import (
	"log/slog"
	"testing"

	"golang.org/x/sys/unix"
)

// TestNoCoreIsWritten: what has keys in it does not go to a disk.
func TestNoCoreIsWritten(t *testing.T) {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0) })
	discreet(slog.New(slog.DiscardHandler))
	if can, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || can != 0 {
		t.Errorf("a core can be written: %d, %v", can, err)
	}
}
