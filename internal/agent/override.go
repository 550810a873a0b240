package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/override"
	"github.com/muster-ha/muster/internal/register"
)

const (
	// setPatience is how long a command waits for the hosts that are heard to have its settings. They take one heartbeat each way, or a few
	// at high loss.
	setPatience = 5 * time.Second

	// setPoll is how often it looks: often enough that a command feels immediate, seldom enough to cost the loop nothing.
	setPoll = 10 * time.Millisecond
)

// SetNetwork sets parameters by hand on all hosts, after it has judged all of a request, and waits until every host that is heard has them.
func (h *host) SetNetwork(ctx context.Context, r api.SettingsRequest) (api.SettingsAnswer, error) {
	var failed error
	set := func() {
		var changes []override.Change
		if changes, failed = h.parseSettings(r); failed == nil {
			failed = h.setAll(r.Network, changes)
		}
	}
	if !h.do(ctx, set) {
		return api.SettingsAnswer{}, fmt.Errorf("%w: the agent is stopping", api.ErrConflict)
	}
	if failed != nil {
		return api.SettingsAnswer{}, failed
	}
	return h.awaitSettings(ctx)
}

// parseSettings reads and judges all settings of a request.
func (h *host) parseSettings(r api.SettingsRequest) ([]override.Change, error) {
	level := override.Network
	if r.Network == "" {
		level = override.Cluster
	}
	var changes []override.Change
	for _, text := range r.Settings {
		c, err := override.Parse(level, text)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", api.ErrInvalid, err)
		}
		changes = append(changes, c)
	}
	values := override.ValuesOf(level, r.Network, h.registers.set.Values(""))
	if !h.hasNetwork(r) && !onlyTakesBack(changes, values) {
		return nil, fmt.Errorf("%w network %q: the networks are %s", api.ErrUnknown, r.Network, strings.Join(h.networkNames(), ", "))
	}
	if err := values.Check(changes, h.fileSettings(r.Network)); err != nil {
		return nil, fmt.Errorf("%w: %w", api.ErrInvalid, err)
	}
	return changes, nil
}

func (h *host) hasNetwork(r api.SettingsRequest) bool {
	return r.Network == "" || slices.Contains(h.networkNames(), r.Network)
}

// onlyTakesBack says whether changes do nothing but take back what is there: that is possible also for a network that has been removed.
func onlyTakesBack(changes []override.Change, values override.Values) bool {
	for _, c := range changes {
		if _, set := values[c.Parameter.Name]; !set || !c.Unset {
			return false
		}
	}
	return true
}

func (h *host) networkNames() []string {
	names := make([]string, len(h.castings))
	for i, c := range h.castings {
		names[i] = c.Name
	}
	return names
}

// setAll hands changes to all hosts with the next heartbeat.
func (h *host) setAll(network string, changes []override.Change) error {
	for _, c := range changes {
		var err error
		if key := override.Key(network, c.Parameter); c.Unset {
			err = h.registers.Delete(key)
		} else {
			err = h.registers.Set(key, c.Value)
		}
		if err != nil {
			return fmt.Errorf("%w: set %s: %w; take back what is not needed any more: `muster network list` shows it", api.ErrConflict, c.Parameter.Name, err)
		}
	}
	h.speak()
	return nil
}

// awaitSettings waits until every host that is heard has what this one has, and this one has it on its disk.
func (h *host) awaitSettings(ctx context.Context) (api.SettingsAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, setPatience)
	defer cancel()
	ticker := time.NewTicker(setPoll)
	defer ticker.Stop()
	for {
		var answer api.SettingsAnswer
		done := false
		if !h.do(context.WithoutCancel(ctx), func() { answer, done = h.spread() }) {
			return answer, fmt.Errorf("%w: the agent is stopping", api.ErrConflict)
		}
		if done {
			return answer, nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return answer, fmt.Errorf("wait for the other hosts: %w", ctx.Err())
			}
			return answer, nil
		}
	}
}

// spread says who has the common values, and whether that is everybody who can.
func (h *host) spread() (api.SettingsAnswer, bool) {
	lacking, silent := h.lacking()
	answer := api.SettingsAnswer{Lacking: lacking, Silent: silent}
	for _, host := range h.config.Hosts {
		if !slices.Contains(lacking, host.Name) && !slices.Contains(silent, host.Name) {
			answer.Have = append(answer.Have, host.Name)
		}
	}
	kept, err := h.registers.isKept()
	if err != nil {
		answer.NotKept = err.Error()
	}
	return answer, len(lacking) == 0 && (kept || err != nil)
}

// watchOverrides records what is set by hand on any host, from now on, and what was set before.
func (h *host) watchOverrides() {
	for _, o := range h.overrides() {
		h.toldOverride("override", o.Text()+"; kept from before")
	}
	h.registers.Changed(func(key string) {
		network, p, ok := override.Of(key)
		if !ok {
			return
		}
		for _, o := range h.overrides() {
			if o.Network == network && o.Parameter == p {
				h.toldOverride("override", o.Text())
				return
			}
		}
		e, _ := h.registers.set.Last(key)
		by, about := "a host that the file does not name", "all networks"
		if int(e.Version.Host) < len(h.config.Hosts) {
			by = "host " + h.config.Hosts[e.Version.Host].Name
		}
		if network != "" {
			about = "network " + network
		}
		h.toldOverride("override_removed", fmt.Sprintf("%s: %s is the file's again, taken back on %s at %s", about, p.Name, by, time.Unix(e.At, 0).UTC().Format(time.RFC3339)))
	})
}

func (h *host) toldOverride(kind, text string) {
	h.record(api.Event{At: time.Now(), Kind: kind, Text: text})
	h.log.Info(kind, "what", text)
}

// overrides are all settings that lie over the file.
func (h *host) overrides() []override.Override {
	return override.List(h.registers.set.Values(""), h.config)
}

// KeptOverrides are the overrides that the state directory of a configuration has on this machine, for whoever asks without an agent.
// What cannot be read there is left out.
func KeptOverrides(cfg *config.Config) []override.Override {
	text, err := os.ReadFile(filepath.Join(cfg.StateDir, registersFile))
	if err != nil {
		return nil
	}
	entries, _ := register.Decode(string(text))
	kept := register.New(0)
	kept.Merge(entries)
	return override.List(kept.Values(""), cfg)
}
