package heartbeat

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/muster-ha/muster/internal/register"
)

func sampleEntries() []register.Entry {
	long := register.Entry{Key: strings.Repeat("k", register.MaxKey), Value: strings.Repeat("v", register.MaxValue), Version: register.Version{Number: 2, Host: 1}}
	return []register.Entry{long, {Key: "k", Value: "v", Version: register.Version{Number: 1, Host: 1}}}
}

// TestRegistersGiveWay: when a datagram is nearly full, the digest goes without the entries, and then not even that.
func TestRegistersGiveWay(t *testing.T) {
	m := Message{Registers: register.Said{Digest: 7, Entries: sampleEntries()}}
	const head, digest = 2 + 3, 8
	long := len(register.AppendEntry(nil, m.Registers.Entries[0]))
	short := len(register.AppendEntry(nil, m.Registers.Entries[1]))
	for _, tc := range []struct {
		name    string
		room    int
		entries int
		digest  register.Digest
	}{
		{"room for all", head + digest + long + short, 2, 7},
		{"a byte less", head + digest + long + short - 1, 1, 7},
		{"the digest alone", head + digest, 0, 7},
		{"not even that", head + digest - 1, 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := m.appendSections(nil, tc.room)
			if len(b) > tc.room {
				t.Errorf("%d bytes in a room of %d", len(b), tc.room)
			}
			var got Message
			r := &reader{rest: b}
			r.sections(&got)
			if r.err != nil || got.Registers.Digest != tc.digest || len(got.Registers.Entries) != tc.entries {
				t.Errorf("%+v, %v", got.Registers, r.err)
			}
		})
	}
}

func TestRegistersThatCannotBeRead(t *testing.T) {
	entry := register.AppendEntry(nil, sampleEntries()[1])
	seven := append(zeros(7), 7)
	for _, tc := range []struct {
		name string
		body []byte
		good bool
	}{
		{"digest alone", seven, true},
		{"with an entry", slices.Concat(seven, entry), true},
		{"no digest", zeros(8), false},
		{"digest cut short", seven[:7], false},
		{"entry cut short", slices.Concat(seven, entry[:len(entry)-1]), false},
		{"entry that is none", slices.Concat(seven, []byte{0, 0, 0}), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			empty, err := Message{Language: latest}.Append(nil)
			if err != nil {
				t.Fatal(err)
			}
			section := slices.Concat([]byte{0, byte(len(tc.body) + 3), byte(registersSection), 0, byte(len(tc.body))}, tc.body)
			_, err = Parse(splice(empty, atSections, 2, section...))
			if tc.good && err != nil || !tc.good && !errors.Is(err, ErrMalformed) {
				t.Errorf("error %v", err)
			}
		})
	}
}
