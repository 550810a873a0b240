package agent_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/internal/lab/load"
)

// twoRules is the lab's farm with a rule for the echo and one for the web application.
func twoRules() string {
	return strings.Replace(lab.DefaultConfig, "{ports: [80, 443, 7], protocol: tcp, affinity: none, check: web}",
		"{ports: [80, 443], protocol: tcp, affinity: none, check: web}\n      - {ports: [7], protocol: tcp, affinity: none}", 1)
}

// owners waits until exactly these hosts get new connections of the rule for a port, as every host says.
func owners(t *testing.T, l *lab.Lab, port uint16, want ...string) {
	t.Helper()
	for _, at := range l.Hosts() {
		eventually(t, patience, fmt.Sprintf("port %d is served by %v, seen from %s", port, want, at.Name()), func() error {
			s, err := ask(at)
			if err != nil {
				return err
			}
			var got []string
			for _, o := range ruleIn(s, port).Owners {
				got = append(got, o.Host)
			}
			if !slices.Equal(got, want) {
				return fmt.Errorf("by %v", got)
			}
			return nil
		})
	}
}

func ruleIn(s api.Status, port uint16) api.RuleStatus {
	i := slices.IndexFunc(s.VIPs[0].Rules, func(r api.RuleStatus) bool { return r.Has(port, false) })
	if i < 0 {
		return api.RuleStatus{}
	}
	return s.VIPs[0].Rules[i]
}

// TestRuleOrders: item 5 of the issue. A rule is drained on one host, disabled on it and enabled again, and on all: what is drained goes on, what is disabled is reset within
// a second, the other rule and the other hosts notice nothing, and the order outlives a restart of the agent.
func TestRuleOrders(t *testing.T) {
	l := farm(t, twoRules())
	a, b := l.Host("a"), l.Host("b")
	conns := echoes(t, l, 120)
	web := requests(t, l, 100)
	had := perHost(conns.all(), load.Open)["b"]
	if had == 0 {
		t.Fatal("no connection is at b")
	}
	muster(t, a, "rule", "drain", "web:7", "--host", "b")
	owners(t, l, 7, "a", "c")
	owners(t, l, 80, "a", "b", "c")
	work(t)
	if bad := broken(conns.all()); len(bad) > 0 {
		t.Fatalf("%d connections of a drained rule broke: %+v", len(bad), bad[0])
	}
	kill(t, b)
	start1(t, l, b)
	owners(t, l, 7, "a", "c")
	if r := ruleIn(status(t, b), 7); len(r.Orders) != 1 || r.Orders[0].State != "drained" || r.Orders[0].Host != "b" || r.Orders[0].SetOn != "a" || !r.Ready {
		t.Errorf("after a restart of its agent b says %+v", r)
	}
	if bad := broken(conns.all()); len(bad) > 0 {
		t.Fatalf("%d connections broke over a restart of the agent: %+v", len(bad), bad[0])
	}
	muster(t, l.Host("c"), "rule", "disable", "web:7", "--host", "b")
	eventually(t, patience, "the clients of b know", func() error {
		if n := len(broken(conns.all())); n < had {
			return fmt.Errorf("%d of %d", n, had)
		}
		return nil
	})
	heard := lastEvent(t, b, "rule_order").At
	for _, r := range broken(conns.all()) {
		if r.Host != "b" || r.Class != load.Reset || conns.at(r).Sub(heard) > time.Second {
			t.Errorf("%s of connection %d to %s by %s after %v", r.Kind, r.Conn, r.Host, r.Class, conns.at(r).Sub(heard))
		}
	}
	muster(t, a, "rule", "enable", "web:7", "--host", "b")
	owners(t, l, 7, "a", "b", "c")
	muster(t, a, "rule", "drain", "web:7")
	owners(t, l, 7, "")
	owners(t, l, 80, "a", "b", "c")
	muster(t, a, "rule", "enable", "web:7", "--host", "b")
	owners(t, l, 7, "b")
	muster(t, b, "rule", "enable", "web:7")
	owners(t, l, 7, "a", "b", "c")
	if r := ruleIn(status(t, a), 7); len(r.Orders) > 0 {
		t.Errorf("orders are left: %+v", r.Orders)
	}
	for _, r := range broken(conns.stop(t), "b") {
		t.Errorf("%s of connection %d to %s by %s", r.Kind, r.Conn, r.Host, r.Class)
	}
	if bad := failed(web.stop(t)); len(bad) > 0 {
		t.Errorf("%d requests of the other rule failed: %+v", len(bad), bad[0])
	}
}

// start1 starts a host's agent that may not get a share of everything, and waits for all hosts to be in a view.
func start1(t *testing.T, l *lab.Lab, h *lab.Host) {
	t.Helper()
	if err := h.Start(); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, h := range l.Hosts() {
		names = append(names, h.Name())
	}
	members(t, h, names...)
}

// TestOrderAboutARuleThatTheFileLosesIsTold: it does nothing and would surprise whoever puts the rule back; so status tells of it, and it can be taken back by its name.
func TestOrderAboutARuleThatTheFileLosesIsTold(t *testing.T) {
	l := farm(t, twoRules())
	a := l.Host("a")
	muster(t, a, "rule", "drain", "web:7", "--host", "b")
	before := digest(t, a)
	edit(t, l, "      - {ports: [7], protocol: tcp, affinity: none}\n", "")
	hangUp(t, l, "a", "b", "c")
	changedOver(t, l, before)
	const problem = "rule web:7: an order is kept about it, and the file has no such rule\n     do: `muster rule enable web:7` takes it back"
	says(t, l.Host("c"), problem)
	if code, said := exit(t, a, "rule", "drain", "web:7"); code != 1 || !strings.Contains(said, "the rules of VIP web are") {
		t.Errorf("another order about it: exit code %d, %q", code, said)
	}
	muster(t, a, "rule", "enable", "web:7")
	for _, h := range l.Hosts() {
		says(t, h, "No problem known")
	}
}

// TestOrdersAboutRulesThatAreNotThere: each is refused with what there is, and changes nothing.
func TestOrdersAboutRulesThatAreNotThere(t *testing.T) {
	l := farm(t, "")
	for _, tc := range []struct {
		args []string
		says string
	}{
		{[]string{"drain", "mail:25"}, "the VIPs are web"},
		{[]string{"drain", "web:25"}, "the rules of VIP web are tcp 7,80,443"},
		{[]string{"drain", "web:80/udp"}, "the rules of VIP web are tcp 7,80,443"},
		{[]string{"drain", "web:rest"}, "the rules of VIP web are tcp 7,80,443"},
		{[]string{"drain", "web:80", "--host", "z"}, "the hosts are a, b, c"},
		{[]string{"show", "web:25"}, "lists them"},
	} {
		if code, said := exit(t, l.Host("b"), append([]string{"rule"}, tc.args...)...); code != 1 || !strings.Contains(said, tc.says) {
			t.Errorf("%v: exit code %d, %q", tc.args, code, said)
		}
	}
	if r := ruleIn(status(t, l.Host("a")), 80); len(r.Orders) > 0 {
		t.Errorf("orders %+v", r.Orders)
	}
}
