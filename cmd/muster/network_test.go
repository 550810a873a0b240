package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/api/apitest"
	"github.com/muster-ha/muster/internal/register"
)

func TestNetworkSet(t *testing.T) {
	for _, tc := range []struct {
		name   string
		args   []string
		answer api.SettingsAnswer
		code   int
		want   string
		told   []string
	}{
		{"one", []string{"lan", "address=239.1.2.3"}, api.SettingsAnswer{Have: []string{"a", "b"}}, 0, "set on a, b\n", []string{`set "lan" ["address=239.1.2.3"]`}},
		{"several", []string{"lan", "address=", "disabled=1"}, api.SettingsAnswer{Have: []string{"a"}}, 0, "set on a\n", []string{`set "lan" ["address=" "disabled=1"]`}},
		{"of all networks", []string{"--cluster", "disabled=1"}, api.SettingsAnswer{Have: []string{"a"}}, 0, "set on a\n", []string{`set "" ["disabled=1"]`}},
		{"a host is not heard", []string{"lan", "address="}, api.SettingsAnswer{Have: []string{"a"}, Silent: []string{"c"}}, 0, "not heard: c: set there on return", []string{`set "lan" ["address="]`}},
		{"a host does not confirm", []string{"lan", "address="}, api.SettingsAnswer{Have: []string{"a"}, Lacking: []string{"b"}}, 1, "not confirmed by b", []string{`set "lan" ["address="]`}},
		{"not kept", []string{"lan", "address="}, api.SettingsAnswer{Have: []string{"a"}, NotKept: "disk full"}, 1, "not kept: disk full", []string{`set "lan" ["address="]`}},
		{"no network", []string{"address=239.1.2.3"}, api.SettingsAnswer{}, 2, "NETWORK is missing", nil},
		{"no setting", []string{"lan"}, api.SettingsAnswer{}, 2, "KEY=VALUE is missing", nil},
		{"no setting of all", []string{"--cluster"}, api.SettingsAnswer{}, 2, "KEY=VALUE is missing", nil},
		{"no value", []string{"lan", "address"}, api.SettingsAnswer{}, 2, "write KEY=VALUE", nil},
		{"network beside --cluster", []string{"--cluster", "lan", "disabled=1"}, api.SettingsAnswer{}, 2, "write KEY=VALUE", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fake := apitest.New()
			fake.Set = tc.answer
			dir, _ := apitest.Serve(t, fake)
			got := muster(t, dir, append([]string{"network", "set", "--run-dir", dir}, tc.args...)...)
			if got.code != tc.code || !strings.Contains(got.out+got.err, tc.want) || !slices.Equal(fake.Calls(), tc.told) {
				t.Errorf("got %+v, the agent was told %q", got, fake.Calls())
			}
		})
	}
}

func TestNetworkSetRefused(t *testing.T) {
	fake := apitest.New()
	fake.Err = fmt.Errorf("%w network %q: the networks are lan", api.ErrUnknown, "lab")
	dir, _ := apitest.Serve(t, fake)
	if got := muster(t, dir, "network", "set", "lab", "disabled=1", "--run-dir", dir); got.code != 1 || !strings.Contains(got.err, "the networks are lan") {
		t.Errorf("got %+v", got)
	}
}

// TestCheckShowsWhatLiesOverTheFile: what was set by hand and is kept on this machine is printed, and the file is good all the same.
func TestCheckShowsWhatLiesOverTheFile(t *testing.T) {
	dir := t.TempDir()
	text, err := os.ReadFile("../../examples/farm.yaml")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "farm.yaml")
	s := register.New(1)
	if err := errors.Join(s.Put("network/lan/address", "239.1.2.3", time.Unix(1_800_000_000, 0)), os.Mkdir(filepath.Join(dir, "state"), 0o700),
		os.WriteFile(path, append(text, "\nstate_dir: state\n"...), 0o600), os.WriteFile(filepath.Join(dir, "state", "registers"), []byte(s.Encode()), 0o600)); err != nil {
		t.Fatal(err)
	}
	got := muster(t, dir, "check", path)
	want := "override: network lan: address is 239.1.2.3 by hand, set on host b at 2027-01-15T08:00:00Z (the file says nothing): back to the file with `muster network set lan address=`\n"
	if got.code != 0 || !strings.HasPrefix(got.out, want) || !strings.Contains(got.out, ": good: ") {
		t.Errorf("got %+v", got)
	}
	if got := muster(t, dir, "check", path, "--json"); got.code != 0 || !strings.Contains(got.out, "address is 239.1.2.3 by hand") {
		t.Errorf("got %+v", got)
	}
}
