package lab

import (
	"log/slog"
	"os"
)

// owner is the process that a lab ends with.
func owner() (record, error) {
	_, start, err := procStat(os.Getpid())
	return record{PID: os.Getpid(), Start: start}, err
}

// abandoned reports whether a lab should have ended with a process that is gone: it was killed, and could not clean up.
func (s *state) abandoned() bool {
	return !s.Detached && s.Owner.PID != 0 && !(&Process{s.Owner}).Running()
}

// sweep removes abandoned labs: their interfaces and processes would disturb what comes, and nobody else will.
func sweep(log *slog.Logger) {
	names, err := List()
	if err != nil {
		return // there is nothing, or the next step says what is wrong
	}
	for _, name := range names {
		s, err := readState(name)
		if err != nil || !s.abandoned() {
			continue
		}
		log.Info("removing a lab whose process was killed", "lab", name, "process", s.Owner.PID)
		if err := newLab(s, log).Down(); err != nil {
			log.Warn("cannot remove it: run `muster lab down --lab "+name+"`", "err", err)
		}
	}
}
