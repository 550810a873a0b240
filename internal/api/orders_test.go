package api_test

import (
	"testing"

	"github.com/muster-ha/muster/internal/api"
)

func TestRuleHasPort(t *testing.T) {
	for _, tc := range []struct {
		ports    string
		protocol string
		port     uint16
		udp      bool
		want     bool
	}{
		{"80", "tcp", 80, false, true},
		{"80", "tcp", 80, true, false},
		{"53", "udp", 53, true, true},
		{"53", "udp", 53, false, false},
		{"80,443,8000-8010", "tcp", 443, false, true},
		{"80,443,8000-8010", "tcp", 8000, false, true},
		{"80,443,8000-8010", "tcp", 8010, false, true},
		{"80,443,8000-8010", "tcp", 8011, false, false},
		{"", "tcp", 0, false, false},
		{"80", "both", 80, true, true},
		{"80", "both", 80, false, true},
		{"rest", "both", 0, true, true},
		{"rest", "tcp", 0, true, false},
		{"rest", "tcp", 80, false, false},
		{"a-b", "tcp", 0, false, false},
	} {
		if got := (api.RuleStatus{Ports: tc.ports, Protocol: tc.protocol}).Has(tc.port, tc.udp); got != tc.want {
			t.Errorf("%s %s has %d, UDP %v: %v", tc.protocol, tc.ports, tc.port, tc.udp, got)
		}
	}
}
