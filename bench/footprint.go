package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/muster-ha/muster/internal/lab"
)

const idle = 30 * time.Second

func footprintRow() row {
	return row{"footprint", "Memory and processor time of an idle agent", `Three hosts serve and nobody asks: heartbeats every 20 ms and a check every 500 ms go on. Resident memory after 30 s, and
the processor time of these 30 s, of each agent and its guard. *processor, ticks* is utime + stime of /proc/PID/stat, which
counts in hundredths of a second; *processor, run time* is what the scheduler measured (schedstat), and finer.`, runFootprint}
}

func runFootprint(ctx context.Context, b *bench) (figures []figure, err error) {
	f, err := serving(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	figures = []figure{
		newFigure("agent: resident memory", "MB").most(40), newFigure("agent: processor, ticks", "% of a core").most(2),
		newFigure("agent: processor, run time", "% of a core").most(2), newFigure("guard: resident memory", "MB"),
		newFigure("guard: processor, run time", "% of a core"),
	}
	before := make(map[string][2]usage)
	from := time.Now()
	for _, h := range f.Hosts() {
		if before[h.Name()], err = usageOf(h); err != nil {
			return nil, err
		}
	}
	if err := pause(ctx, idle); err != nil {
		return nil, err
	}
	elapsed := time.Since(from)
	for _, h := range f.Hosts() {
		after, err := usageOf(h)
		if err != nil {
			return nil, err
		}
		agent, guard := after[0].since(before[h.Name()][0], elapsed), after[1].since(before[h.Name()][1], elapsed)
		for i, v := range []float64{agent.memory, agent.ticks, agent.run, guard.memory, guard.run} {
			figures[i].Values = append(figures[i].Values, v)
		}
	}
	return figures, nil
}

// usage is what a process uses.
type usage struct {
	memory float64 // MB resident
	ticks  float64 // seconds in /proc/PID/stat; after since: per cent of a core
	run    float64 // the same, from schedstat
}

func (u usage) since(before usage, elapsed time.Duration) usage {
	percent := 100 / elapsed.Seconds()
	return usage{u.memory, (u.ticks - before.ticks) * percent, (u.run - before.run) * percent}
}

// usageOf looks at a host's agent and its guard.
func usageOf(h *lab.Host) (pair [2]usage, err error) {
	agent, err := h.Agent()
	if err != nil {
		return pair, err
	}
	guard, err := childOf(agent.PID())
	if err != nil {
		return pair, err
	}
	for i, pid := range []int{agent.PID(), guard} {
		if pair[i], err = usageOfProcess(filepath.Join("/proc", strconv.Itoa(pid))); err != nil {
			return pair, fmt.Errorf("look at process %d: %w", pid, err)
		}
	}
	return pair, nil
}

// childOf finds the one child of a process.
func childOf(pid int) (int, error) {
	paths, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return 0, err
	}
	var all []string
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return 0, fmt.Errorf("look for the guard: %w", err)
		}
		all = append(all, strings.Fields(string(data))...)
	}
	if len(all) != 1 {
		return 0, fmt.Errorf("agent %d has children %v: want its guard alone", pid, all)
	}
	return strconv.Atoi(all[0])
}

func usageOfProcess(dir string) (usage, error) {
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return usage{}, err
	}
	u, err := parseStat(string(stat), os.Getpagesize())
	if err != nil {
		return u, err
	}
	tasks, err := filepath.Glob(filepath.Join(dir, "task/*/schedstat"))
	if err != nil {
		return u, err
	}
	for _, path := range tasks {
		data, err := os.ReadFile(path)
		if err != nil {
			return u, err
		}
		first, _, _ := strings.Cut(string(data), " ")
		ns, err := strconv.ParseFloat(first, 64)
		if err != nil {
			return u, err
		}
		u.run += ns / 1e9
	}
	return u, nil
}

// parseStat reads time and memory out of /proc/PID/stat. The name in parentheses may hold anything: fields count from its end.
func parseStat(stat string, pageSize int) (usage, error) {
	const utime, stime, rss, ticksPerSecond = 11, 12, 21, 100
	_, rest, ok := cutLast(stat, ")")
	fields := strings.Fields(rest)
	if !ok || len(fields) <= rss {
		return usage{}, fmt.Errorf("read process status: %q is too short", stat)
	}
	var values [3]float64
	for i, field := range []int{utime, stime, rss} {
		v, err := strconv.ParseFloat(fields[field], 64)
		if err != nil {
			return usage{}, fmt.Errorf("read process status: %w", err)
		}
		values[i] = v
	}
	return usage{memory: values[2] * float64(pageSize) / 1e6, ticks: (values[0] + values[1]) / ticksPerSecond}, nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
