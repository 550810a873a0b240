package bgp

import (
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestWhatIsSaidOfAFailure(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	for _, tt := range []struct {
		name        string
		is          session
		why, remedy string // parts; remedy empty: there must be none
	}{
		{"new", session{begun: now.Add(-time.Second)}, "being set up", ""},
		{"takes connections and is silent", session{begun: now.Add(-time.Minute)}, "says nothing", "router's log"},
		{"refused", session{failed: "dial tcp 192.0.2.254:179: connect: connection refused"}, "refuses", "start BGP"},
		{"no answer", session{failed: "dial tcp 192.0.2.254:179: i/o timeout"}, "does not answer", "password"},
		{"unreachable", session{failed: "dial tcp 192.0.2.254:179: connect: no route to host"}, "cannot be reached", "is up"},
		{"interface gone", session{failed: "setsockopt: no such device"}, "interface", "ip link"},
		{"unknown error of the kernel", session{failed: "dial tcp: quantum flux"}, "quantum flux", "log"},
		{"failed after it had ended", session{ended: "hold-timer-expired", failed: "connection refused"}, "refuses", "start BGP"},
		{"silent for too long", session{ended: "hold-timer-expired"}, "hold time", "raise"},
		{"heard nothing of us", session{ended: "notification-received code 4(hold timer expired) subcode 0(undefined)"}, "heard nothing of this host", "load"},
		{"another AS", session{ended: "notification-received code 2(open message error) subcode 2(bad peer as)"}, "AS numbers", "the other way round"},
		{"shut down", session{ended: "notification-received code 6(cease) subcode 2(administrative shutdown)"}, "switched the session off", "switch it on"},
		{"flooded", session{flooded: now, failed: "connection refused"}, "more than 1000 routes", "no routes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			why, remedy := tt.is.explain(now)
			if !strings.Contains(why, tt.why) || !strings.Contains(remedy, tt.remedy) || tt.remedy == "" && remedy != "" {
				t.Errorf("said %q and %q, want %q and %q", why, remedy, tt.why, tt.remedy)
			}
		})
	}
}

func TestOnlyFailedAttemptsAreHeard(t *testing.T) {
	heard := map[netip.Addr]string{}
	log := slog.New(&ears{log: quiet, heard: func(a netip.Addr, why string) { heard[a] = why }})
	one := log.With("Topic", "Peer", "Key", "192.0.2.254")
	one.Debug("try to connect")
	one.Warn("something else", "Error", "bad")
	one.Debug(failedToConnect, "Error", "connection refused")
	log.Debug(failedToConnect, "Error", "of nobody")
	two := log.With("Key", "192.0.2.253")
	two.Info(sentNotice, "Code", 2, "Subcode", 2)
	if why, _ := match(ofEnding(), heard[netip.MustParseAddr("192.0.2.253")]); why != "the AS numbers differ" {
		t.Errorf("of a notice heard %v, which means %s", heard, why)
	}
	delete(heard, netip.MustParseAddr("192.0.2.253"))
	if len(heard) != 1 || heard[netip.MustParseAddr("192.0.2.254")] != "connection refused" {
		t.Errorf("heard %v", heard)
	}
	if !log.Enabled(context.Background(), slog.LevelDebug) {
		t.Error("deaf to what is said of attempts")
	}
}
