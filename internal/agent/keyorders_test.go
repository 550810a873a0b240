package agent

import (
	"slices"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/heartbeat"
	"github.com/muster-ha/muster/internal/member"
)

// TestLastWordOfKeysStands: a heartbeat that has no room for keys says nothing of them, and another boot starts from nothing.
func TestLastWordOfKeysStands(t *testing.T) {
	k := keychain{said: make([]saidKeys, 2)}
	said := func(boot member.Boot, keys heartbeat.Keys) heartbeat.Message {
		m := heartbeat.Message{Keys: keys}
		m.From, m.Boot = 1, boot
		return m
	}
	word := heartbeat.KeyWord{Network: 3, Sign: 7, Newest: 8}
	k.hear(said(1, heartbeat.Keys{Base: 5, Words: []heartbeat.KeyWord{{Network: 0}, word}}))
	for _, step := range []struct {
		name string
		hear heartbeat.Message
		want heartbeat.KeyWord
	}{
		{"nothing said", said(1, heartbeat.Keys{}), word},
		{"said anew", said(1, heartbeat.Keys{Base: 5, Words: []heartbeat.KeyWord{{Network: 3, Sign: 8, Newest: 8}}}), heartbeat.KeyWord{Network: 3, Sign: 8, Newest: 8}},
		{"another boot", said(2, heartbeat.Keys{}), heartbeat.KeyWord{}},
	} {
		if k.hear(step.hear); k.word(1, 3) != step.want {
			t.Errorf("%s: %+v, want %+v", step.name, k.word(1, 3), step.want)
		}
	}
}

// TestOrdersUndoTheirOwnKindOnly: to drain a host and to replace a key there are two orders, both of which arrive.
func TestOrdersUndoTheirOwnKindOnly(t *testing.T) {
	var give, take orders
	now := time.Now()
	for _, verb := range []heartbeat.Verb{heartbeat.DrainHost, heartbeat.RotateKeys, heartbeat.RotateKeys + 1, heartbeat.ResumeHost, heartbeat.RotateKeys} {
		give.give(1, verb, now)
	}
	m := heartbeat.Message{Orders: give.outgoing(now)}
	m.From, m.Boot = 0, 9
	var got []heartbeat.Verb
	for _, o := range take.take(1, m) {
		got = append(got, o.Verb)
	}
	if want := []heartbeat.Verb{heartbeat.RotateKeys + 1, heartbeat.ResumeHost, heartbeat.RotateKeys}; !slices.Equal(got, want) {
		t.Errorf("taken %v, want %v", got, want)
	}
	if again := take.take(1, m); len(again) > 0 {
		t.Errorf("taken twice: %v", again)
	}
}
