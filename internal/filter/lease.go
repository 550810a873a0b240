package filter

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// BootTime is CLOCK_BOOTTIME, the lease's clock: it goes on while the machine sleeps, so a lease does not outlive a suspend.
func BootTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return 0 // cannot happen on Linux; zero is a lease that has lapsed
	}
	return time.Duration(t.Nano())
}

// SetLease lets the kernel accept new connections until deadline, a time of BootTime. It costs one store and may be called
// from any goroutine.
func (f *Filter) SetLease(deadline time.Duration) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if len(f.lease.items) == 0 {
		return // closed
	}
	atomic.StoreUint64(&f.lease.items[0], uint64(max(deadline, 0)))
}

// SetQuorum lets the kernel accept new connections of rules that need a quorum until deadline, a time of BootTime, as long as the lease
// lets it too. need is the number in the slots of those rules (balance.NeedFlag), from 1. Cost and use are SetLease's.
func (f *Filter) SetQuorum(need uint8, deadline time.Duration) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if need == 0 || int(need) > len(f.votes.items) {
		return // closed, or no need at all
	}
	atomic.StoreUint64(&f.votes.items[need-1], uint64(max(deadline, 0)))
}

// Lease is the deadline set last, by this agent or by the one before.
func (f *Filter) Lease() time.Duration {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if len(f.lease.items) == 0 {
		return 0
	}
	return time.Duration(atomic.LoadUint64(&f.lease.items[0]))
}

// Revoke ends the lease of the filter pinned in pinDir, from any process. A filter that is not there needs none.
func Revoke(pinDir string) error {
	m, err := ebpf.LoadPinnedMap(filepath.Join(pinDir, filterMapLease), nil)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open lease in %s: %w", pinDir, err)
	}
	defer m.Close()
	if err := m.Put(uint32(0), uint64(0)); err != nil {
		return fmt.Errorf("revoke lease in %s: %w", pinDir, err)
	}
	return nil
}
