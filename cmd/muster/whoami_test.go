package main

import (
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"github.com/muster-ha/muster/internal/config"
)

func TestPickHost(t *testing.T) {
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	file := &config.Config{Path: "f", Hosts: []config.Host{{Name: "a", Address: a}, {Name: "b", Address: b}}}
	tests := []struct {
		name, given, hostname string
		local                 []netip.Addr
		want, err             string
	}{
		{name: "given", given: "b", hostname: "a", local: []netip.Addr{a}, want: "b"},
		{name: "given wrong", given: "c", hostname: "a", err: "it has a, b"},
		{name: "machine's name", hostname: "b", local: []netip.Addr{a}, want: "b"},
		{name: "machine's long name", hostname: "b.example.org", want: "b"},
		{name: "address", hostname: "x", local: []netip.Addr{netip.MustParseAddr("::1"), a}, want: "a"},
		{name: "nothing fits", hostname: "x", local: []netip.Addr{netip.MustParseAddr("::1")}, err: "one of a, b"},
		{name: "two addresses", hostname: "x", local: []netip.Addr{b, a}, err: "addresses of a, b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := pickHost(file, tt.given, tt.hostname, tt.local)
			if tt.err == "" && (err != nil || got != tt.want) {
				t.Fatalf("got %q, %v, want %q", got, err, tt.want)
			}
			var usage usageError
			if tt.err != "" && (!errors.As(err, &usage) || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("got %v, want wrong usage: %s", err, tt.err)
			}
		})
	}
}

func TestLocalAddressesHaveTheLoopback(t *testing.T) {
	addrs, err := localAddresses()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if a.IsLoopback() {
			return
		}
	}
	t.Errorf("no loopback in %v", addrs)
}

func TestLogIsForItsReader(t *testing.T) {
	tests := []struct {
		name     string
		terminal bool
		want     string
	}{
		{"terminal", true, "level=INFO msg=hello host=a"},
		{"elsewhere", false, `"level":"INFO","msg":"hello","host":"a"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b strings.Builder
			log := logger(&b, slog.LevelInfo, tt.terminal)
			log.Debug("quiet")
			log.Info("hello", "host", "a")
			if !strings.Contains(b.String(), tt.want) || strings.Contains(b.String(), "quiet") {
				t.Errorf("got %s", b.String())
			}
		})
	}
}
