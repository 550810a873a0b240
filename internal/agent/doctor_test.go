package agent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/muster-ha/muster/internal/doctor"
	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/internal/vip"
)

// patient is a lab in which nothing runs, for a doctor to look at.
type patient struct {
	*lab.Lab
	good string // the configuration
}

// doctorSays runs `muster doctor` on host a. It exits with 1 exactly if something is wrong.
func (p *patient) doctorSays(t *testing.T, args ...string) []doctor.Diagnosis {
	t.Helper()
	out, err := p.Host("a").Muster(t.Context(), append([]string{"doctor", "--json", "--listen", "2s"}, args...)...)
	var result struct {
		Diagnoses []doctor.Diagnosis `json:"diagnoses"`
	}
	if json.Unmarshal([]byte(out), &result) != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if bad := doctor.Bad(result.Diagnoses); (err != nil) != (bad > 0) {
		t.Errorf("%d things are wrong, and the command says %v", bad, err)
	}
	return result.Diagnoses
}

// finds wants one diagnosis of a check, with a text in it.
func (p *patient) finds(t *testing.T, check, text string, args ...string) {
	t.Helper()
	all := p.doctorSays(t, args...)
	if !slices.ContainsFunc(all, func(d doctor.Diagnosis) bool {
		return d.Check == check && strings.Contains(d.About+": "+d.What, text) && d.Remedy != ""
	}) {
		t.Errorf("no diagnosis of %s with %q: %+v", check, text, all)
	}
}

// file gives the hosts another configuration until the test ends.
func (p *patient) file(t *testing.T, old, new string) {
	t.Helper()
	write := func(text string) {
		if err := os.WriteFile(p.ConfigPath(), []byte(text), 0o644); err != nil {
			t.Error(err)
		}
	}
	if !strings.Contains(p.good, old) {
		t.Fatalf("the file has no %q", old)
	}
	write(strings.Replace(p.good, old, new, 1))
	t.Cleanup(func() { write(p.good) })
}

// on runs a command on a node, and another when the test ends.
func (p *patient) on(t *testing.T, node, command, undo string) {
	t.Helper()
	run := func(line string) {
		ctx := context.WithoutCancel(t.Context())
		if out, err := p.Node(node).Exec(ctx, "sh", "-c", line).CombinedOutput(); err != nil {
			t.Errorf("%s on %s: %v: %s", line, node, err, out)
		}
	}
	run(command)
	if undo != "" {
		t.Cleanup(func() { run(undo) })
	}
}

