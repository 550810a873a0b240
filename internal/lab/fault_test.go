package lab_test

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/muster-ha/muster/internal/lab"
)

func TestPartitionAndHeal(t *testing.T) {
	l := withWeb(t)
	if err := l.Partition([]string{"a", "b"}, []string{"c"}); err != nil {
		t.Fatal(err)
	}
	mustReach(t, l, "a", "b")
	mustReach(t, l, "c1", "a") // in no group: with the first
	mustNotReach(t, l, "a", "c")
	mustNotReach(t, l, "c1", "c")
	if err := l.Partition([]string{"a"}, []string{"b"}, []string{"c", "c1"}); err != nil {
		t.Fatal(err)
	}
	mustReach(t, l, "c1", "c")
	mustNotReach(t, l, "a", "b")
	if err := l.Heal(); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"b", "c"} {
		mustReach(t, l, "a", to)
		mustReach(t, l, "c1", to)
	}
	for _, groups := range [][][]string{{{"a"}, {"x"}}, {{"a"}, {"a"}}} {
		if err := l.Partition(groups...); err == nil {
			t.Errorf("divided into %v", groups)
		}
	}
}

func TestDivideKeepsClientsConnectedToBothSides(t *testing.T) {
	l := withWeb(t)
	if err := l.Divide([]string{"a", "b"}, []string{"c"}); err != nil {
		t.Fatal(err)
	}
	mustReach(t, l, "a", "b")
	mustNotReach(t, l, "a", "c")
	mustNotReach(t, l, "c", "b")
	for _, h := range l.Hosts() {
		mustReach(t, l, "c1", h.Name())
	}
	if err := l.Heal(); err != nil {
		t.Fatal(err)
	}
	mustReach(t, l, "a", "c")
	mustReach(t, l, "c", "b")
}

func TestLinkDownAndUp(t *testing.T) {
	l := withWeb(t)
	if err := l.Host("b").LinkDown(); err != nil {
		t.Fatal(err)
	}
	mustNotReach(t, l, "c1", "b")
	if err := l.Host("b").LinkUp(); err != nil {
		t.Fatal(err)
	}
	mustReach(t, l, "c1", "b")
}

