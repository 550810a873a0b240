package agent_test

import (
	"bufio"
	"fmt"
	"maps"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/delivery"
	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/internal/vip"
)

// sharedFarm has an address of each family that all hosts take in.
const sharedFarm = `cluster: shop
secret_file: secret.key
hosts:
{{- range .Hosts}}
  {{.Name}}: {address: {{.Address}}}
{{- end}}
vips:
  web: {address: {{.VIP}}, delivery: igmp, rules: [{ports: [80, 7]}]}
  web6: {address: "{{.VIP6}}", delivery: multicast, rules: [{ports: [80, 7]}]}
`

// allArrives is how long nothing is missed before it can be said that nothing will be.
const allArrives = vip.ProbePatience + 3*time.Second

// missed are the problems of a host with frames to a MAC.
func missed(s api.Status, mac net.HardwareAddr) []api.Problem {
	return slices.DeleteFunc(slices.Clone(s.Problems), func(p api.Problem) bool { return !strings.Contains(p.What, "frames to "+mac.String()+" do not arrive") })
}

// nothingMissed wants no host to have missed any frames so far.
func nothingMissed(t *testing.T, l *lab.Lab) {
	t.Helper()
	for _, h := range l.Hosts() {
		if told := events(t, h, "frames_lost", "frames_back"); len(told) > 0 {
			t.Errorf("host %s: %+v", h.Name(), told)
		}
		for _, p := range status(t, h).Problems {
			if strings.Contains(p.What, "do not arrive") {
				t.Errorf("host %s: %+v", h.Name(), p)
			}
		}
	}
}

// icmpOf counts the ICMP and ICMPv6 errors that a host sends, until it is told to end.
func icmpOf(t *testing.T, h *lab.Host) (sent *atomic.Int64, end func() error) {
	t.Helper()
	own, conn := nodeMAC(t, h.Node).String(), capture(t, h.Node, unix.ETH_P_ALL)
	sent = new(atomic.Int64)
	go eachFrame(conn, func(b []byte) {
		if len(b) < 55 || net.HardwareAddr(b[6:12]).String() != own {
			return
		}
		four := b[12] == 8 && b[13] == 0 && b[23] == unix.IPPROTO_ICMP && b[34] != 0 && b[34] != 8
		six := b[12] == 0x86 && b[20] == unix.IPPROTO_ICMPV6 && b[54] < 128
		if four || six {
			sent.Add(1)
		}
	})
	return sent, conn.Close
}

// decisions are what the filter of a host has counted, but for the questions that hosts ask each other.
func decisions(t *testing.T, h *lab.Host) map[string]uint64 {
	t.Helper()
	all := maps.Clone(status(t, h).Filter.Counters)
	maps.DeleteFunc(all, func(name string, _ uint64) bool {
		return strings.HasSuffix(name, "_ignored") || strings.HasSuffix(name, "_answered")
	})
	return all
}

// unnoticed lets probes come for a while, and wants a host neither to answer nor to count them, nor to take their senders for strangers.
func unnoticed(t *testing.T, h *lab.Host) {
	t.Helper()
	answers, end := icmpOf(t, h)
	before := decisions(t, h)
	pass(t, allArrives)
	if err := end(); err != nil {
		t.Error(err)
	}
	if after := decisions(t, h); !maps.Equal(before, after) || answers.Load() > 0 {
		t.Errorf("probes were answered %d times; the filter counts\n%v, before\n%v", answers.Load(), after, before)
	}
	if strangers := status(t, h).Duplicates; len(strangers) > 0 {
		t.Errorf("strangers: %+v", strangers)
	}
}

// withhold makes the switch keep frames to a MAC from all hosts, or not.
func withhold(t *testing.T, l *lab.Lab, mac net.HardwareAddr, on bool) {
	t.Helper()
	for _, h := range l.Hosts() {
		if err := l.Withhold(h.Name(), mac, on); err != nil {
			t.Fatal(err)
		}
	}
}