// Each fault is provoked, found with its remedy, and gone from the diagnoses when it is gone.
func TestDoctorFindsWhatIsProvoked(t *testing.T) {
	l := machines(t, lab.Options{Hosts: 2, Clients: 1, Config: strings.Replace(severalVIPs, "one: {address", "one: {delivery: directed, address", 1)})
	text, err := os.ReadFile(l.ConfigPath())
	if err != nil {
		t.Fatal(err)
	}
	p := &patient{l, string(text)}
	if bad := slices.DeleteFunc(p.doctorSays(t, "--pre"), func(d doctor.Diagnosis) bool { return d.Check == doctor.CheckClock }); len(bad) > 0 {
		t.Fatalf("a healthy host: %+v", bad)
	}
	const routers = "bgp: {as: 64512, neighbors: {tor1: {address: ADDRESS, as: 64513}}}\nvips:"
	for _, fault := range []struct {
		name string
		find func(t *testing.T)
	}{
		{"secret that others may read", func(t *testing.T) {
			secret := filepath.Join(filepath.Dir(l.ConfigPath()), "secret.key")
			_ = os.Chmod(secret, 0o644)
			t.Cleanup(func() { _ = os.Chmod(secret, 0o600) })
			p.finds(t, doctor.CheckSecret, "0644", "--pre")
		}},
		{"interface off", func(t *testing.T) {
			p.on(t, "a", "ip link set eth0 down", "ip link set eth0 up")
			p.finds(t, doctor.CheckInterface, "switched off", "--pre")
		}},
		{"cable out", func(t *testing.T) {
			if err := l.Host("a").LinkDown(); err != nil {
				t.Fatal(err)
			}
			p.finds(t, doctor.CheckInterface, "no carrier", "--pre")
			if err := l.Host("a").LinkUp(); err != nil {
				t.Fatal(err)
			}
		}},
		{"MTU too small", func(t *testing.T) {
			p.on(t, "a", "ip link set eth0 mtu 1400", "ip link set eth0 mtu 1500")
			p.finds(t, doctor.CheckMTU, "MTU is 1400", "--pre")
		}},
		{"tunnel that makes packets too large", func(t *testing.T) {
			p.file(t, "delivery: directed", "tunnel: vxlan")
			p.finds(t, doctor.CheckMTU, "tunnel to host b: the way takes packets of 1500", "--pre")
		}},
		{"path that loses what is long", func(t *testing.T) {
			p.on(t, "b", "nft 'add table ip narrow; add chain ip narrow in { type filter hook prerouting priority -400; }; add rule ip narrow in meta length > 1400 drop'", "nft delete table ip narrow")
			p.finds(t, doctor.CheckPath, "host b", "--pre")
		}},
		{"no route to the VIP's network", func(t *testing.T) {
			const way = "10.77.0.0/24 dev eth0 proto kernel scope link src 10.77.0.1"
			p.on(t, "a", "ip route del "+way, "ip route add "+way)
			p.finds(t, doctor.CheckRoute, "no route to 10.77.0.0/24", "--pre")
		}},
		{"port taken", func(t *testing.T) {
			err := l.Host("a").Do(func() error {
				conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(l.Host("a").Address(), 3343)))
				if err == nil {
					t.Cleanup(func() { conn.Close() })
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			p.finds(t, doctor.CheckPort, "another program", "--pre")
		}},
		{"no agent", func(t *testing.T) { p.finds(t, doctor.CheckAgent, "agent") }},
		{"IGMP without querier, then with one", func(t *testing.T) {
			p.file(t, "delivery: directed", "delivery: igmp")
			p.finds(t, doctor.CheckIGMP, "no IGMP querier", "--only", "igmp")
			p.onSwitch(t, "mcast_snooping 1 mcast_querier 1", "mcast_querier 0 mcast_snooping 0")
			if still := p.doctorSays(t, "--only", "igmp"); len(still) > 0 {
				t.Errorf("with a querier: %+v", still)
			}
		}},
		{"switch learns the cluster's MAC", func(t *testing.T) {
			p.file(t, "delivery: directed", "delivery: unicast")
			stop := p.forge(t, []byte{0x02, 0xbf, 10, 77, 0, 101})
			defer stop()
			p.finds(t, doctor.CheckUnicast, "02:bf:0a:4d:00:65", "--only", "unicast")
		}},
		{"bridge of its own that will drop", func(t *testing.T) {
			p.file(t, "delivery: directed", "delivery: multicast")
			p.on(t, "a", "ip link add br0 type bridge mcast_snooping 1 && ip addr flush dev eth0 && ip link set eth0 master br0 && ip link set br0 up && ip addr add 10.77.0.1/24 dev br0",
				"ip link del br0 && ip addr add 10.77.0.1/24 dev eth0")
			p.finds(t, doctor.CheckBridge, "once there is a querier", "--only", "bridge")
			p.on(t, "a", "ip link set br0 type bridge mcast_querier 1", "")
			p.finds(t, doctor.CheckBridge, "and there is a querier", "--only", "bridge")
			p.on(t, "a", "ip link set br0 type bridge mcast_querier 0", "")
			p.finds(t, doctor.CheckBridge, "once there is a querier", "--only", "bridge")
			p.onSwitch(t, "mcast_snooping 1 mcast_querier 1", "mcast_querier 0 mcast_snooping 0")
			eventually(t, patience, "a querier elsewhere is heard", func() error {
				if all := p.doctorSays(t, "--only", "bridge"); doctor.Bad(all) == 0 {
					return fmt.Errorf("it says %+v", all)
				}
				return nil
			})
			p.on(t, "a", "ip link set br0 type bridge mcast_router 2", "")
			if still := p.doctorSays(t, "--only", "bridge"); len(still) > 0 {
				t.Errorf("after the remedy: %+v", still)
			}
		}},
		{"strict reverse path filter", func(t *testing.T) {
			p.file(t, "vips:", strings.Replace(routers, "ADDRESS", "10.77.0.201", 1)+"\n  edge: {address: 203.0.113.9/32, delivery: routed, rules: [{ports: [80]}]}")
			p.on(t, "a", "echo 1 > /proc/sys/net/ipv4/conf/eth0/rp_filter", "echo 0 > /proc/sys/net/ipv4/conf/eth0/rp_filter")
			p.finds(t, doctor.CheckFilter, "strict", "--pre")
		}},
		{"router that is not next to the host", func(t *testing.T) {
			p.file(t, "vips:", strings.Replace(routers, "ADDRESS", "192.0.2.1", 1)+"\n  edge: {address: 203.0.113.9/32, delivery: routed, rules: [{ports: [80]}]}")
			p.finds(t, doctor.CheckRouted, "router tor1", "--pre")
		}},
	} {
		t.Run(fault.name, fault.find)
	}
	if bad := slices.DeleteFunc(p.doctorSays(t, "--pre"), func(d doctor.Diagnosis) bool { return d.Check == doctor.CheckClock }); len(bad) > 0 {
		t.Errorf("after everything was mended: %+v", bad)
	}
}

// onSwitch sets the lab's bridge until the test ends.
func (p *patient) onSwitch(t *testing.T, set, undo string) {
	t.Helper()
	run := func(what string) {
		args := append([]string{"netns", "exec", p.Name() + "-sw", "ip", "link", "set", "br0", "type", "bridge"}, strings.Fields(what)...)
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Errorf("ip %v: %v: %s", args, err, out)
		}
	}
	run(set)
	t.Cleanup(func() { run(undo) })
}

