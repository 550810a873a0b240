package agent_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/muster-ha/muster/internal/lab"
)

func TestClosedPortIsRefused(t *testing.T) {
	l := farm(t, "")
	for i := range uint16(30) { // of each host's share some
		began := time.Now()
		_, err := greeting(l, 41000+i, target(443))
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("from port %d: %v after %v, want refused", 41000+i, err, time.Since(began))
		}
	}
}

const severalVIPs = `cluster: shop
secret_file: secret.key
hosts:
{{- range .Hosts}}
  {{.Name}}: {address: {{.Address}}}
{{- end}}
vips:
  one: {address: 10.77.0.101/24, rules: [{ports: [7]}]}
  two: {address: 10.77.0.102/24, rules: [{ports: [7]}]}
  three: {address: 10.77.0.103/24, rules: [{ports: [7]}]}
`

func TestDirectorsOfSeveralVIPsSpreadOverTheHosts(t *testing.T) {
	l := farm(t, severalVIPs)
	vips := []string{"10.77.0.101", "10.77.0.103", "10.77.0.102"} // as status sorts them: by name
	before := directors(t, l, vips)
	if len(before) != 3 {
		t.Errorf("directors are %v, want each host once", before)
	}
	muster(t, l.Host("a"), "host", "drain", "a")
	drained(t, l.Host("b"), "a")
	eventually(t, patience, "no VIP is answered by a", func() error {
		for _, v := range status(t, l.Host("b")).VIPs {
			if v.Director == "a" || v.Director == "" {
				return fmt.Errorf("%s by %q", v.Name, v.Director)
			}
		}
		return nil
	})
	if after := directors(t, l, vips); len(after) != 2 {
		t.Errorf("directors are %v, want b and c", after)
	}
}

// directors wants every VIP served, known to the client by the MAC of the host that is said to answer for it, and counts those hosts.
func directors(t *testing.T, l *lab.Lab, vips []string) map[string]int {
	t.Helper()
	count := map[string]int{}
	for i, v := range status(t, l.Host("b")).VIPs {
		if name, err := greeting(l, 0, vips[i]+":7"); err != nil || name == "" {
			t.Errorf("VIP %s: %v", v.Name, err)
		}
		want := macOf(t, l.Host(v.Director))
		eventually(t, patience, "the client knows who answers for "+v.Name, func() error {
			got, err := neighbour(l, vips[i])
			if err == nil && got != want {
				return fmt.Errorf("it knows %s, host %s has %s", got, v.Director, want)
			}
			return err
		})
		count[v.Director]++
	}
	return count
}

func macOf(t *testing.T, h *lab.Host) string {
	t.Helper()
	var mac string
	err := h.Do(func() error {
		eth, err := netlink.LinkByName("eth0")
		if err == nil {
			mac = eth.Attrs().HardwareAddr.String()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return mac
}

// neighbour is the MAC that the client has for an address.
func neighbour(l *lab.Lab, address string) (mac string, err error) {
	err = l.Client(1).Do(func() error {
		list, err := netlink.NeighList(0, netlink.FAMILY_V4)
		for _, n := range list {
			if n.IP.String() == address {
				mac = n.HardwareAddr.String()
			}
		}
		return err
	})
	return mac, err
}

const udpFarm = `cluster: shop
secret_file: secret.key
hosts:
{{- range .Hosts}}
  {{.Name}}: {address: {{.Address}}}
{{- end}}
vips:
  web:
    address: {{.VIP}}
    rules:
      - {ports: [7]}
      - {ports: [53], protocol: udp, affinity: client}
`

func TestUDPWithClientAffinityReachesOneHostAndMovesWhenItIsDrained(t *testing.T) {
	l := farm(t, udpFarm)
	for _, h := range l.Hosts() {
		answerUDP(t, h)
	}
	first := whoAnswersUDP(t, l)
	out := muster(t, l.Host("b"), "explain", "web", l.Client(1).Address().String(), "--port", "53", "--protocol", "udp")
	if !strings.Contains(out, "host "+first) {
		t.Errorf("host %s answers; muster explain says:\n%s", first, out)
	}
	muster(t, l.Host(first), "host", "drain", first)
	eventually(t, patience, "no answer from "+first, func() error {
		if next := whoAnswersUDP(t, l); next == first {
			return fmt.Errorf("it answers")
		}
		return nil
	})
	muster(t, l.Host(first), "host", "resume", first)
	ready(t, l)
	eventually(t, patience, "answers from "+first+" again", func() error {
		if next := whoAnswersUDP(t, l); next != first {
			return fmt.Errorf("host %s answers", next)
		}
		return nil
	})
}

// answerUDP says a host's name to whoever asks the VIP.
func answerUDP(t *testing.T, h *lab.Host) {
	t.Helper()
	var conn *net.UDPConn
	err := h.Do(func() (err error) {
		conn, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(lab.VIP().Addr(), 53)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		for buffer := make([]byte, 64); ; {
			_, from, err := conn.ReadFromUDPAddrPort(buffer)
			if err != nil {
				return
			}
			_, _ = conn.WriteToUDPAddrPort([]byte(h.Name()), from)
		}
	}()
}

// whoAnswersUDP asks from twenty ports, and wants one host to answer them all.
func whoAnswersUDP(t *testing.T, l *lab.Lab) string {
	t.Helper()
	names := map[string]int{}
	err := l.Client(1).Do(func() error {
		for range 20 {
			conn, err := net.Dial("udp4", target(53))
			if err != nil {
				return err
			}
			name, err := question(conn)
			conn.Close()
			if err != nil {
				return err
			}
			names[name]++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(names) > 1 {
		t.Logf("one client was answered by %v", names)
	}
	for name := range names {
		if len(names) == 1 {
			return name
		}
	}
	return "several"
}

// question asks again when there is no answer: a datagram that meets a move is lost.
func question(conn net.Conn) (string, error) {
	buffer := make([]byte, 64)
	for try := 0; ; try++ {
		if _, err := conn.Write([]byte("who")); err != nil {
			return "", err
		}
		if err := conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
			return "", err
		}
		n, err := conn.Read(buffer)
		if err == nil || try == 10 {
			return string(buffer[:n]), err
		}
	}
}
