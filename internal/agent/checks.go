package agent

import (
	"context"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/check"
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/member"
)

// checks are the running checks of the configuration in use, by index. They belong to the loop; the checkers tell it
// through changed.
type checks struct {
	running []running
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
func (c *checks) use(cfg *config.Config) {
	old := c.running
	c.running = nil
	kept := map[string]bool{}
	for _, conf := range cfg.Checks {
		r, found := same(old, conf)
		if !found {
			r = c.start(conf)
		}
		kept[conf.Name] = found
		c.running = append(c.running, r)
	}
	for _, r := range old {
		if !kept[r.conf.Name] {
			r.cancel()
		}
	}
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
	for _, r := range c.running {
		r.cancel()
		r.done.Wait()
	}
}

// ready are the rules whose checks are all up.
func (c *checks) ready(cfg *config.Config) member.RuleSet {
	return readyRules(cfg, func(i int) bool { return c.running[i].checker.State() == check.Up })
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