// forge has the client send frames from a MAC again and again until stopped.
func (p *patient) forge(t *testing.T, mac net.HardwareAddr) (stop func()) {
	t.Helper()
	frame := slices.Concat([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, mac, []byte{0x88, 0xb5}, make([]byte, 46)) // an EtherType for experiments
	port := clientPort(t, p.Lab)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case <-time.After(poll):
				_ = port.Send(frame)
			}
		}
	}()
	return func() { close(done); <-ended; port.Close() }
}

// clientPort sends frames from the client's card.
func clientPort(t *testing.T, l *lab.Lab) (port *vip.Port) {
	t.Helper()
	err := l.Client(1).Do(func() error {
		eth, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		port, err = vip.OpenPort(vip.Interface{Name: "eth0", Index: eth.Attrs().Index, MAC: eth.Attrs().HardwareAddr})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// What the doctor would say of delivery, an agent says by itself when it starts.
func TestAgentSaysAtStartWhatCannotWork(t *testing.T) {
	l, _ := machinesBehindRouter(t, "")
	a := l.Host("a")
	if err := a.Do(func() error { return sysctl("net/ipv4/conf/eth0/rp_filter", "1") }); err != nil {
		t.Fatal(err)
	}
	if err := l.StartAll(); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
	eventually(t, patience, "the agent says it", func() error {
		s, err := ask(a)
		for _, p := range s.Problems {
			if strings.Contains(p.What, "rp_filter is 1") && strings.Contains(p.Remedy, "rp_filter=2") {
				return nil
			}
		}
		return fmt.Errorf("problems %+v, %v", s.Problems, err)
	})
	if len(events(t, a, "diagnosis")) != 1 {
		t.Error("there is no event of it")
	}
	if n := len(events(t, l.Host("b"), "diagnosis")); n > 0 {
		t.Errorf("host b, which is well, has %d such events", n)
	}
}
