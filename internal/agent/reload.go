package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/muster-ha/muster/internal/api"
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
	if err := h.carriable(next); err != nil {
		return fmt.Errorf("%w: %w", api.ErrInvalid, err)
	}
	secret, err := config.LoadSecret(next.SecretFile)
	if err != nil {
		return fmt.Errorf("%w: %w", api.ErrInvalid, err)
	}
	defer clear(secret)
	passwords, err := loadPasswords(next)
	if err != nil {
		return fmt.Errorf("%w: %w", api.ErrInvalid, err)
	}
	warn(next, h.log)
	rankings := rank(next)
	var refused error
	if !h.do(ctx, func() { refused = h.offer(next, rankings, secret, passwords) }) {
		return fmt.Errorf("%w: the agent is stopping", api.ErrConflict)
	}
	return refused
}

// warn logs what of a file is not followed: nobody may have looked at it with `muster check`.
func warn(cfg *config.Config, log *slog.Logger) {
	for _, w := range cfg.Warnings {
		log.Warn("the file is not followed in one point", "what", w.String())
	}
}

// offer makes a configuration the pending one, and takes in the secrets that it names.
func (h *host) offer(next *config.Config, rankings rankings, secret []byte, passwords map[string]string) error {
	if changed := config.Restart(h.config, next); len(changed) > 0 {
		return fmt.Errorf("%w: %w: %s: stop all agents with `muster stop`, then start them (docs/configuration.md says what can change one host after the other)", api.ErrConflict, ErrRestart, strings.Join(changed, ", "))
	}
	if err := h.takeSecret(secret); err != nil {
		return err
	}
	h.routing.passwords = passwords
	if next.Digest == h.config.Digest {
		h.route(h.config)
		h.pending = nil
		h.checks.forget()
		h.log.Info("configuration unchanged", "config", next.Digest.Short())
	} else {
		h.pending, h.pendingRankings = next, rankings
		h.checks.prepare(h.probed(next))
		h.log.Info("configuration waits for the other hosts to have it", "config", next.Digest.Short(), "in_use", h.config.Digest.Short())
	}
	h.act(h.tellConfigs())
	return nil
}

// tellConfigs tells the machine which configurations there are. The pending one does not count before its new checks have a first
// result: unknown is not good, and with it in use nobody would get anything until then.
func (h *host) tellConfigs() member.Output {
	var pending member.ConfigID
	if h.pending != nil && h.checks.decided() {
		pending, h.next = configID(h.pending), h.offered(h.pending, h.checks.coming)
	}
	return h.machine.SetConfigs(time.Now(), configID(h.config), pending, h.next)
}

// adopt starts to use the configuration that a view is made with.
func (h *host) adopt(id member.ConfigID) member.Output {
	if id == configID(h.config) || h.pending == nil || id != configID(h.pending) {
		return member.Output{}
	}
	next := h.pending
	h.pending = nil
	// The file was good when it was offered; the host may have changed since. It then accepts nothing rather than something else than the
	// others think, until it can carry what it should.
	h.uncarried = h.carry(next)
	h.config = next
	h.examined.reexamine()
	h.forgetAddresses()
	h.shares = newShares(h.self, next, h.pendingRankings, h.shares)
	h.checks.use(h.probed(next))
	h.attributes = h.next // as the machine does
	for i := range h.peers {
		h.peers[i].learnt = nil
	}
	h.log.Info("configuration in use", "config", next.Digest.Short())
	if h.uncarried != nil {
		h.log.Error("cannot carry the new configuration: this host accepts nothing until it can", "err", h.uncarried)
		h.record(api.Event{At: time.Now(), Kind: "uncarried", Host: h.opt.Host, Text: h.uncarried.Error()})
	}
	h.later(h.refresh)
	return h.tellConfigs()
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
