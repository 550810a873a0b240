package lab

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
)

// mountsBelow lists the mount points in and below a directory, in the order in which they were mounted.
func mountsBelow(dir string) ([]string, error) {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("read mounts: %w", err)
	}
	defer file.Close()
	all, err := parseMounts(file)
	if err != nil {
		return nil, err
	}
	var below []string
	for _, point := range all {
		if point == dir || strings.HasPrefix(point, strings.TrimSuffix(dir, "/")+"/") {
			below = append(below, point)
		}
	}
	return below, nil
}

// unescape undoes the kernel's octal escapes in mountinfo.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

// parseMounts takes the mount points out of a mountinfo file.
func parseMounts(r io.Reader) ([]string, error) {
	const mountPoint = 4
	var points []string
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) <= mountPoint {
			return nil, fmt.Errorf("read mounts: line %q is too short", lines.Text())
		}
		points = append(points, unescape.Replace(fields[mountPoint]))
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read mounts: %w", err)
	}
	return points, nil
}
