package agent_test

import (
	"encoding/json"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/muster-ha/muster/internal/delivery"
	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/internal/lab/load"
	"github.com/muster-ha/muster/internal/switchconfig"
)

// bothFamilies is the lab's farm with a VIP of each family, delivered in one way.
func bothFamilies(mode delivery.Mode) string {
	return strings.Replace(lab.DefaultConfig, "    delivery: directed\n    rules:\n      - {ports: [80, 443, 7], protocol: tcp, affinity: none, check: web}\n",
		"    delivery: "+mode.String()+"\n    rules:\n      - {ports: [80, 443, 7], protocol: tcp, affinity: none, check: web}\n"+
			"  web6:\n    address: {{.VIP6}}\n    delivery: "+mode.String()+"\n    rules:\n      - {ports: [80], protocol: tcp, affinity: none, check: web}\n", 1)
}

// strays counts packets to an address that a machine's card gets, whatever MAC they are for.
type strays struct {
	t *testing.T
	n *lab.Node
}

func watchStrays(t *testing.T, n *lab.Node) strays {
	t.Helper()
	s := strays{t, n}
	s.nft("add table netdev seen")
	s.nft("add chain netdev seen in { type filter hook ingress device eth0 priority 0; }")
	s.nft("add rule netdev seen in ip daddr " + lab.VIP().Addr().String() + " counter")
	s.nft("add rule netdev seen in ip6 daddr " + lab.VIP6().Addr().String() + " counter")
	return s
}

func (s strays) nft(command string) string {
	s.t.Helper()
	out, err := s.n.Exec(s.t.Context(), "nft", command).CombinedOutput()
	if err != nil {
		s.t.Fatalf("nft %s: %v\n%s", command, err, out)
	}
	return string(out)
}

// count gives the packets so far, by IPv4 and IPv6.
func (s strays) count() (v4, v6 int) {
	s.t.Helper()
	found := regexp.MustCompile(`counter packets (\d+)`).FindAllStringSubmatch(s.nft("list table netdev seen"), -1)
	if len(found) != 2 {
		s.t.Fatalf("counters are %v", found)
	}
	v4, _ = strconv.Atoi(found[0][1])
	v6, _ = strconv.Atoi(found[1][1])
	return v4, v6
}

// TestLinesForALinuxBridgeStopItsFlooding: item 6 of the issue. In each mode that floods, a port that is none of the hosts' gets the packets to both VIPs; when
// what `muster switch` prints was entered it gets none, and both VIPs are served.
func TestLinesForALinuxBridgeStopItsFlooding(t *testing.T) {
	for _, mode := range []delivery.Mode{delivery.Unicast, delivery.Multicast, delivery.IGMP} {
		t.Run(mode.String(), func(t *testing.T) {
			l := machines(t, lab.Options{Hosts: 3, Clients: 2, Config: bothFamilies(mode)})
			if err := l.StartWeb(); err != nil {
				t.Fatal(err)
			}
			if err := l.StartAll(); err != nil {
				t.Fatal(err)
			}
			ready(t, l)
			stray := watchStrays(t, l.Client(2))
			flow := func() (v4, v6 int) {
				four, six := stray.count()
				web := requests(t, l, 100)
				web6 := begin(t, l, "http", "--target", netip.AddrPortFrom(lab.VIP6().Addr(), 80).String(), "--rate", "100", "--timeout", "5s")
				web.flow(t, load.Request, 50)
				web6.flow(t, load.Request, 50)
				if bad := append(failed(web.stop(t)), failed(web6.stop(t))...); len(bad) > 0 {
					t.Errorf("%d requests failed: %+v", len(bad), bad[0])
				}
				after4, after6 := stray.count()
				return after4 - four, after6 - six
			}
			if v4, v6 := flow(); v4 < 100 || v6 < 100 {
				t.Fatalf("before anything is entered the other port gets %d packets by IPv4 and %d by IPv6: the test sees nothing", v4, v6)
			}
			enter(t, l)
			if v4, v6 := flow(); v4 > 0 || v6 > 0 {
				t.Errorf("the other port gets %d packets by IPv4 and %d by IPv6", v4, v6)
			}
		})
	}
}

// enter carries out what the command prints: on the switch, and what is for a router on the client.
func enter(t *testing.T, l *lab.Lab) {
	t.Helper()
	var answer switchconfig.Answer
	out := muster(t, l.Host("a"), "switch", "--vendor", "linux-bridge", "--ports", "a,b,c", "--bridge", "br0", "--json")
	if err := json.Unmarshal([]byte(out), &answer); err != nil {
		t.Fatal(err)
	}
	entered := 0
	for _, s := range answer.Sections {
		for _, line := range s.Lines {
			entered++
			if router := strings.ReplaceAll(line, "<ROUTER-INTERFACE>", "eth0"); router != line {
				if out, err := l.Client(1).Exec(t.Context(), "sh", "-c", router).CombinedOutput(); err != nil {
					t.Fatalf("%s: %v\n%s", router, err, out)
				}
			} else {
				onSwitch(t, l, "sh", "-c", line)
			}
		}
	}
	if entered < 6 {
		t.Fatalf("only %d lines: %+v", entered, answer)
	}
}
