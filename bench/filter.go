package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

func filterRow() row {
	return row{"filter", "Cost of the filter", `Nanoseconds that the filter adds to a packet over a program that only passes, in turn with it in the same run
(BPF_PROG_TEST_RUN, 5,000 packets a round, the best of 400 rounds: whatever else the machine does can only make a round longer).
It is the benchmark of the package: ` + "`go test -run xxx -bench Filter -benchtime 400x ./internal/filter`.", runFilter}
}

// filterLimits says what is wanted of each case. The socket lookup is a part of the kernel that the filter pays for; early: the accelerator,
// over an empty program in the driver, for what it drops and for what it leaves to the filter. By IPv6 there are four times as many bytes of address to
// compare and to mix.
var filterLimits = [...]struct {
	name  string
	limit float64
}{
	{"not-ours", 20}, {"established", 20}, {"leaving", 20}, {"new", 100}, {"forward", 100}, {"ask-hit", 100}, {"ask-miss-end", 100}, {"ask-miss-forward", 0},
	{"drop", 20}, {"drop-early", 40}, {"keep-early", 40},
	{"ipv6-not-ours", 20}, {"ipv6-established", 30}, {"ipv6-leaving", 20}, {"ipv6-options", 0}, {"ipv6-new", 100}, {"ipv6-forward", 120}, {"ipv6-ask-hit", 120},
	{"ipv6-ask-miss-forward", 0},
}

const filterRuns = 3

func runFilter(ctx context.Context, b *bench) ([]figure, error) {
	out, err := exec.CommandContext(ctx, "go", "test", "-run", "xxx", "-bench", "Filter", "-benchtime", "400x",
		"-count", strconv.Itoa(b.times(filterRuns)), "./internal/filter").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("run benchmark: %w: %s", err, out)
	}
	added := parseBenchmark(out, "added-ns")
	var figures []figure
	for _, c := range filterLimits {
		values := added[c.name]
		if len(values) == 0 {
			return nil, fmt.Errorf("the benchmark said nothing of %q: %s", c.name, out)
		}
		f := newFigure(c.name, "ns", values...)
		if c.limit > 0 {
			f = f.median(c.limit)
		}
		figures = append(figures, f)
	}
	return figures, nil
}

// parseBenchmark reads one metric of the sub-benchmarks out of what go test wrote.
func parseBenchmark(out []byte, metric string) map[string][]float64 {
	values := make(map[string][]float64)
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		at := slices.Index(fields, metric)
		if at < 1 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		_, name, _ := strings.Cut(fields[0], "/")
		if dash := strings.LastIndexByte(name, '-'); dash > 0 && isNumber(name[dash+1:]) {
			name = name[:dash] // the number of processors
		}
		if v, err := strconv.ParseFloat(fields[at-1], 64); err == nil {
			values[name] = append(values[name], v)
		}
	}
	return values
}

func isNumber(s string) bool { _, err := strconv.Atoi(s); return err == nil }