// A switch that begins to keep what clients send from the hosts is named by each of them, with the remedy, which helps: a Linux bridge that gets a querier,
// and, since this one asks for IPv4 memberships only, one that drops the IPv6 address's frames.
func TestASwitchThatDropsClusterFramesIsNamed(t *testing.T) {
	l := farm(t, sharedFarm)
	macs := []net.HardwareAddr{targetOf(delivery.IGMP).MAC, delivery.Of(delivery.Multicast, lab.VIP6().Addr()).MAC}
	reached := func() {
		t.Helper()
		for _, to := range []string{target(7), target6(7)} {
			if _, err := greeting(l, 0, to); err != nil {
				t.Fatalf("%s: %v", to, err)
			}
		}
	}
	reached()
	b := l.Host("b")
	unnoticed(t, b)
	nothingMissed(t, l)

	for _, querier := range []bool{false, true} { // a bridge waits for its first answers as long as it was told before
		if err := l.Snoop(lab.Snooping{On: true, Querier: querier, Every: time.Second}); err != nil {
			t.Fatal(err)
		}
	}
	withhold(t, l, macs[1], true)
	for _, h := range l.Hosts() {
		eventually(t, patience, "host "+h.Name()+" misses the frames of both others", func() error { return misses(h, macs) })
	}
	for _, to := range []string{target(7), target6(7)} {
		if _, err := dial(l, 0, to, 700*time.Millisecond); err == nil {
			t.Errorf("the switch passes what clients send to %s: the hosts miss what is not lost", to)
		}
	}
	if out, err := b.Muster(t.Context(), "doctor", "--only", "agent"); err == nil || !strings.Contains(out+err.Error(), macs[0].String()) {
		t.Errorf("the doctor says %v\n%s", err, out)
	}

	routers(t, l, "a", "b", "c")
	withhold(t, l, macs[1], false)
	for _, h := range l.Hosts() {
		eventually(t, patience, "host "+h.Name()+" misses nothing", func() error {
			s, err := ask(h)
			if err == nil && len(missed(s, macs[0]))+len(missed(s, macs[1])) > 0 {
				return fmt.Errorf("its problems are %+v", s.Problems)
			}
			return err
		})
		toldOnce(t, h, macs)
	}
	reached()
}

// misses wants a host to name both others, what is wrong, and what to do.
func misses(h *lab.Host, macs []net.HardwareAddr) error {
	s, err := ask(h)
	if err != nil {
		return err
	}
	for _, mac := range macs {
		list := missed(s, mac)
		if len(list) != 1 {
			return fmt.Errorf("its problems are %+v", s.Problems)
		}
		for _, word := range []string{"eth0", "mcast_router 2", fromOthers(h)} {
			if !strings.Contains(list[0].What+list[0].Remedy, word) {
				return fmt.Errorf("%+v lacks %q", list[0], word)
			}
		}
	}
	return nil
}

// fromOthers is what a sentence about frames of both others has.
func fromOthers(h *lab.Host) string {
	return map[string]string{"a": "from b, c", "b": "from a, c", "c": "from a, b"}[h.Name()]
}

// toldOnce wants to hear of each MAC and other host once that it was missed, and once that it came back.
func toldOnce(t *testing.T, h *lab.Host, macs []net.HardwareAddr) {
	t.Helper()
	for _, kind := range []string{"frames_lost", "frames_back"} {
		for _, mac := range macs {
			of := regexp.MustCompile("^frames to " + mac.String() + " .* from ([abc](?:, [abc])*) ")
			var hosts []string
			for _, e := range events(t, h, kind) {
				if found := of.FindStringSubmatch(e.Text); found != nil {
					hosts = append(hosts, strings.Split(found[1], ", ")...)
				}
			}
			slices.Sort(hosts)
			if "from "+strings.Join(hosts, ", ") != fromOthers(h) {
				t.Errorf("host %s: %s tells of %v for %s, want each of the others once: %+v", h.Name(), kind, hosts, mac, events(t, h, kind))
			}
		}
	}
}

// Nobody is accused while the delivery changes, or while a host's agent is dead or frozen; and nobody listens where nothing is for all.
func TestHostsThatComeAndGoAreNotTakenForAFaultOfTheSwitch(t *testing.T) {
	l := farm(t, "")
	b, c := l.Host("b"), l.Host("c")
	listens(t, b, 0)
	deliver(t, l, delivery.Directed, delivery.Multicast)
	listens(t, b, 1)
	pass(t, allArrives)
	kill(t, c)
	members(t, l.Host("a"), "a", "b")
	start(t, l, "c")
	deliver(t, l, delivery.Multicast, delivery.Unicast)
	unnoticed(t, b)
	if err := c.Freeze(); err != nil {
		t.Fatal(err)
	}
	members(t, l.Host("a"), "a", "b")
	pass(t, allArrives)
	if err := c.Thaw(); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
	pass(t, vip.ProbeEvery)
	nothingMissed(t, l)
	deliver(t, l, delivery.Unicast, delivery.Directed)
	listens(t, b, 0)
	nothingMissed(t, l)
}

// listens waits until a host has so many sockets that hear everything below its stack.
func listens(t *testing.T, h *lab.Host, want int) {
	t.Helper()
	eventually(t, patience, fmt.Sprintf("host %s listens with %d sockets", h.Name(), want), func() error {
		found := 0
		err := h.Do(func() error {
			file, err := os.Open("/proc/thread-self/net/packet")
			if err != nil {
				return err
			}
			defer file.Close()
			for lines := bufio.NewScanner(file); lines.Scan(); {
				if columns := strings.Fields(lines.Text()); len(columns) > 3 && columns[3] == "0003" {
					found++
				}
			}
			return nil
		})
		if err == nil && found != want {
			return fmt.Errorf("%d", found)
		}
		return err
	})
}
