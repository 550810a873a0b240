package agent_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/muster-ha/muster/internal/delivery"
	"github.com/muster-ha/muster/internal/lab"
)

// virtualMachine makes a client one that runs on a host: its only cable ends in the host's bridge.
func virtualMachine(t *testing.T, h *lab.Host, client *lab.Node) {
	t.Helper()
	space, err := netns.GetFromName(client.Namespace())
	if err != nil {
		t.Fatal(err)
	}
	defer space.Close()
	err = h.Do(func() error {
		bridge, err := netlink.LinkByName("br0")
		if err != nil {
			return err
		}
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.MasterIndex = "vm0", bridge.Attrs().Index
		cable := netlink.NewVeth(attrs)
		cable.PeerName, cable.PeerNamespace = "vm0", netlink.NsFd(space)
		return errors.Join(netlink.LinkAdd(cable), netlink.LinkSetUp(cable))
	})
	if err != nil {
		t.Fatal(err)
	}
	ip(t, client, "link", "set", "eth0", "down")
	ip(t, client, "link", "set", "vm0", "up")
	ip(t, client, "addr", "add", client.Address().String()+"/24", "dev", "vm0")
}

// reaches makes connections from a client and counts who serves them. Those that nobody takes count for "".
func reaches(client *lab.Node) map[string]int {
	count := map[string]int{}
	for range 15 {
		name, _ := dialFrom(client, 0, target(7), 200*time.Millisecond)
		count[name]++
	}
	return count
}

func reachesAll(t *testing.T, client *lab.Node) {
	t.Helper()
	eventually(t, patience, client.Name()+" reaches all hosts", func() error {
		if count := reaches(client); len(count) != 3 || count[""] > 0 {
			return fmt.Errorf("it reaches %v", count)
		}
		return nil
	})
}

// A host whose own bridge hears a querier gets nothing of what is sent to the cluster's multicast MAC, nor do others behind that bridge's ports.
// Its agent says so when it starts; the commands that it names mend it.
func TestAgentSaysAtStartThatItsBridgeDrops(t *testing.T) {
	l := machines(t, lab.Options{Hosts: 3, Clients: 2, Config: ofMode(delivery.Multicast)})
	b, inside, outside := l.Host("b"), l.Client(2), l.Client(1)
	behindBridge(t, b)
	virtualMachine(t, b, inside)
	ip(t, b.Node, "link", "set", "br0", "type", "bridge", "mcast_query_response_interval", "10") // 0.1 s, after which a querier counts
	ip(t, b.Node, "link", "set", "br0", "type", "bridge", "mcast_snooping", "1", "mcast_querier", "1")
	if err := errors.Join(l.StartWeb(), l.StartAll()); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
	var remedy string
	eventually(t, patience, "the agent says it", func() error {
		s, err := ask(b)
		for _, p := range s.Problems {
			if strings.Contains(p.What, "bridge that snoops") {
				remedy = p.Remedy
				return nil
			}
		}
		return fmt.Errorf("problems %+v, %v", s.Problems, err)
	})
	eventually(t, patience, "the fault is there", func() error {
		if out, in := reaches(outside), reaches(inside); out["b"] > 0 || out[""] == 0 || in[""] == 0 || len(in) > 1 {
			return fmt.Errorf("%v are reached from outside, %v from a virtual machine on b", out, in)
		}
		return nil
	})
	commands := regexp.MustCompile("`[^`]*`").FindAllString(remedy, -1)
	if len(commands) != 2 {
		t.Fatalf("commands %q in %q, want one for the bridge and one for its port", commands, remedy)
	}
	for _, c := range commands {
		args := strings.Fields(strings.Trim(c, "`"))
		if out, err := b.Exec(t.Context(), args...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", c, err, out)
		}
	}
	reachesAll(t, outside)
	reachesAll(t, inside)

	deliver(t, l, delivery.Multicast, delivery.Unicast)
	eventually(t, patience, "a virtual machine reaches its own host alone by unicast", func() error {
		if in := reaches(inside); in["b"] == 0 || in["a"]+in["c"] > 0 {
			return fmt.Errorf("it reaches %v", in)
		}
		return nil
	})
	reachesAll(t, outside)
}
