package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	movesLook     = 2 * time.Second // after each step: what it breaks shows at the next retransmission
	movesPatience = 30 * time.Second
	rebalances    = 10
)

func movesRow() row {
	return row{"moves", "Established connections through every change", `1,000 connections exchange random data, 5 blocks a second each, and check every byte, while the delivery changes to igmp and back, ports are
added to the rule, its affinity changes and changes back, a weight changes, shares are given away and taken back ten times in a row, an agent is killed and
started again, and another is replaced by a build of the next release (maps and links are pinned). A connection is broken when it ends or
gets no answer for 15 s.`, runMoves}
}

func runMoves(ctx context.Context, b *bench) (figures []figure, err error) {
	dir, err := os.MkdirTemp("", "muster-bench-")
	if err != nil {
		return nil, fmt.Errorf("make directory: %w", err)
	}
	defer os.RemoveAll(dir)
	next, err := nextRelease(ctx, dir)
	if err != nil {
		return nil, err
	}
	f, err := serving(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	from := time.Now()
	stop, err := f.establishedConnections(ctx, surviveConns, surviveInterval)
	if err != nil {
		return nil, err
	}
	for _, step := range f.changes(next) {
		if err := pause(ctx, movesLook); err != nil {
			return nil, err
		}
		if err := step.do(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", step.name, err)
		}
		t := tally(f.clients.between(from, time.Now()))
		b.say("%s: %d open, %d broken, %d wrong", step.name, t.opened-t.broken-t.wrong, t.broken, t.wrong)
	}
	if err := errors.Join(pause(ctx, surviveLook), stop()); err != nil {
		return nil, err
	}
	return tally(f.clients.between(from, time.Now())).figures()
}

// nextRelease builds the program as the next release would speak.
func nextRelease(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "muster-next")
	if out, err := exec.CommandContext(ctx, "go", "build", "-tags", "muster_next", "-o", path, "./cmd/muster").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build next release: %w: %s", err, out)
	}
	return path, nil
}

// changes are the steps in their order.
func (f *farm) changes(next string) []move {
	edit := func(old, new string) func(context.Context) error {
		return func(ctx context.Context) error { return f.edit(ctx, old, new) }
	}
	return []move{
		{"delivery igmp", edit("delivery: directed", "delivery: igmp")},
		{"delivery directed", edit("delivery: igmp", "delivery: directed")},
		{"more ports", edit("[80, 443, 7]", "[80, 443, 7, 8000-8099]")},
		{"affinity client", edit("affinity: none", "affinity: client")},
		{"affinity none", edit("affinity: client", "affinity: none")},
		{"weight of a", edit("a: {address: 10.77.0.1}", "a: {address: 10.77.0.1, weight: 3}")},
		{"ten rebalances", f.rebalance},
		{"agent of a killed and started", func(ctx context.Context) error { return f.restart(ctx, "a", binary) }},
		{"agent of b upgraded", func(ctx context.Context) error { return f.restart(ctx, "b", next) }},
	}
}

// edit changes the file of all hosts and waits until all use it.
func (f *farm) edit(ctx context.Context, old, new string) error {
	text, err := os.ReadFile(f.ConfigPath())
	if err != nil {
		return err
	}
	if !strings.Contains(string(text), old) {
		return fmt.Errorf("the configuration has no %q", old)
	}
	before, err := f.agents["a"].Status(ctx)
	if err != nil {
		return err
	}
	if err := os.WriteFile(f.ConfigPath(), []byte(strings.Replace(string(text), old, new, 1)), 0o644); err != nil {
		return err
	}
	for _, h := range f.Hosts() {
		if _, err := h.Muster(ctx, "reload"); err != nil {
			return err
		}
	}
	return f.until(ctx, "the new configuration is in use", func() (bool, error) {
		for _, name := range f.names() {
			s, err := f.agents[name].Status(ctx)
			if err != nil || s.Config.Digest == before.Config.Digest || s.Config.Pending != "" {
				return false, err
			}
		}
		return true, nil
	})
}

// until waits for something, looking as often as it costs nothing.
func (f *farm) until(ctx context.Context, what string, so func() (bool, error)) error {
	for deadline := time.Now().Add(movesPatience); ; {
		yes, err := so()
		if err != nil || yes {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not within %v: %s", movesPatience, what)
		}
		if err := pause(ctx, lookInterval); err != nil {
			return err
		}
	}
}

// rebalance has hosts give their shares away and take them back, one after the other without a rest.
func (f *farm) rebalance(ctx context.Context) error {
	a := f.Host("a")
	for i := range rebalances {
		host := []string{"b", "c"}[i/2%2]
		order, state := "drain", "drained"
		if i%2 == 1 {
			order, state = "resume", "serving"
		}
		if _, err := a.Muster(ctx, "host", order, host); err != nil {
			return err
		}
		err := f.until(ctx, host+" is "+state, func() (bool, error) {
			s, err := f.agents["a"].Status(ctx)
			for _, h := range s.Hosts {
				if h.Name == host {
					return string(h.State) == state, err
				}
			}
			return false, err
		})
		if err != nil {
			return err
		}
	}
	return f.ready(ctx)
}

// restart kills an agent and starts a build in its place, as a service manager does.
func (f *farm) restart(ctx context.Context, host, build string) error {
	agent, err := f.Host(host).Agent()
	if err != nil {
		return err
	}
	if err := agent.Signal(unix.SIGKILL); err != nil {
		return err
	}
	if err := agent.Wait(ctx); err != nil {
		return err
	}
	return errors.Join(f.Host(host).StartBuild(build), f.ready(ctx))
}
