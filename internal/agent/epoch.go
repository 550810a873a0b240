package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// epochFile keeps the highest epoch over a restart of the whole cluster, so that epochs only grow. It is a convenience: views
// are agreed without it.
const epochFile = "epoch"

func (h *host) loadEpoch() uint64 {
	data, err := os.ReadFile(filepath.Join(h.opt.StateDir, epochFile))
	if err != nil {
		return 0
	}
	epoch, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 63)
	if err != nil {
		h.log.Warn("epoch file is damaged, starting from what the others know", "file", filepath.Join(h.opt.StateDir, epochFile), "err", err)
		return 0
	}
	return epoch
}

// saveEpoch hands an epoch to the writer; only the newest counts.
func (h *host) saveEpoch(epoch uint64) {
	select {
	case <-h.epochWriter:
	default:
	}
	h.epochWriter <- epoch
}

// keepEpoch writes epochs outside of the loop, which must not wait for a disk.
func (h *host) keepEpoch(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case epoch := <-h.epochWriter:
			if err := writeEpoch(h.opt.StateDir, epoch); err != nil {
				h.log.Warn("cannot keep the epoch over a restart of the whole cluster", "err", err)
			}
		case values := <-h.registers.keep:
			h.registers.write(h.opt.StateDir, values, h.log)
		case groups := <-h.groupWriter:
			if err := writeState(h.opt.StateDir, groupsFile, groups); err != nil {
				h.log.Warn("cannot keep the multicast groups over a restart of the whole cluster", "err", err)
			}
		}
	}
}

func writeEpoch(dir string, epoch uint64) error {
	return writeState(dir, epochFile, strconv.FormatUint(epoch, 10)+"\n")
}

// writeState replaces a file of the state directory as a whole: after a power cut it is the old one or the new one.
func writeState(dir, name, text string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make state directory: %w", err)
	}
	path := filepath.Join(dir, name)
	if err := writeSynced(path+".new", text); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return syncDir(dir)
}

// writeSynced writes a file and waits until it is on the disk: a rename that gets there before the contents leaves an empty file
// after a power cut.
func writeSynced(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// syncDir waits until what was renamed in a directory is on the disk.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync state directory: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync state directory: %w", err)
	}
	return nil
}
