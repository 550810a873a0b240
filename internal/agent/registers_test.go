package agent

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/muster-ha/muster/internal/heartbeat"
	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/register"
)

// logged is a log that can be looked at.
func logged(text *strings.Builder) *slog.Logger { return slog.New(slog.NewTextHandler(text, nil)) }

func TestValuesAreKeptOverARestart(t *testing.T) {
	dir, log := filepath.Join(t.TempDir(), "state"), &strings.Builder{}
	r := newRegisters(1, dir, logged(log))
	if err := r.Set("k", "v"); err != nil {
		t.Fatal(err)
	}
	if kept, _ := r.isKept(); kept {
		t.Error("kept before anything is written")
	}
	r.flush(dir, logged(log))
	if kept, err := r.isKept(); !kept || err != nil {
		t.Errorf("kept %v, %v", kept, err)
	}
	again := newRegisters(1, dir, logged(log))
	if e, ok := again.Get("k"); !ok || e.Value != "v" || again.set.Digest() != r.set.Digest() {
		t.Errorf("%+v", e)
	}
	if kept, _ := again.isKept(); !kept {
		t.Error("what was read counts as not kept")
	}
	if log.Len() > 0 {
		t.Errorf("log: %s", log)
	}
}

// TestADamagedFileOfValuesIsMended: what is good in it is taken, what is not is told, and the file is written anew.
func TestADamagedFileOfValuesIsMended(t *testing.T) {
	dir, log := t.TempDir(), &strings.Builder{}
	r := newRegisters(1, dir, logged(log))
	for _, key := range []string{"first", "second"} {
		if err := r.Set(key, "v"); err != nil {
			t.Fatal(err)
		}
	}
	r.flush(dir, logged(log))
	path := filepath.Join(dir, registersFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	damaged := strings.Replace(string(text), lines[1], "0"+lines[1][2:], 1) // the newest comes first
	if err := os.WriteFile(path, []byte(damaged), 0o600); err != nil {
		t.Fatal(err)
	}
	again := newRegisters(1, dir, logged(log))
	_, first := again.Get("first")
	_, second := again.Get("second")
	if !first || second || !strings.Contains(log.String(), "line 2") {
		t.Errorf("first %v, second %v, log: %s", first, second, log)
	}
	again.flush(dir, logged(log))
	log.Reset()
	if newRegisters(1, dir, logged(log)); log.Len() > 0 {
		t.Errorf("not mended: %s", log)
	}
}

func TestValuesThatCannotBeKeptAreTold(t *testing.T) {
	file, log := filepath.Join(t.TempDir(), "file"), &strings.Builder{}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRegisters(1, file, logged(log)) // no directory
	if err := r.Set("k", "v"); err != nil {
		t.Fatal(err)
	}
	r.flush(file, logged(log))
	if kept, err := r.isKept(); kept || err == nil || !strings.Contains(log.String(), "cannot keep") {
		t.Errorf("kept %v, %v, log: %s", kept, err, log)
	}
}

func TestHooksLearnOfEveryChange(t *testing.T) {
	var told []string
	a, b := newRegisters(0, t.TempDir(), slog.New(slog.DiscardHandler)), newRegisters(1, t.TempDir(), slog.New(slog.DiscardHandler))
	b.Changed(func(key string) { told = append(told, key) })
	if err := errors.Join(a.Set("x", "1"), a.Set("y", "1"), b.Set("z", "1"), b.Set("z", "1"), b.Delete("none")); err != nil {
		t.Fatal(err)
	}
	b.hear(a.set.Say(true, register.Budget))
	b.hear(a.set.Say(true, register.Budget))
	if err := b.Delete("x"); err != nil {
		t.Fatal(err)
	}
	if want := []string{"z", "x", "y", "x"}; !slices.Equal(told, want) {
		t.Errorf("told of %v, want %v", told, want)
	}
}

// TestADigestIsRemembered: a heartbeat without room for the digest takes nothing back, another boot's does.
func TestADigestIsRemembered(t *testing.T) {
	before := heartbeat.Message{Registers: register.Said{Digest: 7}}
	before.Boot = 1
	for _, tc := range []struct {
		name string
		m    heartbeat.Message
		boot member.Boot
		want register.Digest
	}{
		{"says another", heartbeat.Message{Registers: register.Said{Digest: 8}}, 1, 8},
		{"says nothing", heartbeat.Message{}, 1, 7},
		{"another boot says nothing", heartbeat.Message{}, 2, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := tc.m
			m.Boot = tc.boot
			rememberRegisters(&m, &before)
			if m.Registers.Digest != tc.want {
				t.Errorf("digest %d, want %d", m.Registers.Digest, tc.want)
			}
		})
	}
}
