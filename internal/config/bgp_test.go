package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/delivery"
)

// routedFile is the good file with a routed address.
func routedFile(t *testing.T, bgp string) string {
	t.Helper()
	return strings.Replace(spoilt(t, "10.77.0.100/24\n", "203.0.113.10/32\n    delivery: routed\n"), "vips:", bgp+"vips:", 1)
}

func TestRoutedNeedsRouters(t *testing.T) {
	const tor = "bgp: {as: 64512, neighbors: {tor1: {address: 10.77.0.254, as: 64513}}}\n"
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"good", routedFile(t, tor), nil},
		{"no routers", routedFile(t, ""), []string{"9:15: delivery `routed` needs routers to announce the address to, and the file has no `bgp`; add for example `bgp: {as: 64512, neighbors: {tor1: {address: 10.77.0.254, as: 64513}}}`, or write `directed`"}},
		{"router of the other family", routedFile(t, strings.Replace(tor, "10.77.0.254", `"2001:db8::1"`, 1)), []string{"9:14: no router below `bgp` has an address of the family of 203.0.113.10; add a router with such an address: each is told of addresses of its own family"}},
		{"no neighbours", routedFile(t, "bgp: {as: 64512, neighbors: {}}\n"), []string{"6:18: `neighbors` is empty; write for example `neighbors: {tor1: {address: 10.77.0.254, as: 64513}}`"}},
		{"no AS", routedFile(t, "bgp: {neighbors: {tor1: {address: 10.77.0.254, as: 64513}}}\n"), []string{"6:1: `bgp` has no `as`; add `as: 64512`"}},
		{"AS 0", routedFile(t, strings.Replace(tor, "64512", "0", 1)), []string{"6:11: as 0 is out of range; write a number from 1 to 4294967294"}},
		{"half a second", routedFile(t, strings.Replace(tor, "64513}", "64513, hold_time: 3500ms}", 1)), []string{"6:81: hold time 3.5s is not in whole seconds; write `4s`"}},
		{"hold time below what BGP knows", routedFile(t, strings.Replace(tor, "64513}", "64513, hold_time: 2s}", 1)), []string{"6:81: hold_time 2s is out of range; write a time from 3s to 1h"}},
		{"router with a host's address", routedFile(t, strings.Replace(tor, "10.77.0.254", "10.77.0.2", 1)), []string{"6:46: router `tor1` has the address of host `b`; write the router's address"}},
		{"two routers, one address", routedFile(t, strings.Replace(tor, "64513}", "64513}, tor2: {address: 10.77.0.254, as: 64513}", 1)), []string{"6:87: router `tor2` has the address of router `tor1`; give each its own address, or remove one of them"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := problemsOf(t, tt.text); !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

func TestNinthRouterIsTooMuch(t *testing.T) {
	var routers []string
	for i := range 9 {
		routers = append(routers, "r"+string(rune('0'+i))+": {address: 10.77.0.20"+string(rune('0'+i))+", as: 1}")
	}
	got := problemsOf(t, routedFile(t, "bgp: {as: 64512, neighbors: {"+strings.Join(routers, ", ")+"}}\n"))
	if len(got) != 1 || !strings.Contains(got[0], "has 9 entries, and 8 is the most") {
		t.Errorf("got %q", got)
	}
}

func TestBGPIsBuiltWithItsDefaults(t *testing.T) {
	c := parsed(t, routedFile(t, "bgp: {as: 64512, neighbors: {tor2: {address: 10.77.0.253, as: 64512, hold_time: 9s, bfd: 100ms, password_file: p}, tor1: {address: 10.77.0.254, as: 64513}}}\n"))
	if !c.Routes() || c.BGP.AS != 64512 || len(c.BGP.Neighbors) != 2 || c.VIPs[0].Delivery != delivery.Routed {
		t.Fatalf("got %+v", c.BGP)
	}
	if n := c.BGP.Neighbors[0]; n.Name != "tor1" || n.AS != 64513 || n.HoldTime != 3*time.Second || n.BFD != 0 || n.PasswordFile != "" {
		t.Errorf("tor1: %+v", n)
	}
	if n := c.BGP.Neighbors[1]; n.HoldTime != 9*time.Second || n.BFD != 100*time.Millisecond || !strings.HasSuffix(n.PasswordFile, "p") {
		t.Errorf("tor2: %+v", n)
	}
	unused := parsed(t, spoilt(t, "vips:", "bgp: {as: 1, neighbors: {r: {address: 10.77.0.254, as: 1}}}\nvips:"))
	if len(unused.Warnings) != 1 || !strings.Contains(unused.Warnings[0].Message, "nothing is announced") {
		t.Errorf("routers that nothing is announced to: warnings %v", unused.Warnings)
	}
}

func TestPasswordFiles(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		mode       os.FileMode
		want       string
		err        error
	}{
		{"line", "hunter2\n", 0o600, "hunter2", nil},
		{"line of a Windows editor", "hunter2\r\n", 0o600, "hunter2", nil},
		{"no newline, spaces within", "a b c", 0o400, "a b c", nil},
		{"longest", strings.Repeat("x", MaxPassword) + "\n", 0o600, strings.Repeat("x", MaxPassword), nil},
		{"too long", strings.Repeat("x", MaxPassword+1), 0o600, "", ErrPassword},
		{"much too long", strings.Repeat("x", 1<<20), 0o600, "", ErrPassword},
		{"two lines", "hunter2\nhunter3\n", 0o600, "", ErrPassword},
		{"empty", "\n", 0o600, "", ErrPassword},
		{"readable by others", "hunter2\n", 0o640, "", ErrSecretMode},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "p")
			if err := os.WriteFile(path, []byte(tt.text), tt.mode); err != nil {
				t.Fatal(err)
			}
			got, err := LoadPassword(path)
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("got %q, %v; want %q, %v", got, err, tt.want, tt.err)
			}
			if err != nil && strings.Contains(err.Error(), "hunter") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
	if p, err := LoadPassword(""); p != "" || err != nil {
		t.Errorf("no file: %q, %v", p, err)
	}
	if _, err := LoadPassword(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}
