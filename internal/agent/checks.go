package agent

import (
	"context"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/check"
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/member"
)

// checks are the running checks of the configuration in use, by index, and of the one that waits. They belong to the loop; the
// checkers tell it through changed.
type checks struct {
	running []running
	coming  []running // of the configuration that waits; those that are the same run once
	changed func(name string, up bool)
	log     *slog.Logger
}

type running struct {
	conf    config.Check
	checker *check.Checker
	cancel  context.CancelFunc
	done    *sync.WaitGroup
}

func newChecks(cfg *config.Config, changed func(name string, up bool), log *slog.Logger) *checks {
	c := &checks{changed: changed, log: log}
	c.use(cfg)
	return c
}

// use runs the checks of a configuration. A check that has not changed keeps its state.
func (c *checks) use(cfg *config.Config) { c.replace(c.gather(cfg), nil) }

// prepare runs the checks of a configuration that waits as well, so that their results are there when it comes into use.
func (c *checks) prepare(cfg *config.Config) { c.replace(c.running, c.gather(cfg)) }

// forget ends the checks that only a configuration that waits has.
func (c *checks) forget() { c.replace(c.running, nil) }

// gather finds a configuration's checks among those that run, and starts the others.
func (c *checks) gather(cfg *config.Config) []running {
	var list []running
	for _, conf := range cfg.Checks {
		r, found := same(slices.Concat(c.running, c.coming), conf)
		if !found {
			r = c.start(conf)
		}
		list = append(list, r)
	}
	return list
}

// replace ends the checks that are on neither list.
func (c *checks) replace(now, coming []running) {
	kept := slices.Concat(now, coming)
	for _, r := range slices.Concat(c.running, c.coming) {
		if !slices.ContainsFunc(kept, func(k running) bool { return k.checker == r.checker }) {
			r.cancel()
		}
	}
	c.running, c.coming = now, coming
}

// decided reports whether every check of the configuration that waits has a result.
func (c *checks) decided() bool {
	return !slices.ContainsFunc(c.coming, func(r running) bool { return r.checker.State() == check.Unknown })
}

// same finds a running check with that very configuration.
func same(list []running, conf config.Check) (running, bool) {
	for _, r := range list {
		if reflect.DeepEqual(r.conf, conf) {
			return r, true
		}
	}
	return running{}, false
}

func (c *checks) start(conf config.Check) running {
	ctx, cancel := context.WithCancel(context.Background())
	r := running{conf: conf, checker: check.New(conf, c.changed, c.log), cancel: cancel, done: &sync.WaitGroup{}}
	r.done.Go(func() { r.checker.Run(ctx) })
	return r
}

// stop ends every check and waits for it.
func (c *checks) stop() {
	for _, r := range slices.Concat(c.running, c.coming) {
		r.cancel()
		r.done.Wait()
	}
}

// ready are the rules of a configuration whose checks are all up.
func ready(cfg *config.Config, checks []running) member.RuleSet {
	return readyRules(cfg, func(i int) bool { return checks[i].checker.State() == check.Up })
}

// status is every check for people.
func (c *checks) status() []api.CheckStatus {
	list := make([]api.CheckStatus, len(c.running))
	for i, r := range c.running {
		list[i] = checkStatus(r.checker)
	}
	return list
}

func checkStatus(c *check.Checker) api.CheckStatus {
	last := c.Last()
	s := api.CheckStatus{Name: c.Name(), State: c.State().String(), Why: last.Error}
	if since := c.Since(); !since.IsZero() {
		s.Since = &since
	}
	if last.At.IsZero() {
		s.Why = "no probe has ended yet"
		return s
	}
	s.Last = &api.Transcript{At: last.At, TookMS: float64(last.Took) / float64(time.Millisecond), Good: last.Good, Text: transcript(last)}
	return s
}

// transcript is a probe in a few lines.
func transcript(t check.Transcript) string {
	var lines []string
	for _, part := range []string{t.Request, t.Status, t.Body, t.Error, t.Remedy} {
		if part != "" {
			lines = append(lines, strings.TrimSpace(part))
		}
	}
	return strings.Join(lines, "\n")
}
