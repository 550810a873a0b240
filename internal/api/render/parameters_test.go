package render

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/wire"
)

// TestEveryReasonHasAMeaning: whoever reads why datagrams are refused is told what that means.
func TestEveryReasonHasAMeaning(t *testing.T) {
	named := wire.Counters{}.Named()
	delete(named, wire.Accepted.String())
	known := meanings()
	for reason := range named {
		if known[reason] == "" {
			t.Errorf("%s: no meaning", reason)
		}
	}
	if len(named) != len(known) {
		t.Errorf("%d reasons, %d meanings", len(named), len(known))
	}
	var b bytes.Buffer
	refused(&b, api.NetworkStatus{Datagrams: api.DatagramStatus{Refused: named}, Multicast: api.MulticastStatus{Datagrams: api.DatagramStatus{Refused: map[string]uint64{"later": 3}}}})
	if n := strings.Count(b.String(), "\n"); n != 1+len(named)+1 || !strings.Contains(b.String(), "unknown") {
		t.Errorf("%d lines:\n%s", n, &b)
	}
}

func TestWhereAValueComesFrom(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name string
		p    api.ParameterStatus
		want string
	}{
		{"default", api.ParameterStatus{Source: api.FromDefault}, "default"},
		{"agreed", api.ParameterStatus{Source: api.FromCluster}, "cluster state"},
		{"override", api.ParameterStatus{Source: api.FromOverride, SetOn: "b", SetAt: &at}, "override set on b at 2026-03-01 12:00:00, file: nothing"},
		{"override of a host that is gone", api.ParameterStatus{Source: api.FromOverride, SetAt: &at, File: "true"}, "override set on an unknown host at 2026-03-01 12:00:00, file: true"},
		{"of a later version", api.ParameterStatus{Source: "oracle"}, "unknown"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := from(tc.p); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}
