package agent_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	pkt "github.com/mdlayher/packet"
	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/lab"
)

// longestPause is that of a machine whose memory is copied while it stands still.
const longestPause = 10 * time.Second

// TestSimultaneousLiveMigration is what left nodes of the system that Muster replaces misconfigured, with warnings of duplicate addresses: all
// hosts stand still at once, are moved to other ports of another switch, and go on.
func TestSimultaneousLiveMigration(t *testing.T) {
	l := farm(t, "")
	conns := echoes(t, l, 60)
	for _, move := range []struct {
		name  string
		far   bool
		pause time.Duration
	}{
		{"to another switch", true, time.Second},
		{"back, after ten seconds", false, longestPause},
		{"to other ports of the same switch", false, time.Second},
	} {
		t.Run(move.name, func(t *testing.T) {
			migrate(t, l, move.far, move.pause)
			healthyAfterMigration(t, l)
		})
	}
	if bad := broken(conns.stop(t)); len(bad) > 0 {
		t.Errorf("%d connections broke, the first: %+v", len(bad), bad[0])
	}
}

const delivered = `cluster: shop
secret_file: secret.key
hosts:
{{- range .Hosts}}
  {{.Name}}: {address: {{.Address}}}
{{- end}}
vips:
  web: {address: {{.VIP}}, delivery: %s, rules: [{ports: [7]}]}
`

// With a cluster MAC nobody has to be told a new port: the switch never learns it.
func TestSimultaneousLiveMigrationWithClusterMACs(t *testing.T) {
	for _, mode := range []string{"unicast", "multicast", "igmp"} {
		t.Run(mode, func(t *testing.T) {
			l := farm(t, fmt.Sprintf(delivered, mode))
			migrate(t, l, true, time.Second)
			healthyAfterMigration(t, l)
		})
	}
}

// migrate freezes all hosts, moves their ports, and lets them go on. Service has to be back within a second.
func migrate(t *testing.T, l *lab.Lab, far bool, pause time.Duration) {
	t.Helper()
	for _, h := range l.Hosts() {
		if err := h.Freeze(); err != nil {
			t.Fatal(err)
		}
	}
	frozen := time.Now()
	if err := l.Migrate(far, "a", "b", "c"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(pause - time.Since(frozen)) // the fault itself
	for _, h := range l.Hosts() {
		if err := h.Thaw(); err != nil {
			t.Fatal(err)
		}
	}
	resumed := time.Now()
	seen := map[string]bool{}
	for time.Since(resumed) < patience && len(seen) < len(l.Hosts()) {
		// Less than the second after which a lost SYN is sent again: each try tells how things are now.
		if name, err := greetingWithin(l, 200*time.Millisecond); err == nil {
			seen[name] = true
		}
	}
	took := time.Since(resumed)
	t.Logf("connections reach all hosts %v after the resume", took)
	if took > time.Second {
		t.Errorf("service of %v took %v after the resume, want a second at most", seen, took)
	}
}

// healthyAfterMigration wants every host to serve, nothing to be wrong and nobody to be taken for a stranger.
func healthyAfterMigration(t *testing.T, l *lab.Lab) {
	t.Helper()
	ready(t, l)
	for _, h := range l.Hosts() {
		eventually(t, patience, "no problem on host "+h.Name(), func() error {
			s := status(t, h)
			if s.State != api.StateServing || len(s.Problems) > 0 {
				return fmt.Errorf("it is %s with problems %+v", s.State, s.Problems)
			}
			return nil
		})
		if n := status(t, h).Filter.Counters["arp_conflict"]; n > 0 {
			t.Errorf("host %s counted %d claims of strangers", h.Name(), n)
		}
	}
	if who := claimants(t, l.Client(1), lab.VIP().Addr()); len(who) != 1 {
		t.Errorf("the client's search for duplicates finds %v, want one that has the address", who)
	}
}

// claimants asks as RFC 5227 does who has an address, and counts the answers by MAC.
func claimants(t *testing.T, from *lab.Node, a netip.Addr) map[string]int {
	t.Helper()
	who := map[string]int{}
	err := from.Do(func() error {
		eth, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		conn, err := pkt.Listen(eth, pkt.Raw, unix.ETH_P_ARP, nil)
		if err != nil {
			return err
		}
		defer conn.Close()
		if _, err := conn.WriteTo(arpFrame(eth.HardwareAddr, 1, eth.HardwareAddr, netip.IPv4Unspecified(), a), &pkt.Addr{HardwareAddr: net.HardwareAddr{255, 255, 255, 255, 255, 255}}); err != nil {
			return err
		}
		buffer := make([]byte, 128)
		for deadline := time.Now().Add(500 * time.Millisecond); ; {
			if err := conn.SetReadDeadline(deadline); err != nil {
				return err
			}
			n, _, err := conn.ReadFrom(buffer)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return nil
			}
			if err != nil {
				return err
			}
			if n >= 42 && netip.AddrFrom4([4]byte(buffer[28:32])) == a {
				who[net.HardwareAddr(buffer[22:28]).String()]++
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return who
}

// arpFrame is a broadcast ARP message (RFC 826).
func arpFrame(source net.HardwareAddr, operation uint16, senderMAC net.HardwareAddr, sender, target netip.Addr) []byte {
	b := append([]byte{255, 255, 255, 255, 255, 255}, source...)
	b = append(b, 8, 6, 0, 1, 8, 0, 6, 4)
	b = binary.BigEndian.AppendUint16(b, operation)
	b = append(append(b, senderMAC...), sender.AsSlice()...)
	b = append(b, 0, 0, 0, 0, 0, 0)
	return append(b, target.AsSlice()...)
}
