package agent_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/lab"
)

// calm are settings with which a busy test machine takes no host for silent: a view that changes is then the doing of what is tested.
const calm = "interval: 20ms, tolerance: 50"

// clusterOf is the configuration of a cluster of three of the lab's hosts, whose groups are to be found in one range.
func clusterOf(name string, first int, hosts string, settings string) string {
	text := strings.Replace(lab.DefaultConfig, "cluster: shop", "cluster: "+name, 1)
	from, to, _ := strings.Cut(text, "{{- range .Hosts}}")
	_, to, _ = strings.Cut(to, "{{- end}}")
	for i, h := range hosts {
		from += fmt.Sprintf("\n  %c: {address: 10.77.0.%d}", h, first+i)
	}
	to = strings.Replace(to, "{{.VIP}}", fmt.Sprintf("10.77.0.%d/24", 99+first), 1)
	return from + strings.Replace(to, "\nvips:", "\nheartbeat: {"+calm+", networks: {lan: {interface: eth0, multicast: {"+settings+"}}}}\n\nvips:", 1)
}

// TestTwoClustersOnOneNetwork: strangers on a group that the hosts chose are noticed on both sides, and the clusters part; on a manual one
// they are said. No view changes.
func TestTwoClustersOnOneNetwork(t *testing.T) {
	const settings = "range: [239.255.9.1, 239.255.9.250], madcap: false"
	l := machines(t, lab.Options{Hosts: 6, Config: clusterOf("shop", 1, "abc", settings)})
	if err := l.StartWeb(); err != nil {
		t.Fatal(err)
	}
	ours, theirs := []string{"a", "b", "c"}, []string{"d", "e", "f"}
	for _, h := range ours {
		if err := l.Host(h).Start(); err != nil {
			t.Fatal(err)
		}
	}
	epoch := ready(t, l, ours...)
	a, d := l.Host("a"), l.Host("d")
	group := by(t, a, "multicast", "239.255.9.", true, 2, 2, 2).Group
	foreign := filepath.Join(l.Dir(), "foreign.yaml")
	write(t, foreign, clusterOf("barn", 4, "def", settings))
	for _, name := range theirs {
		h := l.Host(name)
		write(t, filepath.Join(h.StateDir(), "groups"), fmt.Sprintf("lan %s 1 3\n", group)) // they believe that it is theirs
		if _, err := h.Spawn("agent", l.Binary(), "run", "-c", foreign, "--host", name, "--run-dir", h.RunDir(), "--state-dir", h.StateDir()); err != nil {
			t.Fatal(err)
		}
	}
	foreignEpoch := ready(t, l, theirs...)
	apart(t, a, d)
	counted := uint64(0)
	for _, h := range l.Hosts() { // who saw the others first left, so the others may not have seen it
		counted += status(t, h).Networks[0].Multicast.Datagrams.Refused["cluster"]
	}
	if counted == 0 {
		t.Error("strangers are not counted")
	}
	group = by(t, a, "multicast on a group of our own", "239.255.9.", true, 2, 2, 2).Group

	write(t, foreign, clusterOf("barn", 4, "def", "address: "+group)) // their administrator takes our group
	for _, name := range theirs {
		muster(t, l.Host(name), "reload")
	}
	by(t, d, "the manual address", group, true, 2, 2, 2)
	apart(t, a, d)
	if m := status(t, d).Networks[0].Multicast; m.Group != group || m.How != "manual" {
		t.Errorf("the manual address %s was left for %s, %s", group, m.Group, m.How)
	}
	said := false
	for _, name := range theirs {
		said = said || strings.Contains(muster(t, l.Host(name), "status"), "another cluster uses its multicast group "+group)
	}
	if !said {
		t.Errorf("nobody says that strangers use the manual address:\n%s", muster(t, d, "status"))
	}
	for _, each := range []struct {
		hosts []string
		epoch uint64
	}{{ours, epoch}, {theirs, foreignEpoch + 1}} { // their new configuration makes a new view
		if after := ready(t, l, each.hosts...); after != each.epoch {
			t.Errorf("the view of %v has changed from epoch %d to %d", each.hosts, each.epoch, after)
		}
	}
}

