package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/lab"
)

const (
	// A starved host runs for up to shortRun, stops for up to longStop, and so on: often longer than any of the rivals waits.
	shortRun = 200 * time.Millisecond
	longStop = time.Second
	// starveSeed makes the pulses the same for all and each time.
	starveSeed = 1
)

const wrongAbout = `All hosts live and their links are up, and yet: part of the frames that a host is sent is lost, at every host, at random; or
stress-ng keeps twice as many processor hogs as there are cores and the first host is starved besides: it is stopped for up to a second, runs
for up to 200 ms, and so on. All rivals have the trouble at the same time, each on hosts of its own, for the *time* given (` + "`-for`" + `
of ` + "`go run ./bench`" + `, a minute if not). *wrong removals* are the live hosts that some host took out of its membership, counted for each
host that did and each time. Removals of the starved host are counted apart: who is silent for longer than a rival waits is rightly
removed; so is a Muster host whose own log says meanwhile that its timer stood still for longer than the detection time, which a machine can do to it. *agreements* are how often hosts named their members anew, all hosts together: meanwhile corosync delivers nothing.`

func wrongRow() row {
	return row{"wrong", "Wrong removals, three hosts: Muster, corosync, memberlist", wrongAbout,
		func(ctx context.Context, b *bench) ([]figure, error) { return runWrong(ctx, b, 3) }}
}

func wrongSevenRow() row {
	return row{"wrong7", "Wrong removals, seven hosts", "The same with seven hosts.",
		func(ctx context.Context, b *bench) ([]figure, error) { return runWrong(ctx, b, 7) }}
}

// ordeal is a trouble, and who has it. None of it is a reason to remove a host, except the one that is starved.
type ordeal struct {
	name   string
	rivals []rival
	loss   float64 // per cent of what each host is sent
	starve bool    // the first host, with all cores busy
}

func ordeals() []ordeal {
	steady, fast := musterRival("steady"), musterRival("fast")
	others := []rival{corosync("tuned, token 300 ms", 300*time.Millisecond), memberlistRival("tuned")}
	return []ordeal{
		{name: "30 % loss both ways", rivals: append([]rival{steady}, others...), loss: 30},
		{name: "5 % loss both ways", rivals: append([]rival{fast}, others...), loss: 5},
		{name: "cores busy, a host starved", rivals: append([]rival{steady, fast}, others...), starve: true},
	}
}

func runWrong(ctx context.Context, b *bench, hosts int) (figures []figure, err error) {
	figures = []figure{newFigure("time", "s", b.trial.Seconds())}
	for _, o := range ordeals() {
		got, err := o.run(ctx, b, hosts)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.name, err)
		}
		figures = append(figures, got...)
	}
	return figures, nil
}

// run starts the rivals on hosts of their own, then the trouble for all, and counts what they made of it.
func (o ordeal) run(ctx context.Context, b *bench, hosts int) (figures []figure, err error) {
	var all []*match
	defer func() {
		for _, m := range all {
			err = errors.Join(err, m.close())
		}
	}()
	for _, r := range o.rivals {
		m, err := newMatch(ctx, r, hosts)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	from := time.Now()
	if err := o.trouble(ctx, all, b.trial); err != nil {
		return nil, err
	}
	for _, m := range all {
		got, err := o.count(m, from)
		if err != nil {
			return nil, err
		}
		b.say("%s, %s: %d wrong removals, %d of a host that stood still, %d of the starved host, %d agreements", o.name, m.rival.name, got.wrong, got.still, got.starved, got.agreements)
		figures = append(figures, o.figures(m.rival, got)...)
	}
	return figures, nil
}

func (o ordeal) trouble(ctx context.Context, all []*match, d time.Duration) error {
	if o.starve {
		return starve(ctx, all, d)
	}
	for _, m := range all {
		for _, h := range m.Hosts() {
			if err := h.Loss(o.loss, 0, lab.Received); err != nil {
				return err
			}
		}
	}
	return pause(ctx, d)
}

// removals are what a rival made of a trouble.
type removals struct{ wrong, starved, still, agreements int }

func (o ordeal) count(m *match, from time.Time) (r removals, err error) {
	for _, j := range m.logs {
		if err := j.look(); err != nil {
			return r, err
		}
		r.agreements += j.changes(from)
	}
	for _, j := range m.logs {
		for _, removed := range j.removals(from) {
			switch {
			case o.starve && removed.host == m.logs[0].host:
				r.starved++
			case m.stoodStill(removed):
				r.still++
			default:
				r.wrong++
			}
		}
	}
	return r, nil
}

// stoodStill says whether a host was removed while its own timer stood still for longer than the others wait, by its own log.
func (m *match) stoodStill(r removal) bool {
	i := slices.IndexFunc(m.logs, func(j *journal) bool { return j.host == r.host })
	return i >= 0 && slices.ContainsFunc(m.logs[i].pauses, func(p standstill) bool {
		return p.lasted > m.rival.detection && r.at.After(p.until.Add(-p.lasted)) && r.at.Before(p.until.Add(p.lasted))
	})
}

func (o ordeal) figures(r rival, got removals) []figure {
	wrong := counts(o.name+", "+r.name+": wrong removals", got.wrong)
	if r.config != "" {
		wrong = wrong.most(0)
	}
	list := []figure{wrong}
	if r.detection > 0 {
		list = append(list, counts(o.name+", "+r.name+": removals of a host that stood still", got.still))
	}
	if o.starve {
		list = append(list, counts(o.name+", "+r.name+": removals of the starved host", got.starved))
	}
	return append(list, counts(o.name+", "+r.name+": agreements", got.agreements))
}

// starve keeps all cores busy and stops and continues the first host of each match by the same pulses.
func starve(ctx context.Context, all []*match, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	cores := runtime.NumCPU()
	hogs := exec.CommandContext(ctx, "stress-ng", "--cpu", strconv.Itoa(2*cores), "--matrix", strconv.Itoa(cores), "--temp-path", all[0].Dir())
	hogs.Cancel = func() error { return hogs.Process.Signal(unix.SIGINT) } // it ends its own children
	hogs.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	if err := hogs.Start(); err != nil {
		return fmt.Errorf("run stress-ng: %w", err)
	}
	pulsed := make([]error, len(all))
	var group sync.WaitGroup
	for i, m := range all {
		group.Go(func() { pulsed[i] = pulse(ctx, m.Hosts()[0]) })
	}
	group.Wait()
	err := hogs.Wait()
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = nil // it was told to end
	}
	return errors.Join(append(pulsed, err)...)
}

// pulse stops a host and lets it go on, until the time is over, and leaves it running.
func pulse(ctx context.Context, h *lab.Host) error {
	random := rand.New(rand.NewPCG(starveSeed, 0))
	for {
		if pause(ctx, time.Duration(random.Int64N(int64(shortRun)))) != nil {
			return nil
		}
		if err := h.Freeze(); err != nil {
			return err
		}
		stopped := pause(ctx, time.Duration(random.Int64N(int64(longStop))))
		if err := h.Thaw(); err != nil || stopped != nil {
			return err
		}
	}
}
