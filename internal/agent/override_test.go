package agent_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/lab"
)

// parameter waits until a host shows a parameter of its first network with a value, and gives it.
func parameter(t *testing.T, h *lab.Host, name, value string) api.ParameterStatus {
	t.Helper()
	var p api.ParameterStatus
	eventually(t, patience, fmt.Sprintf("host %s has %s %s", h.Name(), name, value), func() error {
		s, err := ask(h)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(s.Networks[0].Parameters, func(p api.ParameterStatus) bool { return p.Name == name })
		if i < 0 || s.Networks[0].Parameters[i].Value != value {
			return fmt.Errorf("%+v", s.Networks[0].Parameters)
		}
		p = s.Networks[0].Parameters[i]
		return nil
	})
	return p
}

// undisturbed reports hosts that were lost or views that were made since.
func undisturbed(t *testing.T, l *lab.Lab, since time.Time) {
	t.Helper()
	for _, h := range l.Hosts() {
		for _, e := range events(t, h, "host_silent", "host_left", "view_proposed", "view_accepted") {
			if e.At.After(since) {
				t.Errorf("host %s: %s %s %s", h.Name(), e.Kind, e.Host, e.Text)
			}
		}
	}
}

// TestNetworkSetOnAllHosts: a setting by hand is on all hosts at once without a lost view, is told everywhere, outlives a restart of all
// and a change of the file, reaches a host that was away, and goes back to the file.
func TestNetworkSetOnAllHosts(t *testing.T) {
	const plain = "\nheartbeat: {networks: {lan: {interface: eth0}}}\n"
	l := farm(t, strings.Replace(lab.DefaultConfig, "\nvips:", plain+"\nvips:", 1))
	a, b, c := l.Host("a"), l.Host("b"), l.Host("c")
	by(t, a, "multicast", "239.255.", true, 2, 2, 2)
	base, err := os.ReadFile(l.ConfigPath())
	if err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	if out := muster(t, b, "network", "set", "lan", "MulticastAddress=239.1.2.3:STR"); out != "set on a, b, c\n" {
		t.Errorf("the command says %q", out)
	}
	for _, h := range l.Hosts() {
		p := parameter(t, h, "address", "239.1.2.3")
		if p.Source != api.FromOverride || p.SetOn != "b" || p.File != "" || p.OldName != "MulticastAddress" {
			t.Errorf("host %s: %+v", h.Name(), p)
		}
		if e := lastEvent(t, h, "override"); !strings.Contains(e.Text, "address is 239.1.2.3 by hand, set on host b at ") {
			t.Errorf("host %s: event %q", h.Name(), e.Text)
		}
		by(t, h, "the group is the one set", "239.1.2.3", true, 2, 2, 2)
	}
	for _, command := range [][]string{{"status"}, {"network", "list"}} {
		if out := muster(t, c, command...); !strings.Contains(out, "muster network set lan address=") {
			t.Errorf("%v does not show the override:\n%s", command, out)
		}
	}
	undisturbed(t, l, before)
	refusedSettings(t, l)

	kill(t, c)
	members(t, a, "a", "b")
	if out := muster(t, a, "network", "set", "lan", "range-lower=239.3.0.0", "range-upper=239.3.0.255"); out != "set on a, b\nnot heard: c: set there on return\n" {
		t.Errorf("with c away the command says %q", out)
	}
	start(t, l, "c")
	parameter(t, c, "range-upper", "239.3.0.255")
	for _, h := range l.Hosts() {
		kill(t, h)
	}
	if err := l.StartAll(); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
	for _, h := range l.Hosts() {
		by(t, h, "the group that was set, after the restart of all", "239.1.2.3", true, 2, 2, 2)
		parameter(t, h, "range-lower", "239.3.0.0")
	}

	sets(t, l, strings.Replace(string(base), plain, "", 1), "{networks: {lan: {interface: eth0, multicast: {address: 239.9.9.9}}}}")
	eventually(t, patience, "the difference from the file is shown", func() error {
		if p := parameter(t, c, "address", "239.1.2.3"); p.File != "239.9.9.9" {
			return fmt.Errorf("%+v", p)
		}
		return nil
	})
	before = time.Now()
	muster(t, c, "network", "set", "lan", "address=")
	for _, h := range l.Hosts() {
		if p := parameter(t, h, "address", "239.9.9.9"); p.Source != api.FromFile || p.SetAt != nil {
			t.Errorf("host %s: %+v", h.Name(), p)
		}
		if e := lastEvent(t, h, "override_removed"); !strings.Contains(e.Text, "address is the file's again, taken back on host c") {
			t.Errorf("host %s: event %q", h.Name(), e.Text)
		}
	}
	undisturbed(t, l, before)
}

