package agent_test

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/lab"
)

// sentBy counts the UDP datagrams that a host has sent.
func sentBy(t *testing.T, h *lab.Host) int {
	t.Helper()
	out, err := h.Exec(t.Context(), "cat", "/proc/net/snmp").Output()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if fields[0] != "Udp:" {
			continue
		}
		if names == nil {
			names = fields
			continue
		}
		for i, name := range names {
			if name == "OutDatagrams" {
				n, err := strconv.Atoi(fields[i])
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
		}
	}
	t.Fatalf("no count of datagrams in\n%s", out)
	return 0
}

// perBeat is how many datagrams a host sends for each of its heartbeats.
func perBeat(t *testing.T, h *lab.Host) float64 {
	t.Helper()
	beats := func() uint64 {
		n := status(t, h).Networks[0]
		if n.Multicast.Used {
			return n.Multicast.Datagrams.Sent
		}
		return n.Datagrams.Sent
	}
	firstBeats, firstSent := beats(), sentBy(t, h)
	eventually(t, patience, "100 heartbeats", func() error {
		if n := beats() - firstBeats; n < 100 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	return float64(sentBy(t, h)-firstSent) / float64(beats()-firstBeats)
}

// by waits until a host says that multicast to a group that begins so is used or not, and that it hears and is heard by so many.
func by(t *testing.T, h *lab.Host, what, group string, used bool, hears ...int) api.MulticastStatus {
	t.Helper()
	var m api.MulticastStatus
	eventually(t, patience, what, func() error {
		s, err := ask(h)
		if err != nil {
			return err
		}
		m = s.Networks[0].Multicast
		var got []int
		for _, each := range m.Hearing {
			got = append(got, len(each.Hears))
		}
		if m.Used != used || !strings.HasPrefix(m.Group, group) || used && fmt.Sprint(got) != fmt.Sprint(hears) {
			return fmt.Errorf("%+v", m)
		}
		return nil
	})
	return m
}

// sets changes the configuration of all hosts live: base with heartbeat settings.
func sets(t *testing.T, l *lab.Lab, base, heartbeat string) {
	t.Helper()
	text := strings.Replace(base, "\nvips:", "\nheartbeat: "+heartbeat+"\n\nvips:", 1)
	if err := os.WriteFile(l.ConfigPath(), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, h := range l.Hosts() {
		muster(t, h, "reload")
	}
}

func bridge(t *testing.T, l *lab.Lab, args ...string) {
	t.Helper()
	all := append([]string{"netns", "exec", l.Name() + "-sw", "ip", "link", "set", "br0", "type", "bridge"}, args...)
	if out, err := exec.CommandContext(t.Context(), "ip", all...).CombinedOutput(); err != nil {
		t.Fatalf("ip %v: %v\n%s", all, err, out)
	}
}

// TestHeartbeatsByMulticast: one datagram an interval instead of two, with snooping and without; a host that is deaf to groups stays
// in the view by unicast; disabling is live. The view never changes.
func TestHeartbeatsByMulticast(t *testing.T) {
	l := farm(t, "")
	a, c := l.Host("a"), l.Host("c")
	epoch := ready(t, l)
	m := by(t, a, "multicast", "239.255.", true, 2, 2, 2)
	if !strings.HasPrefix(m.Group, "239.255.") || m.How != "self-selected" {
		t.Errorf("group %s, %s", m.Group, m.How)
	}
	if n := perBeat(t, a); n > 1.3 {
		t.Errorf("%.2f datagrams a heartbeat by multicast, want 1", n)
	}
	muster(t, a, "multicast", "test")
	for _, snooping := range []string{"1", "0"} {
		bridge(t, l, "mcast_snooping", snooping, "mcast_querier", snooping)
		by(t, a, "multicast with snooping "+snooping, "239.255.", true, 2, 2, 2)
	}
	for _, command := range []string{"add table ip deaf", "add chain ip deaf in { type filter hook input priority 0; }", "add rule ip deaf in ip daddr 239.0.0.0/8 drop"} {
		if out, err := c.Exec(t.Context(), "nft", command).CombinedOutput(); err != nil {
			t.Fatalf("nft %s: %v\n%s", command, err, out)
		}
	}
	by(t, a, "c is deaf", "239.255.", true, 2, 2, 0)
	if n := perBeat(t, a); n < 1.7 || n > 2.3 {
		t.Errorf("%.2f datagrams a heartbeat with a deaf host, want 2", n)
	}
	if out, err := a.Muster(t.Context(), "multicast", "test"); err == nil {
		t.Errorf("the test does not see a deaf host:\n%s", out)
	}
	if out, err := c.Exec(t.Context(), "nft", "delete table ip deaf").CombinedOutput(); err != nil {
		t.Fatalf("nft: %v\n%s", err, out)
	}
	by(t, a, "c hears again", "239.255.", true, 2, 2, 2)
	if after := ready(t, l); after != epoch {
		t.Errorf("the view has changed from epoch %d to %d", epoch, after)
	}
	flapKeepsTheMembership(t, l)
	restartKeepsTheGroup(t, l, m.Group)
}

// restartKeepsTheGroup ends all agents and starts them again.
func restartKeepsTheGroup(t *testing.T, l *lab.Lab, group string) {
	t.Helper()
	for _, h := range l.Hosts() {
		kill(t, h)
	}
	if err := l.StartAll(); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
	if m := by(t, l.Host("b"), "multicast after the restart", "239.255.", true, 2, 2, 2); m.Group != group {
		t.Errorf("group %s after the restart of all, %s before", m.Group, group)
	}
}

// TestMulticastIsSetLive: disabled, another address, and back, each without a host leaving the view.
func TestMulticastIsSetLive(t *testing.T) {
	const plain = "\nheartbeat: {networks: {lan: {interface: eth0}}}\n"
	l := farm(t, strings.Replace(lab.DefaultConfig, "\nvips:", plain+"\nvips:", 1))
	a := l.Host("a")
	by(t, a, "multicast", "239.255.", true, 2, 2, 2)
	base, err := os.ReadFile(l.ConfigPath())
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		settings string
		used     bool
		group    string
	}{
		{"{multicast: {disabled: true}, networks: {lan: {interface: eth0}}}", false, ""},
		{"{multicast: {disabled: true}, networks: {lan: {interface: eth0, multicast: {disabled: false}}}}", true, "239.255."},
		{"{networks: {lan: {interface: eth0, multicast: {address: 239.1.2.3}}}}", true, "239.1.2.3"},
		{"{networks: {lan: {interface: eth0, multicast: {disabled: true}}}}", false, ""},
		{"{networks: {lan: {interface: eth0}}}", true, "239.255."},
	} {
		before := time.Now()
		sets(t, l, strings.Replace(string(base), plain, "", 1), step.settings)
		m := by(t, a, step.settings, step.group, step.used, 2, 2, 2)
		if !m.Used && m.Why != "it is disabled" {
			t.Errorf("%s: why: %s", step.settings, m.Why)
		}
		if n := perBeat(t, a); step.used == (n > 1.3) {
			t.Errorf("%s: %.2f datagrams a heartbeat", step.settings, n)
		}
		for _, e := range events(t, a, "host_silent", "host_left") {
			if e.At.After(before) {
				t.Errorf("%s: %s %s", step.settings, e.Kind, e.Host)
			}
		}
	}
}