// apart waits until two clusters use different groups, each heard by all of its hosts.
func apart(t *testing.T, one, other *lab.Host) {
	t.Helper()
	eventually(t, 3*patience, "different groups", func() error {
		var groups []string
		for _, h := range []*lab.Host{one, other} {
			s, err := ask(h)
			if err != nil {
				return err
			}
			m := s.Networks[0].Multicast
			for _, each := range m.Hearing {
				if !m.Used || len(each.Hears) != 2 {
					return fmt.Errorf("host %s: %+v", h.Name(), m)
				}
			}
			groups = append(groups, m.Group)
		}
		if groups[0] == groups[1] {
			return fmt.Errorf("both use %s", groups[0])
		}
		return nil
	})
}

// TestLaterNetworkMovesWhenGroupsHaveOneMAC: a network avoids the Ethernet address of an earlier one's group, and moves when that comes to have
// its own.
func TestLaterNetworkMovesWhenGroupsHaveOneMAC(t *testing.T) {
	const settings = "\nheartbeat: {" + calm + ", networks: {lan: {interface: eth0, multicast: {address: 239.1.2.3}}, " +
		"x: {interface: eth1, multicast: {range: [239.129.2.3, 239.129.2.4], madcap: false}}}}\n"
	l := machines(t, lab.Options{Hosts: 3, Networks: 1, Config: strings.Replace(lab.DefaultConfig, "\nvips:", settings+"\nvips:", 1)})
	if err := errors.Join(l.StartWeb(), l.StartAll()); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
	a := l.Host("a")
	second := func(want string) {
		t.Helper()
		eventually(t, 2*patience, "group of the second network", func() error {
			s, err := ask(a)
			if err != nil {
				return err
			}
			if m := s.Networks[1].Multicast; !m.Used || m.Group != want {
				return fmt.Errorf("%s instead of %s: %s", m.Group, want, m.Why)
			}
			return nil
		})
	}
	second("239.129.2.4")
	before := time.Now()
	text, err := os.ReadFile(l.ConfigPath())
	if err != nil {
		t.Fatal(err)
	}
	write(t, l.ConfigPath(), strings.Replace(string(text), "239.1.2.3", "239.1.2.4", 1))
	for _, h := range l.Hosts() {
		muster(t, h, "reload")
	}
	second("239.129.2.3")
	silent(t, a, before)
}

// silent checks that a host has lost nobody since a time.
func silent(t *testing.T, h *lab.Host, since time.Time) {
	t.Helper()
	for _, e := range events(t, h, "host_silent", "host_left") {
		if e.At.After(since) {
			t.Errorf("%s %s: %s", e.Kind, e.Host, e.Text)
		}
	}
}

// flapKeepsTheMembership: an interface that goes down and up is in the group again, on a switch that forwards groups only to those who ask.
func flapKeepsTheMembership(t *testing.T, l *lab.Lab) {
	t.Helper()
	bridge(t, l, "mcast_snooping", "1", "mcast_querier", "1")
	c := l.Host("c")
	for _, state := range []string{"down", "up"} {
		if out, err := c.Exec(t.Context(), "ip", "link", "set", "eth0", state).CombinedOutput(); err != nil {
			t.Fatalf("ip link set eth0 %s: %v\n%s", state, err, out)
		}
		if state == "down" {
			eventually(t, patience, "c without its interface", func() error {
				s, err := ask(c)
				if err == nil && s.Networks[0].Multicast.Used {
					err = errors.New("it says that it multicasts")
				}
				return err
			})
		}
	}
	ready(t, l)
	by(t, l.Host("a"), "multicast after the interface was down", "239.255.", true, 2, 2, 2)
}