// datagrams sends n datagrams from one node to another and counts those that arrive.
func datagrams(t *testing.T, l *lab.Lab, from, to string, port uint16, n int) int {
	t.Helper()
	target := netip.AddrPortFrom(l.Node(to).Address(), port)
	var in, out *net.UDPConn
	err := l.Node(to).Do(func() (err error) {
		in, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(target))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	err = l.Node(from).Do(func() (err error) {
		out, err = net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(target))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	arrived := 0
	for range n { // one at a time: an overflowing buffer would be loss as well
		if _, err := out.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		for in.SetReadDeadline(time.Now().Add(2 * time.Millisecond)); ; {
			if _, err := in.Read(make([]byte, 1)); err != nil {
				break
			}
			arrived++
			break
		}
	}
	in.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	for {
		if _, err := in.Read(make([]byte, 1)); err != nil {
			return arrived
		}
		arrived++
	}
}

func TestLoss(t *testing.T) {
	const n = 400
	l := withWeb(t)
	tests := []struct {
		name      string
		percent   float64
		port      uint16
		direction lab.Direction
		from, to  string
		sent      uint16 // port of the datagrams
		low, high int
	}{
		{"none", 0, 0, lab.Sent, "a", "b", 3343, n, n},
		{"half of the heartbeats sent", 50, 3343, lab.Sent, "a", "b", 3343, n/2 - 60, n/2 + 60}, // six deviations
		{"a tenth of the heartbeats sent", 10, 3343, lab.Sent, "a", "b", 3343, n*9/10 - 36, n*9/10 + 36},
		{"all heartbeats received", 100, 3343, lab.Received, "b", "a", 3343, 0, 0},
		{"all heartbeats by multicast", 100, 3343, lab.Sent, "a", "b", 3344, 0, 0},
		{"other ports are not touched", 100, 3343, lab.Sent, "a", "b", 3345, n, n},
		{"a port before another one is not touched", 100, 3344, lab.Sent, "a", "b", 3343, n, n},
		{"the other direction is not touched", 100, 3343, lab.Sent, "b", "a", 3343, n, n},
		{"everything sent", 100, 0, lab.Sent, "a", "b", 3344, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := l.Host("a")
			if err := a.Loss(tt.percent, tt.port, tt.direction); err != nil {
				t.Fatal(err)
			}
			if got := datagrams(t, l, tt.from, tt.to, tt.sent, n); got < tt.low || got > tt.high {
				t.Errorf("%d of %d arrived, want %d to %d", got, n, tt.low, tt.high)
			}
			if tt.port != 0 {
				mustReach(t, l, "a", "b") // TCP goes on
			}
			if err := a.Loss(0, 0, tt.direction); err != nil {
				t.Fatal(err)
			}
			mustReach(t, l, "a", "b")
		})
	}
	for _, percent := range []float64{-1, 101} {
		if err := l.Host("a").Loss(percent, 0, lab.Sent); err == nil {
			t.Errorf("accepted %v %%", percent)
		}
	}
}

func TestPowerCutTakesEverythingAndPowerOnBootsAfresh(t *testing.T) {
	l := withWeb(t)
	b := l.Host("b")
	child := filepath.Join(l.Dir(), "child")
	if _, err := b.Spawn("family", "sh", "-c", "setsid sleep 1000 & echo $! > "+child+".new; mv "+child+".new "+child+"; wait"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the child runs", func() bool { _, err := os.Stat(child); return err == nil })
	text, err := os.ReadFile(child)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	err = b.Do(func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		addr, err := netlink.ParseAddr("10.9.9.9/32")
		if err != nil {
			return err
		}
		return netlink.AddrAdd(lo, addr)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.StateDir(), "disk"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.RunDir(), "memory"), nil, 0o644); err != nil {
		t.Fatal(err)
	}

	before := time.Now()
	at, err := b.PowerCut()
	if err != nil {
		t.Fatal(err)
	}
	if at.Before(before) || time.Since(at) > 2*time.Second {
		t.Errorf("cut at %v, between %v and now", at, before)
	}
	mustNotReach(t, l, "c1", "b")
	// Who reaps it is not our business: a zombie is dead.
	if stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat"); err == nil && !strings.Contains(string(stat), ") Z ") {
		t.Error("a child in a session of its own has survived")
	}
	if _, err := b.PowerCut(); err == nil {
		t.Error("cut the power twice")
	}

	if err := b.PowerOn(); err != nil {
		t.Fatal(err)
	}
	mustReach(t, l, "c1", "b")
	if _, err := os.Stat(filepath.Join(b.StateDir(), "disk")); err != nil {
		t.Errorf("the disk lost a file: %v", err)
	}
	if _, err := os.Stat(filepath.Join(b.RunDir(), "memory")); err == nil {
		t.Error("the run directory has survived")
	}
	err = b.Do(func() error {
		addrs, err := netlink.AddrList(nil, netlink.FAMILY_V4)
		for _, a := range addrs {
			if a.IP.String() == "10.9.9.9" {
				t.Error("an address has survived the power cut")
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if err := b.PowerOn(); err == nil {
		t.Error("switched a running host on")
	}
}

func TestFreezeAndThaw(t *testing.T) {
	l := withWeb(t)
	a := l.Host("a")
	web, err := a.Process("web")
	if err != nil {
		t.Fatal(err)
	}
	stopped := func() bool {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(web.PID()) + "/stat")
		return err == nil && strings.Contains(string(stat), ") T ")
	}
	if err := a.Freeze(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "frozen", stopped)
	if err := a.Thaw(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "thawed", func() bool { return !stopped() })
	mustReach(t, l, "c1", "a")
}

func TestKillTakesTheAgentAlone(t *testing.T) {
	l := withWeb(t)
	a := l.Host("a")
	if _, err := a.Kill(); err == nil {
		t.Error("killed an agent that was never started")
	}
	if err := a.Start(); err != nil {
		t.Fatal(err)
	}
	if err := a.Start(); err == nil {
		t.Error("started a second agent")
	}
	agent, err := a.Agent()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Kill(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := agent.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	mustReach(t, l, "c1", "a")
	if err := a.Start(); err != nil {
		t.Errorf("start it again: %v", err)
	}
}

func TestExecReturnsOutputAndErrors(t *testing.T) {
	l := up(t, lab.Options{Hosts: 1, Clients: 1})
	out, err := l.Client(1).Exec(t.Context(), "cat", "/proc/sys/net/ipv4/ip_local_port_range").Output()
	if err != nil || strings.Join(strings.Fields(string(out)), " ") != "1024 65535" {
		t.Errorf("port range of the client: %q, %v", out, err)
	}
	_, err = l.Host("a").Exec(t.Context(), "sh", "-c", "echo sorry >&2; exit 3").Output()
	if err == nil || !strings.Contains(err.Error(), "sorry") {
		t.Errorf("error is %v, without what the command said", err)
	}
	if _, err := l.Host("a").Exec(t.Context()).CombinedOutput(); err == nil {
		t.Error("ran nothing")
	}
}
