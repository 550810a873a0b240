package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"text/tabwriter"
	"time"

	"github.com/muster-ha/muster/internal/api/render"
	"github.com/muster-ha/muster/madcap"
)

// maxLeaseFile bounds what is read: a lease of 65535 addresses one by one.
const maxLeaseFile = 8 << 20

// readLease reads what keepLease or --json wrote.
func readLease(path string) (madcap.Lease, error) {
	var l madcap.Lease
	f, err := os.Open(path)
	if err != nil {
		return l, fmt.Errorf("read lease: %w", err)
	}
	defer f.Close()
	if err := json.NewDecoder(io.LimitReader(f, maxLeaseFile)).Decode(&l); err != nil {
		return l, fmt.Errorf("read lease %s: %w (want what `muster madcap lease` wrote)", path, err)
	}
	if l.ID == "" || !l.Server.IsValid() || !l.Scope.IsMulticast() || len(l.Ranges) == 0 {
		return l, fmt.Errorf("read lease %s: identifier, server, scope or addresses are missing (want what `muster madcap lease` wrote)", path)
	}
	return l, nil
}

// absent refuses a file that exists: the lease in it could not be released any more.
func absent(path string) error {
	if path == "" {
		return nil
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("keep lease in %s: there is something already (release it, or name another file)", path)
	}
	return nil
}

// keepLease writes a lease to its file, if any, and prints it. If it cannot be kept it is printed whole, so that it can be released.
func (a *app) keepLease(l madcap.Lease, path string) error {
	if path != "" {
		if err := writeLease(l, path); err != nil {
			return errors.Join(fmt.Errorf("%w (what is needed to release it is on standard output)", err), render.JSON(a.out, l))
		}
	}
	return a.print(l, func(w io.Writer) { writeLeaseText(w, l) })
}

// writeLease replaces the file as a whole, readable by its owner alone.
func writeLease(l madcap.Lease, path string) error {
	b, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return fmt.Errorf("keep lease: %w", err)
	}
	if err := os.WriteFile(path+".new", append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("keep lease: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("keep lease: %w", err)
	}
	return nil
}

func writeLeaseText(w io.Writer, l madcap.Lease) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "addresses\t%s\n", joined(l.Ranges))
	fmt.Fprintf(t, "scope\t%v\n", l.Scope)
	fmt.Fprintf(t, "server\t%v\n", l.Server)
	fmt.Fprintf(t, "expires\t%s\n", l.Expires.UTC().Format(time.RFC3339))
	fmt.Fprintf(t, "renew at\t%s\n", l.RenewAt().UTC().Format(time.RFC3339))
	t.Flush()
}
