package agent

import (
	"fmt"
	"log/slog"

	"golang.org/x/sys/unix"
)

// discreet keeps the kernel from writing the agent's memory, which has keys in it, to a disk as a core. Root can still read it while the
// agent runs.
func discreet(log *slog.Logger) {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		log.Warn("a core of the agent could be written, with keys in it", "err", fmt.Errorf("forbid cores: %w", err))
	}
}
