package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/balance"
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/member"
)

// ErrRestart says that a change cannot be taken live.
var ErrRestart = errors.New("needs a restart of the agent")

// Reload reads the file again. What is right and can be taken live waits until every host of the view has it, and is then used
// by all in one view change; anything else changes nothing.
func (h *host) Reload(ctx context.Context) error {
	next, err := config.Load(h.opt.ConfigPath)
	if err != nil {
		return fmt.Errorf("%w: %w", api.ErrInvalid, err)
	}
	if _, err := findLinks(next); err != nil {
		return fmt.Errorf("%w: %w", api.ErrInvalid, err)
	}
	rankings := rank(next)
	var refused error
	if !h.do(ctx, func() { refused = h.offer(next, rankings) }) {
		return fmt.Errorf("%w: the agent is stopping", api.ErrConflict)
	}
	return refused
}

// offer makes a configuration the pending one.
func (h *host) offer(next *config.Config, rankings *balance.Rankings) error {
	if changed := config.Restart(h.config, next); len(changed) > 0 {
		return fmt.Errorf("%w: %w: %s: run `muster stop`, then `muster run`, one host after the other", api.ErrConflict, ErrRestart, strings.Join(changed, ", "))
	}
	h.pending, h.pendingRankings = next, rankings
	pending := configID(next)
	if next.Digest == h.config.Digest {
		h.pending, pending = nil, 0
		h.log.Info("configuration unchanged", "config", next.Digest.Short())
	} else {
		h.log.Info("configuration waits for the other hosts to have it", "config", next.Digest.Short(), "in_use", h.config.Digest.Short())
	}
	h.act(h.machine.SetConfigs(time.Now(), configID(h.config), pending))
	return nil
}

// adopt starts to use the configuration that a view is made with.
func (h *host) adopt(id member.ConfigID) {
	if id == configID(h.config) || h.pending == nil || id != configID(h.pending) {
		return
	}
	next := h.pending
	h.pending = nil
	if err := h.carry(next); err != nil {
		// The file was good when it was offered; the host has changed since. Accept nothing rather than something else than the others think.
		h.log.Error("cannot use the new configuration: this host accepts nothing until it is mended and the agent restarted", "err", err)
		h.disarmed = true
	}
	h.config = next
	h.shares = newShares(h.self, next, h.pendingRankings, h.shares)
	h.checks.use(next)
	h.attributes = h.offered()
	h.log.Info("configuration in use", "config", next.Digest.Short())
	// Told to the machine after this step: it is in the middle of one.
	h.later(func() {
		h.act(h.machine.SetConfigs(time.Now(), configID(h.config), 0))
		h.refresh()
	})
}

// later runs f in the loop, after what it is doing now.
func (h *host) later(f func()) {
	go func() {
		select {
		case h.calls <- f:
		case <-h.stopped:
		}
	}()
}
