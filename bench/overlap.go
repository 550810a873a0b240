package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
)

func overlapRow() row {
	return row{"overlap", "Overlap forced on purpose", `Two hosts are both given every bucket and every packet, which never happens by itself: both answer each SYN. With the
egress guard no connection may break; without it the same test must break some, or it would show nothing. It is a test of the
package: ` + "`go test -run Overlap ./internal/filter -v`.", runOverlap}
}

const overlapTimes = 3

func runOverlap(ctx context.Context, b *bench) ([]figure, error) {
	broken, without := counts("connections broken with the guard").most(0), counts("runs without the guard that broke connections")
	for range b.times(overlapTimes) {
		out, err := exec.CommandContext(ctx, "go", "test", "-count", "1", "-run", "Overlap", "./internal/filter", "-v").CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			return nil, fmt.Errorf("run test: %w", err)
		}
		n, control, err := parseOverlap(out)
		if err != nil {
			return nil, err
		}
		broken.Values = append(broken.Values, float64(n))
		without.Values = append(without.Values, float64(control))
	}
	return []figure{broken, without}, nil
}

// parseOverlap reads how many connections broke with the guard, and whether any did without it.
func parseOverlap(out []byte) (broken, control int, err error) {
	verdicts := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^--- (PASS|FAIL): Test(\w+)`).FindAllSubmatch(out, -1) {
		verdicts[string(m[2])] = string(m[1]) == "PASS"
	}
	guarded, ran := verdicts["OverlapBreaksNothingWithTheGuard"]
	breaks, ranToo := verdicts["OverlapWithoutTheGuard"]
	if !ran || !ranToo {
		return 0, 0, fmt.Errorf("the tests did not run: %s", out)
	}
	if breaks {
		control = 1
	}
	if guarded {
		return 0, control, nil
	}
	m := regexp.MustCompile(`(\d+) of \d+ connections broken`).FindSubmatch(out)
	if m == nil {
		return 0, 0, fmt.Errorf("the test failed for another reason: %s", out)
	}
	broken, err = strconv.Atoi(string(m[1]))
	return broken, control, err
}