// refusedSettings tries what cannot be meant: it is an error with a remedy and changes nothing, unlike where the old names come from.
func refusedSettings(t *testing.T, l *lab.Lab) {
	t.Helper()
	a := l.Host("a")
	for _, tc := range []struct{ setting, says string }{
		{"MulticastAddress=10.1.2.3", "lenient: true"},
		{"MulticastConfigType=1:DWORD", "cannot be set"},
		{"MulticastLeaseExpires=0", "MADCAP server"},
		{"MulticastClusterDisabled=1", "--cluster"},
		{"range-lower=239.9.0.0 range-upper=239.1.0.0", "in one command"},
	} {
		before := status(t, a).Overrides
		out, err := a.Muster(t.Context(), append([]string{"network", "set", "lan", "disabled=true"}, strings.Fields(tc.setting)...)...)
		if err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, %s", tc.setting, err, out)
		}
		if after := status(t, a).Overrides; !slices.Equal(before, after) {
			t.Errorf("%s: %+v", tc.setting, after)
		}
	}
	if _, err := a.Muster(t.Context(), "network", "set", "lab", "disabled=true"); err == nil || !strings.Contains(err.Error(), "the networks are lan") {
		t.Errorf("an unknown network: %v", err)
	}
}

// TestTruthTableOfDisablingByCommand: every line of the table, set by command with the old names on both levels, live, without a lost view.
func TestTruthTableOfDisablingByCommand(t *testing.T) {
	l := farm(t, "")
	by(t, l.Host("a"), "multicast", "239.255.", true, 2, 2, 2)
	hosts := l.Hosts()
	for i, line := range []struct {
		cluster, network string // empty: not set
		disabled         bool
	}{
		{"", "", false}, {"", "0", false}, {"0", "", false}, {"0", "0", false},
		{"", "1", true}, {"0", "1", true},
		{"1", "", true}, {"7", "1", true}, {"1", "2", true},
		{"1", "0", false}, {"2", "0", false},
	} {
		t.Run(fmt.Sprintf("cluster %q, network %q", line.cluster, line.network), func(t *testing.T) {
			before := time.Now()
			muster(t, hosts[i%3], "network", "set", "--cluster", "MulticastClusterDisabled="+line.cluster)
			muster(t, hosts[(i+1)%3], "network", "set", "lan", "MulticastDisabled="+line.network)
			for _, h := range hosts {
				by(t, h, "used or not", "239.255.", !line.disabled, 2, 2, 2)
				if p := parameter(t, h, "disabled", fmt.Sprint(line.disabled)); (p.Source == api.FromOverride) != (line.network != "") {
					t.Errorf("host %s: %+v", h.Name(), p)
				}
			}
			if n := perBeat(t, hosts[0]); line.disabled == (n < 1.7) {
				t.Errorf("%.2f datagrams a heartbeat", n)
			}
			undisturbed(t, l, before)
		})
	}
}

// TestNetworkSetSaysWhoDoesNotConfirm: a host that is heard but hears nobody cannot get a setting. The command says so, and the host gets it
// when it hears again.
func TestNetworkSetSaysWhoDoesNotConfirm(t *testing.T) {
	l := farm(t, "")
	a, c := l.Host("a"), l.Host("c")
	nft := func(commands ...string) {
		t.Helper()
		for _, command := range commands {
			if out, err := c.Exec(t.Context(), "nft", command).CombinedOutput(); err != nil {
				t.Fatalf("nft %s: %v\n%s", command, err, out)
			}
		}
	}
	nft("add table ip deaf", "add chain ip deaf in { type filter hook input priority 0; }", "add rule ip deaf in udp dport { 3343, 3344 } drop")
	code, said := exit(t, a, "network", "set", "lan", "madcap=false")
	if code != 1 || !strings.Contains(said, "not every host that is heard has confirmed") {
		t.Errorf("exit code %d, %q", code, said)
	}
	parameter(t, l.Host("b"), "madcap", "false")
	if p := parameter(t, c, "madcap", "true"); p.Source != api.FromDefault {
		t.Errorf("the deaf host has %+v", p)
	}
	nft("delete table ip deaf")
	parameter(t, c, "madcap", "false")
}
