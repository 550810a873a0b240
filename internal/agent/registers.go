package agent

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/muster-ha/muster/internal/heartbeat"
	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/register"
)

// registersFile keeps this host's copy of the common values over a restart of the whole cluster.
const registersFile = "registers"

// registers are the values that all hosts hold in common, as package register has them, with what the agent does when they change.
// All but kept belongs to the loop.
type registers struct {
	set   *register.Set
	hooks []func(key string)
	keep  chan copied            // to the writer; the newest counts
	kept  atomic.Pointer[copied] // what is in the file, or why it is not
}

// copied is a copy of the values on its way to the file.
type copied struct {
	text   string
	digest register.Digest
	err    error
}

// newRegisters makes the values of a host, with what its file has from the last time; what is damaged there comes back from the others.
func newRegisters(self member.ID, stateDir string, log *slog.Logger) *registers {
	r := &registers{set: register.New(uint8(self)), keep: make(chan copied, 1)}
	path := filepath.Join(stateDir, registersFile)
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		r.kept.Store(&copied{digest: r.set.Digest()})
		return r
	}
	if err != nil {
		log.Warn("cannot read the values that hosts hold in common: starting from what the others know", "file", path, "err", err)
		return r
	}
	entries, errs := register.Decode(string(text))
	for _, err := range errs {
		log.Warn("the file of the values that hosts hold in common is damaged: what is missing comes from the others", "file", path, "err", err)
	}
	r.set.Merge(entries)
	if len(errs) > 0 {
		r.keep <- r.copy()
		return r
	}
	r.kept.Store(&copied{digest: r.set.Digest()})
	return r
}

// copy is what the file should have.
func (r *registers) copy() copied { return copied{text: r.set.Encode(), digest: r.set.Digest()} }

// Set gives a key a value on all hosts. The hooks run before it returns. Its errors are those of register.Set.
func (r *registers) Set(key, value string) error {
	before := r.set.Digest()
	if err := r.set.Put(key, value, time.Now()); err != nil {
		return err
	}
	r.changed(before, key)
	return nil
}

// Delete takes a key's value away on all hosts.
func (r *registers) Delete(key string) error {
	before := r.set.Digest()
	if err := r.set.Delete(key, time.Now()); err != nil {
		return err
	}
	r.changed(before, key)
	return nil
}

// Get returns a key's value, and who set it; false: it has none.
func (r *registers) Get(key string) (register.Entry, bool) { return r.set.Get(key) }

// Changed has a function called in the loop with each key of which something else is known from now on, whoever set or deleted it. It
// must not set values itself.
func (r *registers) Changed(hook func(key string)) { r.hooks = append(r.hooks, hook) }

// hear takes in what another host says.
func (r *registers) hear(said register.Said) {
	if len(said.Entries) == 0 {
		return
	}
	before := r.set.Digest()
	r.changed(before, r.set.Merge(said.Entries)...)
}

// changed hands the values to the writer and tells the hooks, if they differ from before.
func (r *registers) changed(before register.Digest, keys ...string) {
	if r.set.Digest() == before {
		return
	}
	select {
	case <-r.keep:
	default:
	}
	r.keep <- r.copy()
	for _, key := range keys {
		for _, hook := range r.hooks {
			hook(key)
		}
	}
}

// write writes a copy to the file. It runs in the writer, which the loop does not wait for.
func (r *registers) write(stateDir string, c copied, log *slog.Logger) {
	if c.err = writeState(stateDir, registersFile, c.text); c.err != nil {
		log.Warn("cannot keep the values that hosts hold in common over a restart of the whole cluster", "err", c.err)
	}
	c.text = ""
	r.kept.Store(&c)
}

// flush writes what the writer has not come to. The loop and the writer have ended.
func (r *registers) flush(stateDir string, log *slog.Logger) {
	select {
	case c := <-r.keep:
		r.write(stateDir, c, log)
	default:
	}
}

// isKept reports whether the file has the values as they are now; the error says why it cannot.
func (r *registers) isKept() (bool, error) {
	c := r.kept.Load()
	if c == nil || c.digest != r.set.Digest() {
		return false, nil
	}
	if c.err != nil {
		return false, fmt.Errorf("keep values: %w", c.err)
	}
	return true, nil
}

// sayRegisters is what this host says of the common values: entries while a host that is heard has others.
func (h *host) sayRegisters() register.Said {
	own, differ := h.registers.set.Digest(), false
	for id, p := range h.peers {
		if d := p.last.Registers.Digest; d != 0 && d != own && h.machine.Hears(member.ID(id)) {
			differ = true
		}
	}
	return h.registers.set.Say(differ, register.Budget)
}

// lacking are the heard hosts of which it is not known that they have all common values, and the configured ones that are not heard. Both
// empty: every host has them.
func (h *host) lacking() (heard, silent []string) {
	for id := range h.config.Hosts {
		p := &h.peers[id]
		switch {
		case member.ID(id) == h.self:
		case !h.machine.Hears(member.ID(id)):
			silent = append(silent, h.config.Hosts[id].Name)
		case p.last.Registers.Digest != h.registers.set.Digest():
			heard = append(heard, h.config.Hosts[id].Name)
		}
	}
	return heard, silent
}

// rememberRegisters keeps the digest that a host said last, for the heartbeats that had no room for one.
func rememberRegisters(m *heartbeat.Message, before *heartbeat.Message) {
	if m.Registers.Digest == 0 && m.Boot == before.Boot {
		m.Registers.Digest = before.Registers.Digest
	}
}
