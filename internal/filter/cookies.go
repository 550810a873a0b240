package filter

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
)

// ErrNoCounter: the kernel's statistics do not have what was asked for.
var ErrNoCounter = errors.New("no such counter")

// SyncookiesSent is how many SYNs the kernel answered with a cookie and no memory, in the calling thread's network namespace. While it grows,
// connections that are about to exist appear in no list of sockets.
func SyncookiesSent() (uint64, error) {
	b, err := os.ReadFile("/proc/thread-self/net/netstat")
	if err != nil {
		return 0, fmt.Errorf("read network statistics: %w", err)
	}
	return netstatCounter(b, "TcpExt:", "SyncookiesSent")
}

// netstatCounter finds a counter in the form of /proc/net/netstat: a line of names, then a line of values.
func netstatCounter(b []byte, group, name string) (uint64, error) {
	var names [][]byte
	for line := range bytes.Lines(b) {
		fields := bytes.Fields(line)
		if len(fields) == 0 || string(fields[0]) != group {
			continue
		}
		if names == nil {
			names = fields
			continue
		}
		for i := 1; i < min(len(names), len(fields)); i++ {
			if string(names[i]) != name {
				continue
			}
			n, err := strconv.ParseUint(string(fields[i]), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("read counter %s: %w", name, err)
			}
			return n, nil
		}
		break
	}
	return 0, fmt.Errorf("read counter %s: %w", name, ErrNoCounter)
}
